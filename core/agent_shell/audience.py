"""Who hears of a session: its observers, and who waits for a receipt or for rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent_shell.events import Event, Receipt
from agent_shell.observer import Observer

__all__ = ["Audience"]


class Audience:
    """The observers of one session and of all (`everywhere`), and those who wait."""

    __slots__ = ("_everywhere", "_here", "_receipts", "_rests")

    def __init__(self, everywhere: list[Observer]) -> None:
        self._everywhere = everywhere
        # Made when they are needed: most sessions rest, unobserved.
        self._here: list[Observer] | None = None
        self._receipts: dict[str, list[asyncio.Future[Receipt]]] | None = None
        self._rests: list[asyncio.Future[None]] | None = None

    def observe(self, capacity: int) -> Observer:
        """A new observer of this session."""
        if self._here is None:
            self._here = []
        observer = Observer(capacity, self._here.remove)
        self._here.append(observer)
        return observer

    def tell(self, event: Event) -> None:
        """Tells every observer."""
        for observer in self._everywhere:
            observer.tell(event)
        if self._here:
            for observer in self._here:
                observer.tell(event)

    def tell_all(self, events: Sequence[Event]) -> None:
        """Tells every observer, and gives the receipts to those who wait for them."""
        for observer in self._everywhere:
            observer.tell_all(events)
        if self._here:
            for observer in self._here:
                observer.tell_all(events)
        if self._receipts:
            for event in events:
                if type(event) is Receipt:
                    for waiter in self._receipts.pop(event.id, ()):
                        if not waiter.done():
                            waiter.set_result(event)

    def expect(self, id: str) -> asyncio.Future[Receipt]:
        """The receipt of follow-up `id`, when it is told; to be given up with `forget`."""
        if self._receipts is None:
            self._receipts = {}
        waiter: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._receipts.setdefault(id, []).append(waiter)
        return waiter

    def forget(self, id: str, waiter: asyncio.Future[Receipt]) -> None:
        """Nobody waits there any more."""
        if waiter.done() and not waiter.cancelled():
            waiter.exception()  # looked at, where who waited was told on another way
        waiting = self._receipts.get(id) if self._receipts else None
        if waiting and waiter in waiting:
            waiting.remove(waiter)
            if not waiting and self._receipts:
                del self._receipts[id]

    def disappoint(self, error: Exception) -> None:
        """No receipt will come: `error` is raised where one is waited for."""
        for waiters in (self._receipts or {}).values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error)

    def rest(self) -> asyncio.Future[None]:
        """Done at the next `at_rest`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rests = [*(self._rests or ()), waiter]
        return waiter

    @property
    def awaits_rest(self) -> bool:
        """Whether anybody does."""
        return self._rests is not None

    def at_rest(self) -> None:
        """Wakes those who wait for it."""
        rests, self._rests = self._rests, None
        for waiter in rests or ():
            if not waiter.done():
                waiter.set_result(None)
