"""A journal that lasts as long as the process: for trials, tests and embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent_shell.agents.base import Exchange
from agent_shell.events import (
    Fact,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Receipt,
    TurnEnded,
    TurnMessages,
    TurnPartial,
    TurnStarted,
)
from agent_shell.journal import Entry, Restored
from agent_shell.state import FollowUp, State

__all__ = ["MemoryJournal"]


class _Record:
    """One session's entries by id, and those that ran, in the order of their turns.

    A turn that could not go on stands in `ran` as what it was then, for its entry goes
    back into the queue. `said` is what the running turn has said, `messages` what
    agents kept, by turn.
    """

    __slots__ = ("entries", "messages", "ran", "said")

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.ran: list[Entry] = []
        self.said: list[str] = []
        self.messages: dict[int, list[Mapping[str, Any]]] = {}


class MemoryJournal:
    """Keeps every entry in memory; each batch is recorded when `append` returns."""

    window: int | None = None

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    async def open(self, session_key: str) -> Restored:
        """What an earlier engine of this process has left, in the order of acceptance."""
        waiting = [e for e in await self.entries(session_key) if e.ended_at is None]
        queue = [FollowUp(e.id, e.text, e.lane, e.sender, e.accepted_at) for e in waiting]
        turns = max((e.turn or 0 for e in await self.entries(session_key)), default=0)
        return Restored(queue, turns=turns)

    async def fetch(self, session_key: str, after: str | None, limit: int) -> list[FollowUp]:
        """Nothing: sessions have their whole queue in memory."""
        raise NotImplementedError

    async def release(self, session_key: str) -> None:
        """Nobody else could want it."""

    def append(self, session_key: str, facts: Sequence[Fact]) -> None:
        """Records the facts at once."""
        record = self._records.get(session_key)
        if record is None:
            record = self._records[session_key] = _Record()
        for fact in facts:
            kind = type(fact)
            if kind in _KEPT:
                _KEPT[kind](record, fact)

    async def entry(self, session_key: str, follow_up_id: str) -> Entry | None:
        """The record of one follow-up, if there is one."""
        record = self._records.get(session_key)
        return None if record is None else record.entries.get(follow_up_id)

    async def entries(self, session_key: str) -> list[Entry]:
        """The records of a session, in the order of acceptance."""
        record = self._records.get(session_key)
        return list(record.entries.values()) if record else []

    async def history(self, session_key: str, limit: int) -> list[Exchange]:
        """The last `limit` turns that are over, oldest first."""
        record = self._records.get(session_key)
        if record is None or limit <= 0:
            return []
        return [_exchange(entry, record) for entry in record.ran[-limit:]]

    async def close(self) -> None:
        """Nothing is open."""


def _accepted(record: _Record, fact: FollowUpAccepted) -> None:
    record.entries[fact.id] = Entry(fact.id, fact.text, fact.lane, fact.sender, fact.time)


def _edited(record: _Record, fact: FollowUpEdited) -> None:
    record.entries[fact.id].text = fact.text


def _moved(record: _Record, fact: FollowUpMoved) -> None:
    record.entries[fact.id].lane = fact.lane


def _exchange(entry: Entry, record: _Record) -> Exchange:
    turn = entry.turn or 0
    messages = record.messages.get(turn, ())
    return Exchange(entry.id, turn, entry.text, entry.answer, entry.state, entry.sender, messages)


def _started(record: _Record, fact: TurnStarted) -> None:
    record.said.clear()
    entry = record.entries[fact.id]
    entry.state = State.RUNNING
    entry.turn = fact.turn


def _partial(record: _Record, fact: TurnPartial) -> None:
    record.said.append(fact.text)


def _messages(record: _Record, fact: TurnMessages) -> None:
    record.messages.setdefault(fact.turn, []).extend(fact.messages)


def _ended(record: _Record, fact: TurnEnded) -> None:
    if fact.state is State.QUEUED:
        entry = record.entries[fact.id]
        entry.state = State.QUEUED
        entry.answer = "".join(record.said)
        if entry.answer or fact.turn in record.messages:
            record.ran.append(replace(entry))


def _receipt(record: _Record, fact: Receipt) -> None:
    entry = record.entries[fact.id]
    if entry.state is State.RUNNING:
        record.ran.append(entry)
    entry.state = fact.state
    entry.reason = fact.reason
    entry.turn = fact.turn
    entry.answer = fact.answer
    entry.ended_at = fact.time


_KEPT: dict[type[Fact], Callable[[_Record, Any], None]] = {
    FollowUpAccepted: _accepted,
    FollowUpEdited: _edited,
    FollowUpMoved: _moved,
    TurnStarted: _started,
    TurnPartial: _partial,
    TurnMessages: _messages,
    TurnEnded: _ended,
    Receipt: _receipt,
}
