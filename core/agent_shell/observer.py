"""Watching sessions: bounded, lossy where the watcher is slow, never in the way.

The record of a session is its journal. An observer sees the live events; one
that falls behind by more than its capacity is told how many it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from agent_shell.events import Event, Missed, TurnDelta

__all__ = ["Observer"]

# Pieces of an answer that wait are joined up to this many characters an event.
_JOINED = 4096


class Observer:
    """An async iterator over events, with room for `capacity` that wait.

    Pieces of one answer that wait together are joined, which loses nothing.
    Close it (or use it as a context manager) when it is no longer read.
    """

    __slots__ = ("_capacity", "_closed", "_forget", "_missed", "_pending", "_waiter")

    def __init__(self, capacity: int, forget: Callable[[Observer], None]) -> None:
        self._capacity = capacity
        self._forget = forget
        self._pending: deque[Event] = deque()
        self._missed: Missed | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    def tell(self, event: Event) -> None:
        """Puts `event` behind what waits; never blocks and never raises."""
        pending = self._pending
        if type(event) is TurnDelta and pending and self._join(event):
            return
        if len(pending) >= self._capacity:
            if self._missed is None:
                self._missed = Missed(event.session, event.time, 0)
            self._missed.count += 1
            return
        if self._missed is not None:
            pending.append(self._missed)
            self._missed = None
        pending.append(event)
        if self._waiter is not None:
            self._wake()

    def tell_all(self, events: Sequence[Event]) -> None:
        """Tells each of them, in order."""
        if self._missed is None and len(self._pending) + len(events) <= self._capacity:
            self._pending.extend(events)
            if self._waiter is not None:
                self._wake()
        else:
            for event in events:
                self.tell(event)

    def _join(self, event: TurnDelta) -> bool:
        last = self._pending[-1]
        if type(last) is not TurnDelta or self._missed is not None:
            return False
        if last.turn != event.turn or last.session != event.session or len(last.text) > _JOINED:
            return False
        # A new event, for other observers hold the old one.
        self._pending[-1] = TurnDelta(
            last.session, last.time, last.turn, last.id, last.text + event.text
        )
        return True

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def __aiter__(self) -> Self:
        """The events from here on."""
        return self

    async def __anext__(self) -> Event:
        """The next event; ends when the observer is closed and all was read."""
        while not self._pending:
            if self._missed is not None:
                missed, self._missed = self._missed, None
                return missed
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._pending.popleft()

    def take(self) -> list[Event]:
        """All that waits, without waiting: for readers that look at times of their own."""
        taken = list(self._pending)
        self._pending.clear()
        if self._missed is not None:
            taken.append(self._missed)
            self._missed = None
        return taken

    def close(self) -> None:
        """Takes no more events; what waits can still be read."""
        if not self._closed:
            self._closed = True
            self._forget(self)
            self._wake()

    def __enter__(self) -> Self:
        """The observer; it is closed at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes it."""
        self.close()
