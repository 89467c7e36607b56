"""A session as one document: what `show --json` and `export --format json` give."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_shell import Entry, State
from agent_shell.agents.provider.steps import Step
from agent_shell.journal.sqlite import catalog, reading
from agent_shell.journal.sqlite.catalog import Status
from agent_shell_cli.sessions.steps import answered_in_steps, steps_json

__all__ = ["Document", "document_of", "follow_up_json", "read", "title_of"]


@dataclass(slots=True)
class Document:
    """A session with its follow-ups in the order of acceptance; `waiting` in queue order.

    `messages` are what the agent kept, by the ids of follow-ups.
    """

    status: Status
    entries: list[Entry]
    waiting: list[str]
    messages: Mapping[str, Sequence[Mapping[str, Any]]] = field(
        default_factory=dict[str, Sequence[Mapping[str, Any]]]
    )

    def steps(self, entry: Entry) -> list[Step]:
        """What was said and done for a follow-up, in order."""
        return answered_in_steps(entry, self.messages.get(entry.id, ()))

    @property
    def turns(self) -> int:
        """The number of the last turn."""
        return max((entry.turn or 0 for entry in self.entries), default=0)


def read(c: sqlite3.Connection, path: Path, key: str) -> Document:
    """The session of that key, as the journal has it now; the key is of one that is there."""
    status = catalog.status(c, path, key)
    assert status is not None
    entries = reading.entries(c, key)
    if status.cut_off:
        for entry in entries:
            if entry.state is State.RUNNING:
                entry.state = State.INTERRUPTED
    return Document(status, entries, catalog.waiting_ids(c, key), reading.messages(c, key))


def title_of(document: Document) -> str:
    """The title, or the first input in its place."""
    first = document.entries[0].text if document.entries else ""
    return document.status.title or first


def document_of(document: Document) -> dict[str, Any]:
    """The session as JSON-ready data; times are in seconds since the epoch."""
    status = document.status
    owner = status.owner
    return {
        "session": status.key,
        "title": title_of(document),
        "created_at": status.created_at,
        "state": status.phase.name.lower(),
        "hold": status.hold,
        "owner": None if owner is None else {"pid": owner.pid, "since": owner.since},
        "turns": document.turns,
        "waiting": document.waiting,
        "follow_ups": [
            follow_up_json(entry) | {"steps": steps_json(document.steps(entry))}
            for entry in document.entries
        ],
    }


def follow_up_json(entry: Entry) -> dict[str, Any]:
    """One follow-up as JSON-ready data, by the names that `chat --output json` has too."""
    return {
        "id": entry.id,
        "text": entry.text,
        "lane": entry.lane,
        "sender": entry.sender,
        "state": entry.state,
        "reason": entry.reason,
        "turn": entry.turn,
        "answer": entry.answer,
        "accepted_at": entry.accepted_at,
        "ended_at": entry.ended_at,
    }
