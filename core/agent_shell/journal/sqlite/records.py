"""From facts to rows: what each fact changes in the file.

`rank` orders what waits: it rises towards the end, and is NULL for what waits to
steer the running turn. A fact carries a position; ranks make room between two
neighbours without touching any other row.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from agent_shell.events import (
    Fact,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Receipt,
    SessionHeld,
    SessionReleased,
    TurnEnded,
    TurnMessages,
    TurnPartial,
    TurnStarted,
)
from agent_shell.state import Lane, State

__all__ = ["Records"]

_FIRST = "SELECT min(rank) FROM follow_ups WHERE session = ? AND state = 'queued'"
_LAST = "SELECT max(rank) FROM follow_ups WHERE session = ? AND state = 'queued'"
_AROUND = (
    "SELECT rank FROM follow_ups WHERE session = ? AND state = 'queued' AND rank IS NOT NULL"
    " ORDER BY rank LIMIT 2 OFFSET ?"
)


class Records:
    """Writes the facts of sessions through one connection, inside its transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        # The largest rank given out, by session: what is queued at the end is common.
        self._last: dict[int, float] = {}
        # Whether anything is in the inboxes, as of this transaction; `None`: nobody has looked.
        self._inbox: bool | None = None
        self._writers: dict[type[Fact], Callable[[int, Any], None]] = {
            FollowUpAccepted: self._accepted,
            FollowUpEdited: self._edited,
            FollowUpMoved: self._moved,
            TurnStarted: self._started,
            TurnPartial: self._partial,
            TurnMessages: self._messages,
            TurnEnded: self._ended,
            Receipt: self._receipt,
            SessionHeld: self._held,
            SessionReleased: self._released,
        }

    def write(self, session: int, facts: Sequence[Fact]) -> None:
        """Writes the facts of the session with row id `session`."""
        for fact in facts:
            write = self._writers.get(type(fact))
            if write is not None:
                write(session, fact)

    def begin(self) -> None:
        """A transaction begins: other processes may have written since the last one."""
        self._inbox = None

    def forget(self) -> None:
        """After a transaction that was undone: what was remembered may be wrong."""
        self._last.clear()

    def _accepted(self, session: int, fact: FollowUpAccepted) -> None:
        if fact.lane is Lane.QUEUE or fact.lane is Lane.MERGE:
            rank: float | None = self._rank_behind(session)
        elif fact.position:
            rank = self._rank_at(session, fact.position)
        else:
            rank = None
        self._execute(
            "INSERT INTO follow_ups (session, id, text, lane, sender, accepted_at, rank, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued')",
            (session, fact.id, fact.text, fact.lane, fact.sender, fact.time, rank),
        )
        if self._inbox is None:
            self._inbox = self._execute("SELECT 1 FROM inbox LIMIT 1").fetchone() is not None
        if self._inbox:
            # Another text under that id is still to be refused: its sender waits for a word.
            self._execute(
                "DELETE FROM inbox WHERE session = ? AND id = ? AND text = ?",
                (session, fact.id, fact.text),
            )

    def _edited(self, session: int, fact: FollowUpEdited) -> None:
        self._execute(
            "UPDATE follow_ups SET text = ? WHERE session = ? AND id = ?",
            (fact.text, session, fact.id),
        )

    def _moved(self, session: int, fact: FollowUpMoved) -> None:
        put = "UPDATE follow_ups SET rank = ?, lane = ? WHERE session = ? AND id = ?"
        self._execute(put, (None, fact.lane, session, fact.id))
        if fact.position:
            rank = self._rank_at(session, fact.position)
            self._execute(put, (rank, fact.lane, session, fact.id))

    def _started(self, session: int, fact: TurnStarted) -> None:
        self._execute(
            "INSERT INTO turns (session, number, follow_up, state, started_at)"
            " VALUES (?, ?, ?, 'running', ?)",
            (session, fact.turn, fact.id, fact.time),
        )
        self._execute(
            "UPDATE follow_ups SET state = 'running', turn = ? WHERE session = ? AND id = ?",
            (fact.turn, session, fact.id),
        )

    def _partial(self, session: int, fact: TurnPartial) -> None:
        self._execute(
            "UPDATE turns SET answer = answer || ? WHERE session = ? AND number = ?",
            (_text(fact.text), session, fact.turn),
        )

    def _messages(self, session: int, fact: TurnMessages) -> None:
        # In ASCII: half of a pair can stand in it, escaped, and come back as it was.
        self._execute(
            "INSERT INTO messages (session, turn, body) VALUES (?, ?, ?)",
            (session, fact.turn, json.dumps(fact.messages)),
        )

    def _ended(self, session: int, fact: TurnEnded) -> None:
        usage = None if fact.usage is None else json.dumps(dataclasses.asdict(fact.usage))
        self._execute(
            "UPDATE turns SET state = ?, ended_at = ?, elapsed_s = ?, usage = ?"
            " WHERE session = ? AND number = ?",
            (fact.state, fact.time, fact.elapsed_s, usage, session, fact.turn),
        )
        if fact.state is State.QUEUED:
            self._execute(
                "UPDATE follow_ups SET state = 'queued', rank = ? WHERE session = ? AND id = ?",
                (self._rank_at(session, 1), session, fact.id),
            )

    def _receipt(self, session: int, fact: Receipt) -> None:
        self._execute(
            "UPDATE follow_ups SET state = ?, reason = ?, turn = coalesce(?, turn), ended_at = ?"
            " WHERE session = ? AND id = ?",
            (fact.state, _text(fact.reason), fact.turn, fact.time, session, fact.id),
        )
        if fact.turn is not None and fact.state is not State.STEERED:
            self._execute(
                "UPDATE turns SET answer = ? WHERE session = ? AND number = ?",
                (_text(fact.answer), session, fact.turn),
            )

    def _held(self, session: int, fact: SessionHeld) -> None:
        hold = json.dumps({"reason": fact.reason, "detail": fact.detail, "until": fact.until})
        self._execute("UPDATE sessions SET hold = ? WHERE id = ?", (hold, session))

    def _released(self, session: int, _: SessionReleased) -> None:
        self._execute("UPDATE sessions SET hold = NULL WHERE id = ?", (session,))

    def _rank_behind(self, session: int) -> float:
        last = self._last.get(session)
        if last is None:
            (last,) = self._execute(_LAST, (session,)).fetchone()
        rank = self._last[session] = (last or 0.0) + 1.0
        return rank

    def _rank_at(self, session: int, position: int) -> float:
        """A rank for what is to be at `position` (from 1) among those that wait."""
        if position == 1:
            (first,) = self._execute(_FIRST, (session,)).fetchone()
            return self._rank_behind(session) if first is None else float(first) - 1.0
        around = self._execute(_AROUND, (session, position - 2)).fetchall()
        if len(around) < 2:
            return self._rank_behind(session)
        (before,), (after,) = around
        middle = float(before + after) / 2
        if before < middle < after:
            return middle
        self._spread(session)
        return self._rank_at(session, position)

    def _spread(self, session: int) -> None:
        """Whole numbers for all that wait: two neighbours had no number between them."""
        rows = self._execute(
            "SELECT seq FROM follow_ups WHERE session = ? AND state = 'queued'"
            " AND rank IS NOT NULL ORDER BY rank",
            (session,),
        ).fetchall()
        for rank, (seq,) in enumerate(rows, 1):
            self._execute("UPDATE follow_ups SET rank = ? WHERE seq = ?", (float(rank), seq))
        self._last.pop(session, None)


def _text(said: str) -> str:
    """What an agent or an error said, as Unicode: half of a pair can't be written."""
    return said if said.isascii() else said.encode(errors="replace").decode()
