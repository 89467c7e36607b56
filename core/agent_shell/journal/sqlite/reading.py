"""From rows to what the library speaks of; raises `JournalError` for what is none of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from agent_shell.agents.base import Exchange
from agent_shell.journal import Entry
from agent_shell.journal.sqlite.schema import Damaged
from agent_shell.journal.sqlite.tables import (
    Check,
    is_int,
    is_lane,
    is_messages,
    is_state,
    is_text,
    is_time,
    or_null,
)
from agent_shell.records import record
from agent_shell.state import FollowUp, Lane, State

__all__ = [
    "Summary",
    "entries",
    "entry",
    "history",
    "inbox",
    "messages",
    "sent",
    "sessions",
    "sound",
    "waiting",
]

_ENTRY = (
    "SELECT f.id, f.text, f.lane, f.sender, f.accepted_at, f.state, f.reason, f.turn,"
    " coalesce(t.answer, ''), f.ended_at"
    " FROM sessions s JOIN follow_ups f ON f.session = s.id"
    " LEFT JOIN turns t ON t.session = s.id AND t.number = f.turn AND t.follow_up = f.id"
    " WHERE s.key = ?"
)

_FOLLOW_UP_ROW = (is_text, is_text, is_lane, is_text, is_time)
_ENTRY_ROW = (
    *_FOLLOW_UP_ROW,
    is_state,
    is_text,
    or_null(is_int),
    is_text,
    or_null(is_time),
)
_EXCHANGE_ROW = (is_text, is_int, is_text, is_text, is_state, is_text)
_SUMMARY_ROW = (
    is_text,
    is_text,
    is_text,
    is_time,
    is_time,
    is_int,
    is_int,
    or_null(is_text),
    or_null(is_int),
)


@record
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
    rows = c.execute(f"{_ENTRY} AND f.id = ?", (key, id)).fetchall()
    return next((_entry(row) for row in sound(rows, _ENTRY_ROW)), None)


def entries(c: sqlite3.Connection, key: str) -> list[Entry]:
    """The records of a session, in the order of acceptance."""
    rows = c.execute(f"{_ENTRY} ORDER BY f.seq", (key,))
    return [_entry(row) for row in sound(rows, _ENTRY_ROW)]


def history(c: sqlite3.Connection, key: str, limit: int) -> list[Exchange]:
    """The last `limit` turns that are over and ran, oldest first.

    Those whose follow-up went back into the queue, if they had produced anything.
    """
    rows = c.execute(
        "SELECT f.id, t.number, f.text, t.answer, t.state, f.sender FROM sessions s"
        " JOIN turns t ON t.session = s.id"
        " JOIN follow_ups f ON f.session = s.id AND f.id = t.follow_up"
        " WHERE s.key = ? AND t.state <> 'running' AND (t.state <> 'queued' OR t.answer <> ''"
        "   OR EXISTS (SELECT 1 FROM messages m WHERE m.session = s.id AND m.turn = t.number))"
        " ORDER BY t.number DESC LIMIT ?",
        (key, max(limit, 0)),
    ).fetchall()
    messages = _messages(c, key, rows[-1][1]) if rows else {}
    return [
        Exchange(id, number, text, answer, State(state), sender, messages.get(number, ()))
        for id, number, text, answer, state, sender in sound(reversed(rows), _EXCHANGE_ROW)
    ]


def messages(c: sqlite3.Connection, key: str) -> dict[str, list[dict[str, Any]]]:
    """What the agent kept of each follow-up's turns, in their order, by the follow-up's id."""
    rows = c.execute(
        "SELECT t.follow_up, m.body FROM sessions s JOIN messages m ON m.session = s.id"
        " JOIN turns t ON t.session = s.id AND t.number = m.turn WHERE s.key = ? ORDER BY m.seq",
        (key,),
    )
    kept: dict[str, list[dict[str, Any]]] = {}
    for id, body in sound(rows, (is_text, is_messages)):
        kept.setdefault(id, []).extend(json.loads(body))
    return kept


def _messages(c: sqlite3.Connection, key: str, first: int) -> dict[int, list[dict[str, Any]]]:
    """What the agent kept of the turns from number `first` on, by their numbers."""
    rows = c.execute(
        "SELECT m.turn, m.body FROM sessions s JOIN messages m ON m.session = s.id"
        " WHERE s.key = ? AND m.turn >= ? ORDER BY m.seq",
        (key, first),
    )
    kept: dict[int, list[dict[str, Any]]] = {}
    for turn, body in sound(rows, (is_int, is_messages)):
        kept.setdefault(turn, []).extend(json.loads(body))
    return kept


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
    return [Summary(*row) for row in sound(rows, _SUMMARY_ROW)]


def inbox(c: sqlite3.Connection, key: str) -> list[FollowUp]:
    """What waits in a session's inbox, in the order in which it was sent."""
    rows = c.execute(
        "SELECT i.id, i.text, i.lane, i.sender, i.sent_at FROM sessions s"
        " JOIN inbox i ON i.session = s.id WHERE s.key = ? AND i.refused IS NULL ORDER BY i.seq",
        (key,),
    )
    return [_follow_up(row) for row in sound(rows, _FOLLOW_UP_ROW)]


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
    return [_follow_up(row) for row in sound(rows, _FOLLOW_UP_ROW)]


def sent(c: sqlite3.Connection, key: str, id: str) -> str | None:
    """Why it was refused; "" while it waits; `None` where it is not in the inbox."""
    row = c.execute(
        "SELECT coalesce(i.refused, '') FROM sessions s JOIN inbox i ON i.session = s.id"
        " WHERE s.key = ? AND i.id = ?",
        (key, id),
    ).fetchone()
    return None if row is None else str(row[0])


def owner(c: sqlite3.Connection, key: str) -> str | None:
    """The sign of the process that has the session, if one has."""
    rows = c.execute("SELECT owner FROM sessions WHERE key = ?", (key,)).fetchall()
    return next((found for (found,) in sound(rows, (or_null(is_text),))), None)


def sound(rows: Iterable[tuple[Any, ...]], form: tuple[Check, ...]) -> Iterator[tuple[Any, ...]]:
    """The rows, as long as each value is what it must be; raises `JournalError`."""
    for row in rows:
        if not all(check(value) for check, value in zip(form, row, strict=True)):
            raise Damaged("the journal is damaged: a row of it is none that was written")
        yield row


def _follow_up(row: tuple[Any, ...]) -> FollowUp:
    id, text, lane, sender, at = row
    return FollowUp(id, text, Lane(lane), sender, at)


def _entry(row: tuple[Any, ...]) -> Entry:
    id, text, lane, sender, at, state, reason, turn, answer, ended = row
    return Entry(id, text, Lane(lane), sender, at, State(state), reason, turn, answer, ended)
