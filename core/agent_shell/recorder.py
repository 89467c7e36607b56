"""What one session has at its journal: batches under way, and facts that it refused.

A fact is told once it is recorded. Of a batch that the journal refuses, what did
not happen is undone and what did is kept, to be recorded with the next batch.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from agent_shell import errors
from agent_shell.commands import Unwritten
from agent_shell.events import (
    Fact,
    FollowUpAccepted,
    FollowUpMoved,
    Receipt,
    SessionClosed,
    SessionHeld,
    SessionReleased,
    TurnEnded,
    TurnStarted,
)
from agent_shell.journal import Journal
from agent_shell.state import State

__all__ = ["Recorder", "Ticket"]

# A ticket stands for one batch at the journal: `None` means it is recorded.
Ticket = asyncio.Future[None] | None


class _Session(Protocol):
    """As much of a session as its recorder talks to."""

    key: str

    def told(self, facts: Sequence[Fact]) -> None:
        """These are recorded: everybody may know."""
        ...

    def unwritten(self, command: Unwritten) -> list[Fact]:
        """Undoes acceptances and a start that were not recorded; says what follows."""
        ...

    def lose(self, error: errors.SessionLost) -> None:
        """Another process owns the session now."""
        ...


class Recorder:
    """Hands a session's facts to the journal, in order, and has them told afterwards."""

    __slots__ = ("_backlog", "_journal", "_session", "_under_way", "_untold", "lost")

    def __init__(self, journal: Journal, session: _Session) -> None:
        self._journal = journal
        self._session = session
        self._backlog: list[Fact] | None = None  # refused, to be tried again
        self._untold: list[Fact] | None = None  # those of them that nobody was told of
        # Batches that the journal has not answered for, each with what will be told of it.
        self._under_way: deque[tuple[list[Fact], list[Fact], asyncio.Future[None]]] | None = None
        self.lost: errors.SessionLost | None = None

    def record(self, facts: list[Fact], told: list[Fact] | None = None) -> Ticket:
        """Records `facts` behind what was refused; then `told`, by default all, are told."""
        told = facts if told is None else told
        if self.lost is not None:
            # What happens here is void, but for the session's own end.
            ends = [fact for fact in facts if type(fact) in (SessionHeld, SessionClosed)]
            self._session.told(ends)
            return None
        batch = facts
        if self._backlog:
            batch = [*self._backlog, *facts]
            told = [*(self._untold or ()), *told]
            self._backlog = self._untold = None
        try:
            ticket = self._journal.append(self._session.key, batch)
        except Exception as error:
            ticket = asyncio.get_running_loop().create_future()
            ticket.set_exception(errors.JournalError(errors.reason_of(error)))
        if ticket is None:
            self._session.told(told)
            return None
        if ticket.done():
            self._answered(batch, told, ticket)
            return ticket
        if self._under_way is None:
            self._under_way = deque()
        self._under_way.append((batch, told, ticket))
        ticket.add_done_callback(lambda _: self.hear())
        return ticket

    def keep(self, fact: Fact) -> None:
        """Records what a turn leaves for the case of a crash; it is not told."""
        self.hear()  # what was refused comes before what is recorded now
        if self.lost is None:
            self.record([fact], told=[])

    @property
    def under_way(self) -> bool:
        """Whether the journal has yet to answer for a batch."""
        return self._under_way is not None

    def hear(self) -> None:
        """Heeds the answers that have come; to be called before each decision.

        For between an answer and the step in which the loop brings it, others take steps:
        what they decide must not rest on what was refused. Batches that were refused one
        behind the other are undone together, for the later ones rest on the first.
        """
        while self._under_way and self._under_way[0][2].done():
            batch, told, ticket = self._next()
            if ticket.exception() is not None:
                while self._under_way and _failed(self._under_way[0][2]):
                    more, more_told, _ = self._next()
                    batch, told = [*batch, *more], [*told, *more_told]
            self._answered(batch, told, ticket)

    def pending(self) -> frozenset[str]:
        """The inputs that the journal has yet to accept."""
        self.hear()
        batches = (batch for batch, _, _ in self._under_way or ())
        facts = itertools.chain.from_iterable(batches)
        return frozenset(fact.id for fact in facts if type(fact) is FollowUpAccepted)

    def _next(self) -> tuple[list[Fact], list[Fact], asyncio.Future[None]]:
        assert self._under_way is not None
        oldest = self._under_way.popleft()
        if not self._under_way:
            self._under_way = None
        return oldest

    def retry(self) -> None:
        """Tries what was refused once more: the journal may have got better."""
        if self._backlog:
            self.record([])

    def _answered(self, batch: list[Fact], told: list[Fact], ticket: asyncio.Future[None]) -> None:
        error = ticket.exception()
        if error is None:
            self._session.told(told)
            return
        self._refused(batch, told, errors.reason_of(error))
        if isinstance(error, errors.SessionLost) and self.lost is None:
            self.lost = error
            self._backlog = self._untold = None
            self._session.lose(error)

    def _refused(self, batch: list[Fact], told: list[Fact], reason: str) -> None:
        ids = frozenset(f.id for f in batch if type(f) is FollowUpAccepted)
        starts = [f.turn for f in batch if type(f) is TurnStarted]
        refused = [*(self._backlog or ()), *batch]
        undone = Unwritten(
            ids, starts[-1] if starts else None, reason, _merges(batch, ids), _moved(refused)
        )
        said = self._session.unwritten(undone)
        self._backlog = [*_kept(refused, ids), *said]
        self._untold = _kept([*(self._untold or ()), *told], ids)
        # These are told unrecorded: it is the journal's failure that they tell of.
        if self._under_way is None:
            self._session.told(said)
        else:
            # It was refused at once: what was decided before it is told before it.
            before, before_told, ticket = self._under_way[-1]
            self._under_way[-1] = (before, [*before_told, *said], ticket)


def _failed(ticket: asyncio.Future[None]) -> bool:
    return ticket.done() and ticket.exception() is not None


def _merges(refused: list[Fact], ids: frozenset[str]) -> tuple[tuple[str, str], ...]:
    texts = {fact.id: fact.text for fact in refused if type(fact) is FollowUpAccepted}
    merged = (fact for fact in refused if type(fact) is Receipt and fact.state is State.MERGED)
    return tuple((fact.reason, texts[fact.id]) for fact in merged if fact.id in ids)


def _moved(refused: list[Fact]) -> frozenset[str]:
    """What was given a place: by a move, or by a turn's end that puts it back to the head."""
    return frozenset(
        fact.id
        for fact in refused
        if type(fact) is FollowUpMoved or (type(fact) is TurnEnded and fact.state is State.QUEUED)
    )


def _kept(refused: list[Fact], ids: frozenset[str]) -> list[Fact]:
    """What is still true of a refused batch: not its acceptances and starts, and no hold.

    For whatever held or released the session, it holds for the journal now. Nor is
    the text of an input that another one was to be joined to, nor any place: what was
    refused had counted there, so all places are told anew.
    """
    edits = {
        id(edit)
        for edit, receipt in itertools.pairwise(refused)
        if type(receipt) is Receipt and receipt.state is State.MERGED and receipt.id in ids
    }
    return [
        fact
        for fact in refused
        if type(fact) not in (TurnStarted, FollowUpMoved, SessionHeld, SessionReleased)
        and id(fact) not in edits
        and getattr(fact, "id", None) not in ids
    ]
