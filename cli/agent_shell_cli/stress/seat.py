"""One flooded session as the flood sees it: what is sent to it and who waits for room."""

from __future__ import annotations

import asyncio
import time
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

from agent_shell import Lane, QueueFull, Session
from agent_shell.events import Event, Missed, Receipt
from agent_shell.observer import Observer
from agent_shell_cli.stress.ledger import Ledger
from agent_shell_cli.stress.meter import Watch
from agent_shell_cli.stress.order import Order, Slot
from agent_shell_cli.stress.samples import Thinned

__all__ = ["Books", "Reader", "Seat"]

T = TypeVar("T")


class Books:
    """What the whole flood counts about its inputs, whatever session they went to.

    Times are seconds on `time.perf_counter`.
    """

    def __init__(self, *, exact: bool) -> None:
        self.ledger = Ledger(exact=exact)
        self.latency_s = Thinned()
        self.rejected = 0
        self.missed = 0
        self.last_accepted_at = 0.0
        self.last_receipt_at = 0.0


@types.coroutine
def _decided(
    submitting: Coroutine[Any, Any, T], note: Callable[[], object]
) -> Generator[Any, Any, T]:
    """Awaits `submitting`; calls `note` in the moment in which it is not refused.

    That is in its first step, before anything else can happen: to be accepted may then
    take a commit, and what comes until its end is behind this input.
    """
    waiting = submitting.__await__()
    try:
        first = next(waiting)
    except StopIteration as done:
        note()
        return cast("T", done.value)
    note()
    yield first
    return (yield from waiting)


class Seat:
    """A session, what is expected of it, and the producers that it had no room for."""

    def __init__(self, session: Session, order: Order, books: Books) -> None:
        self.session = session
        self.order = order
        self.watch = Watch(order)
        self.waiting: deque[asyncio.Future[None]] = deque()
        # A turn started, ended or got its receipt.
        self.changed = asyncio.Event()
        self._books = books

    async def submit(self, text: str, lane: Lane = Lane.QUEUE) -> bool:
        """Sends an input; false if it was refused for want of room."""
        books, order = self._books, self.order
        slots: list[Slot] = []
        sent_at = time.perf_counter()
        try:
            accepted = await _decided(
                self.session.submit(text, lane=lane), lambda: slots.append(order.submit(lane, text))
            )
        except QueueFull:
            books.rejected += 1
            order.turned_away()
            return False
        books.last_accepted_at = now = time.perf_counter()
        books.latency_s.add(now - sent_at)
        books.ledger.acknowledged(accepted.id, text)
        order.acknowledged(slots[0], accepted.id)
        return True

    def settled(self, id: str) -> None:
        """A receipt was told: so there may be room for one more."""
        self.order.settled(id)
        self.changed.set()
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break


class Reader:
    """Reads the engine's live events into the books, all the time.

    To wake up for every turn would cost a quarter of it. So it reads when it is
    nudged, unless somebody needs each receipt at once (`eager`).
    """

    def __init__(self, observer: Observer, seats: dict[str, Seat], books: Books) -> None:
        self.eager = 0
        self._observer = observer
        self._seats = seats
        self._books = books
        self._due = asyncio.Event()
        self._closing = False

    def nudge(self) -> None:
        """Has it read soon."""
        self._due.set()

    async def room(self, seat: Seat) -> None:
        """Waits for a receipt of that session."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        seat.waiting.append(waiter)
        self.eager += 1
        self.nudge()
        try:
            await waiter
        finally:
            self.eager -= 1

    async def run(self) -> None:
        """Reads until `close`, and then what is left."""
        async for event in self._observer:
            self._see([event, *self._observer.take()])
            if not self.eager and not self._closing:
                self._due.clear()
                await self._due.wait()

    def close(self) -> None:
        """Has `run` return once all is read."""
        self._closing = True
        self._observer.close()
        self.nudge()

    def _see(self, events: list[Event]) -> None:
        books = self._books
        settled = books.ledger.settled
        for event in events:
            if type(event) is Receipt:
                books.ledger.receipt(event)
                if self.eager:
                    self._seats[event.session].settled(event.id)
            elif type(event) is Missed:
                books.missed += event.count
        if books.ledger.settled > settled:
            books.last_receipt_at = time.perf_counter()
