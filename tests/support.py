"""Fakes by hand: an agent and journals that do what a test tells them, when it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from agent_shell import Delta, Engine, JournalError, MemoryJournal, Session, Turn
from agent_shell.agents.base import AgentEvent
from agent_shell.events import Event, Fact
from agent_shell.observer import Observer

E = TypeVar("E", bound=Event)


class Step:
    """One turn of a `StepAgent`: it goes on only when the test says so."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.cancelled = False
        self.over = asyncio.Event()
        self._orders: asyncio.Queue[str | BaseException | None] = asyncio.Queue()

    def say(self, text: str) -> None:
        """Yields a piece of the answer."""
        self._orders.put_nowait(text)

    def finish(self, text: str | None = None) -> None:
        """Ends the turn, after a last piece."""
        if text is not None:
            self.say(text)
        self._orders.put_nowait(None)

    def fail(self, error: BaseException) -> None:
        """Raises `error` out of the turn."""
        self._orders.put_nowait(error)

    async def order(self) -> str | BaseException | None:
        return await self._orders.get()


class StepAgent:
    """Each turn is a `Step`; with `stubborn`, cancellation is ignored.

    `clean_up`, where set, is awaited after every turn, whatever its end.
    """

    def __init__(
        self, stubborn: bool = False, clean_up: Callable[[], asyncio.Future[None]] | None = None
    ) -> None:
        self.steps: list[Step] = []
        self.running = 0
        self.most_at_once = 0
        self._stubborn = stubborn
        self._clean_up = clean_up
        self._news = asyncio.Condition()

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        step = Step(turn)
        self.steps.append(step)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        async with self._news:
            self._news.notify_all()
        try:
            async for event in self._obey(step):
                yield event
        finally:
            if self._clean_up is not None:
                await self._clean_up()
            self.running -= 1
            step.over.set()

    async def _obey(self, step: Step) -> AsyncIterator[AgentEvent]:
        while True:
            try:
                order = await step.order()
            except asyncio.CancelledError:
                step.cancelled = True
                if not self._stubborn:
                    raise
                continue
            if order is None:
                return
            if isinstance(order, BaseException):
                raise order
            yield Delta(order)

    async def step(self, number: int) -> Step:
        """The agent's `number`-th turn (from 1), once it has started."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.steps) >= number)
        return self.steps[number - 1]


class ManualJournal(MemoryJournal):
    """A journal whose commits come when the test says so, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[tuple[str, list[Fact], asyncio.Future[None]]] = []
        self.committed: list[Fact] = []
        self.broken = False  # whether `append` raises

    def append(self, session_key: str, facts: Sequence[Fact]) -> asyncio.Future[None]:  # type: ignore[override]
        if self.broken:
            raise OSError("the journal is broken")
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pending.append((session_key, list(facts), ticket))
        return ticket

    def commit(self) -> None:
        """Commits the oldest batch."""
        key, facts, ticket = self.pending.pop(0)
        super().append(key, facts)
        self.committed += facts
        ticket.set_result(None)

    def fail(self, reason: str = "disk full") -> None:
        """Refuses the oldest batch."""
        _, _, ticket = self.pending.pop(0)
        ticket.set_exception(JournalError(reason))


class BrokenJournal(MemoryJournal):
    """A journal that raises from `append` while `broken` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.committed: list[Fact] = []

    def append(self, session_key: str, facts: Sequence[Fact]) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        super().append(session_key, facts)
        self.committed += facts


class Watch:
    """Collects the events of an observer, to be looked at by type."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.events: list[Event] = []

    def of(self, kind: type[E]) -> list[E]:
        """The events of this type until now."""
        self.events += self._observer.take()
        return [event for event in self.events if isinstance(event, kind)]

    def types(self) -> list[str]:
        """The types of all events until now."""
        self.of(Event)
        return [event.type for event in self.events]


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until `condition` holds (a test's own limit ends a wait in vain)."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


def new_session(agent: object, key: str = "s", **settings: object) -> tuple[Engine, Session]:
    """An engine with one session."""
    engine = Engine(agent, **settings)  # type: ignore[arg-type]
    return engine, engine.session(key)
