"""From rows to what the library speaks of."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from agent_shell.agents.base import Exchange
from agent_shell.journal import Entry
from agent_shell.state import FollowUp, Lane, State

__all__ = ["Summary", "entries", "entry", "history", "inbox", "sent", "sessions", "waiting"]

_ENTRY = (
    "SELECT f.id, f.text, f.lane, f.sender, f.accepted_at, f.state, f.reason, f.turn,"
    " coalesce(t.answer, ''), f.ended_at"
    " FROM sessions s JOIN follow_ups f ON f.session = s.id"
    " LEFT JOIN turns t ON t.session = s.id AND t.number = f.turn AND t.follow_up = f.id"
    " WHERE s.key = ?"
)


@dataclass(slots=True)
class Summary:
    """One session in a list; times in epoch seconds, `owner_pid` where one owns it.

    `folder` is the working directory in which it was begun.
    """

    key: str
    title: str
    folder: str
    created_at: float
    used_at: float
    turns: int
    waiting: int
    owner: str | None
    owner_pid: int | None


def entry(c: sqlite3.Connection, key: str, id: str) -> Entry | None:
    """The record of one follow-up."""
    row = c.execute(f"{_ENTRY} AND f.id = ?", (key, id)).fetchone()
    return None if row is None else _entry(row)


def entries(c: sqlite3.Connection, key: str) -> list[Entry]:
    """The records of a session, in the order of acceptance."""
    return [_entry(row) for row in c.execute(f"{_ENTRY} ORDER BY f.seq", (key,))]


def history(c: sqlite3.Connection, key: str, limit: int) -> list[Exchange]:
    """The last `limit` turns that are over and ran, oldest first."""
    rows = c.execute(
        "SELECT f.id, t.number, f.text, t.answer, t.state, f.sender FROM sessions s"
        " JOIN turns t ON t.session = s.id"
        " JOIN follow_ups f ON f.session = s.id AND f.id = t.follow_up"
        " WHERE s.key = ? AND t.state NOT IN ('running', 'queued')"
        " ORDER BY t.number DESC LIMIT ?",
        (key, max(limit, 0)),
    ).fetchall()
    return [
        Exchange(id, number, text, answer, State(state), sender)
        for id, number, text, answer, state, sender in reversed(rows)
    ]


def sessions(c: sqlite3.Connection) -> list[Summary]:
    """All sessions, the last used one first."""
    rows = c.execute(
        "SELECT s.key, coalesce(nullif(s.title, ''),"
        "   (SELECT text FROM follow_ups WHERE session = s.id ORDER BY seq LIMIT 1), ''),"
        " s.folder, s.created_at,"
        " coalesce((SELECT max(accepted_at) FROM follow_ups WHERE session = s.id), s.created_at)"
        "   AS used_at,"
        " (SELECT count(*) FROM turns WHERE session = s.id),"
        " (SELECT count(*) FROM follow_ups WHERE session = s.id AND state = 'queued'),"
        " s.owner, s.owner_pid"
        " FROM sessions s ORDER BY used_at DESC, s.id DESC"
    )
    return [Summary(*row) for row in rows]


def inbox(c: sqlite3.Connection, key: str) -> list[FollowUp]:
    """What waits in a session's inbox, in the order in which it was sent."""
    rows = c.execute(
        "SELECT i.id, i.text, i.lane, i.sender, i.sent_at FROM sessions s"
        " JOIN inbox i ON i.session = s.id WHERE s.key = ? AND i.refused IS NULL ORDER BY i.seq",
        (key,),
    )
    return [FollowUp(id, text, Lane(lane), sender, at) for id, text, lane, sender, at in rows]


def waiting(c: sqlite3.Connection, key: str, after: str | None, limit: int) -> list[FollowUp]:
    """The next `limit` (all with -1) that wait, in order, behind `after`."""
    rows = c.execute(
        "SELECT f.id, f.text, f.lane, f.sender, f.accepted_at FROM sessions s"
        " JOIN follow_ups f ON f.session = s.id"
        " WHERE s.key = ? AND f.state = 'queued' AND f.rank > coalesce("
        "   (SELECT rank FROM follow_ups WHERE session = s.id AND id = ?), -9e999)"
        " ORDER BY f.rank LIMIT ?",
        (key, after, limit),
    )
    return [FollowUp(id, text, Lane(lane), sender, at) for id, text, lane, sender, at in rows]


def sent(c: sqlite3.Connection, key: str, id: str) -> str | None:
    """Why it was refused; "" while it waits; `None` where it is not in the inbox."""
    row = c.execute(
        "SELECT coalesce(i.refused, '') FROM sessions s JOIN inbox i ON i.session = s.id"
        " WHERE s.key = ? AND i.id = ?",
        (key, id),
    ).fetchone()
    return None if row is None else str(row[0])


def _entry(row: tuple[str, str, str, str, float, str, str, int | None, str, float | None]) -> Entry:
    id, text, lane, sender, at, state, reason, turn, answer, ended = row
    return Entry(id, text, Lane(lane), sender, at, State(state), reason, turn, answer, ended)
