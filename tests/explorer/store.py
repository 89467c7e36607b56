"""A journal that answers when it is told to, over facts that outlive its processes.

It keeps what the journal in a file promises: a batch is recorded whole or not at all,
behind a refused one nothing of its session is recorded, one process has a session, and
what it writes is void once another has taken the session over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from agent_shell import Entry, Exchange, FollowUp, JournalError, Lane, State
from agent_shell.errors import SessionLost, SessionOwned
from agent_shell.events import (
    Fact,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Receipt,
    TurnEnded,
    TurnPartial,
    TurnStarted,
)
from agent_shell.journal import Restored

__all__ = ["Batch", "Call", "Fold", "PuppetJournal", "Store", "Told"]


T = TypeVar("T")


class Fold:
    """What the facts of one session say, by themselves: a list, and who runs."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.queue: list[str] = []
        self.steering: list[str] = []
        self.running: str | None = None
        self.turns = 0
        self.partial: dict[int, str] = {}
        self.cut_off: int | None = None

    def apply(self, fact: Fact) -> None:
        """Takes one more fact into account; of what was never accepted, none."""
        known = getattr(fact, "id", None) in (None, *self.entries)
        if not known and type(fact) is not FollowUpAccepted:
            return
        match fact:
            case FollowUpAccepted(id=id, text=text, lane=lane, sender=sender, position=position):
                self.entries[id] = Entry(id, text, lane, sender, fact.time)
                at_the_end = lane in (Lane.QUEUE, Lane.MERGE)
                self._put(id, len(self.queue) + 1 if at_the_end else position)
            case FollowUpEdited(id=id, text=text):
                self.entries[id].text = text
            case FollowUpMoved(id=id, position=position, lane=lane):
                self.entries[id].lane = lane
                self._take(id)
                self._put(id, position)
            case TurnStarted(turn=turn, id=id):
                self._take(id)
                self.running, self.turns, self.cut_off = id, turn, None
                self.entries[id].turn, self.entries[id].state = turn, State.RUNNING
            case TurnPartial(turn=turn, text=text):
                self.partial[turn] = self.partial.get(turn, "") + text
            case TurnEnded(id=id, state=State.QUEUED):
                self.running, self.entries[id].state = None, State.QUEUED
                self._put(id, 1)
            case Receipt(id=id):
                self._receipt(fact)
            case _:
                pass

    def _receipt(self, fact: Receipt) -> None:
        entry = self.entries[fact.id]
        entry.state, entry.reason, entry.ended_at = fact.state, fact.reason, fact.time
        entry.answer, entry.turn = fact.answer, entry.turn if fact.turn is None else fact.turn
        self._take(fact.id)
        if self.running == fact.id:
            self.running = None

    def _put(self, id: str, position: int) -> None:
        if position:
            self.queue.insert(position - 1, id)
        else:
            self.steering.append(id)

    def _take(self, id: str) -> None:
        self.queue = [other for other in self.queue if other != id]
        self.steering = [other for other in self.steering if other != id]

    def restore(self) -> Exchange | None:
        """A process takes it up: what ran is the head of the queue again."""
        running, self.running = self.running, None
        head = [] if running is None else [running]
        self.queue, self.steering = [*head, *self.steering, *self.queue], []
        if running is not None:
            self.cut_off = self.turns
            self.entries[running].state = State.QUEUED
        if self.cut_off is None:
            return None
        id = next(e.id for e in self.entries.values() if e.turn == self.cut_off)
        if id not in self.queue:
            return None
        text = self.entries[id].text
        said = self.partial.get(self.cut_off, "")
        return Exchange(id, self.cut_off, text, said, State.INTERRUPTED)

    def follow_ups(self) -> list[FollowUp]:
        """What waits, in order."""
        entries = (self.entries[id] for id in self.queue)
        return [FollowUp(e.id, e.text, e.lane, e.sender, e.accepted_at) for e in entries]


@dataclass
class Store:
    """What is on the disk: facts, fences, owners; and who is alive."""

    folds: dict[str, Fold] = field(default_factory=dict[str, Fold])
    log: list[tuple[str, Fact | None]] = field(default_factory=list[tuple[str, Fact | None]])
    fences: dict[str, int] = field(default_factory=dict[str, int])
    owners: dict[str, str] = field(default_factory=dict[str, str])
    lives: Callable[[str], bool] = lambda name: True

    def fold(self, key: str) -> Fold:
        """The session of that key."""
        return self.folds.setdefault(key, Fold())

    def take(self, key: str, name: str) -> tuple[int, Exchange | None]:
        """Process `name` takes the session; raises `SessionOwned`."""
        owner = self.owners.get(key)
        if owner is not None and (owner == name or self.lives(owner)):
            raise SessionOwned(key, 1, 0.0)
        self.owners[key] = name
        self.fences[key] = self.fences.get(key, 0) + 1
        self.log.append((key, None))  # a take-over, between two facts
        return self.fences[key], self.fold(key).restore()


class Told(Protocol):
    """Who is told what the journal is given, and what becomes of it."""

    def appended(self, process: str, key: str, facts: Sequence[Fact]) -> None:
        """The engine wants these recorded."""
        ...

    def recorded(self, process: str, key: str, facts: Sequence[Fact]) -> None:
        """They are."""
        ...

    def refused(self, process: str, key: str, facts: Sequence[Fact]) -> None:
        """They are not, and never will be by this batch."""
        ...


@dataclass(eq=False)
class Batch:
    """Facts on their way."""

    key: str
    fence: int
    facts: Sequence[Fact]
    done: asyncio.Future[None]


@dataclass(eq=False)
class Call:
    """Something else that the journal does in its place between two batches."""

    what: str
    run: Callable[[], Any]
    done: asyncio.Future[Any]


class PuppetJournal:
    """One process's access to the store. `instant` records in the call itself."""

    def __init__(self, store: Store, name: str, told: Told, window: int | None) -> None:
        self.window = window
        self.store, self.name, self.told = store, name, told
        self.jobs: deque[Batch | Call] = deque()
        self.reads: deque[Call] = deque()
        self.leases: dict[str, int] = {}
        self.instant = False
        self.broken = False  # `append` itself raises
        self.slow_reads = False

    # What the engine calls

    async def open(self, session_key: str) -> Restored:
        """Takes the session, in its turn."""

        def take() -> Restored:
            self.leases[session_key], cut_off = self.store.take(session_key, self.name)
            fold = self.store.fold(session_key)
            queue = fold.follow_ups()
            here = queue if self.window is None else queue[: self.window]
            return Restored(here, len(queue) - len(here), fold.turns, cut_off)

        restored: Restored = await self._call("opens the session", take)
        return restored

    async def release(self, session_key: str) -> None:
        """Lets go of it, in its turn."""
        fence = self.leases.pop(session_key, None)

        def let_go() -> None:
            if fence == self.store.fences.get(session_key):
                self.store.owners.pop(session_key, None)

        if fence is not None:
            await self._call("lets go of the session", let_go)

    def append(self, session_key: str, facts: Sequence[Fact]) -> asyncio.Future[None] | None:
        """Takes a batch; recorded when the explorer says so."""
        facts = list(facts)
        self.told.appended(self.name, session_key, facts)
        fence = self.leases.get(session_key)
        if fence is None:
            self.told.refused(self.name, session_key, facts)
            raise SessionLost(f"session {session_key!r} is not open here")
        if self.broken:
            self.told.refused(self.name, session_key, facts)
            raise OSError(28, "no space left")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.jobs.append(Batch(session_key, fence, facts, done))
        if self.instant and len(self.jobs) == 1:
            self.work()
            return None if done.exception() is None else done
        return done

    def fetch(
        self, session_key: str, after: str | None, limit: int
    ) -> asyncio.Future[list[FollowUp]]:
        """What waits behind `after`, as of the batches before."""

        def look() -> list[FollowUp]:
            queue = self.store.fold(session_key).follow_ups()
            ids = [f.id for f in queue]
            start = ids.index(after) + 1 if after in ids else 0
            return queue[start : start + limit]

        return self._call("fetches more of the queue", look)

    async def entry(self, session_key: str, follow_up_id: str) -> Entry | None:
        """What is recorded of one follow-up."""
        return await self._read(lambda: self.store.fold(session_key).entries.get(follow_up_id))

    async def entries(self, session_key: str) -> list[Entry]:
        """All of them."""
        return await self._read(lambda: list(self.store.fold(session_key).entries.values()))

    async def history(self, session_key: str, limit: int) -> list[Exchange]:
        """The turns that are over."""
        entries = self.store.fold(session_key).entries.values()
        ran = sorted((e for e in entries if e.ended_at and e.turn), key=lambda e: e.turn or 0)
        past = [Exchange(e.id, e.turn or 0, e.text, e.answer, e.state, e.sender) for e in ran]
        return await self._read(lambda: past[-limit:] if limit else [])

    async def close(self) -> None:
        """Nothing is open but leases, which die with the process."""

    # What the explorer calls

    def work(self) -> None:
        """Does the next job: records a batch, or refuses what lost its fence."""
        job = self.jobs.popleft()
        if isinstance(job, Call):
            _do(job)
        elif job.fence != self.store.fences[job.key]:
            lost = SessionLost("another process has taken this session over")
            self._refuse(job, lost)
        else:
            for fact in job.facts:
                self.store.fold(job.key).apply(fact)
                self.store.log.append((job.key, fact))
            self.told.recorded(self.name, job.key, job.facts)
            _settle(job.done, None, None)

    def refuse(self) -> None:
        """Refuses the next job, as a full disk does."""
        job = self.jobs.popleft()
        error = JournalError("the disk is full")
        if isinstance(job, Call):
            _settle(job.done, None, error)
        else:
            self._refuse(job, error)

    def read(self) -> None:
        """Answers the next question."""
        _do(self.reads.popleft())

    def _refuse(self, first: Batch, error: JournalError) -> None:
        """Says so to those behind it in the same step: none comes between."""
        behind = [j for j in self.jobs if isinstance(j, Batch) and j.key == first.key]
        self.jobs = deque(job for job in self.jobs if job not in behind)
        for batch in [first, *behind]:
            self.told.refused(self.name, batch.key, batch.facts)
            _settle(batch.done, None, error)

    def _call(self, what: str, run: Callable[[], Any]) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.jobs.append(Call(what, run, done))
        return done

    async def _read(self, run: Callable[[], T]) -> T:
        if not self.slow_reads:
            return run()
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.reads.append(Call("answers a question", run, done))
        answer: T = await done
        return answer


def _do(call: Call) -> None:
    try:
        _settle(call.done, call.run(), None)
    except JournalError as error:
        _settle(call.done, None, error)
    except SessionOwned as error:
        _settle(call.done, None, error)


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if not future.done():
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
