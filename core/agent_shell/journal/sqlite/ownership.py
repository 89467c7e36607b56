"""Who owns a session: taking it, letting it go, and leaving inputs with its owner."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from agent_shell.agents.base import Exchange
from agent_shell.errors import JournalError, SessionOwned
from agent_shell.journal import Restored
from agent_shell.journal.sqlite.liveness import Liveness
from agent_shell.journal.sqlite.reading import sound, waiting
from agent_shell.journal.sqlite.schema import Damaged
from agent_shell.journal.sqlite.tables import is_int, is_number, is_text, is_time, or_null
from agent_shell.records import record
from agent_shell.state import FollowUp, State

__all__ = ["Lease", "let_go", "refuse", "send", "take"]


_SESSION_ROW = (is_int, is_int, or_null(is_text), or_null(is_int), or_null(is_time))
_CUT_OFF_ROW = (is_text, is_int, is_text, is_text)


@record
class Lease:
    """A session that this process owns, as long as the session's fence is `fence`."""

    session: int
    fence: int


def take(
    c: sqlite3.Connection, key: str, liveness: Liveness, now: float, window: int | None
) -> tuple[Lease, Restored]:
    """Takes the session, made if it is not there; raises `SessionOwned`."""
    c.execute(
        "INSERT OR IGNORE INTO sessions (key, created_at, folder) VALUES (?, ?, ?)",
        (key, now, _folder()),
    )
    row = c.execute(
        "SELECT id, fence, owner, owner_pid, owner_since FROM sessions WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        raise Damaged(f"the journal is damaged: it has no session {key!r}, and lets none be made")
    ((session, fence, owner, owner_pid, since),) = sound([row], _SESSION_ROW)
    if owner is not None and (owner == liveness.owner or liveness.lives(owner)):
        raise SessionOwned(key, owner_pid, since)
    c.execute(
        # A hold is of the state that was let go of: what waits now is held anew.
        "UPDATE sessions SET fence = ?, owner = ?, owner_pid = ?, owner_since = ?, hold = NULL"
        " WHERE id = ?",
        (fence + 1, liveness.owner, os.getpid(), now, session),
    )
    return Lease(session, fence + 1), _restore(c, session, key, now, window)


def _folder() -> str:
    """The working directory; "" where it was removed."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def let_go(c: sqlite3.Connection, lease: Lease) -> None:
    """Gives the session up, unless another process has taken it already."""
    c.execute(
        "UPDATE sessions SET owner = NULL, owner_pid = NULL, owner_since = NULL"
        " WHERE id = ? AND fence = ?",
        (lease.session, lease.fence),
    )


def send(c: sqlite3.Connection, key: str, follow_up: FollowUp) -> None:
    """Leaves an input for the session's owner."""
    row = c.execute("SELECT id FROM sessions WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise JournalError(f"there is no session {key!r}")
    c.execute(
        "INSERT INTO inbox (session, id, text, lane, sender, sent_at) VALUES (?, ?, ?, ?, ?, ?)",
        (
            row[0],
            follow_up.id,
            follow_up.text,
            follow_up.lane,
            follow_up.sender,
            follow_up.accepted_at,
        ),
    )


def refuse(c: sqlite3.Connection, key: str, id: str, reason: str) -> None:
    """Says to the sender why its input was not accepted."""
    c.execute(
        "UPDATE inbox SET refused = ? WHERE id = ? AND session ="
        " (SELECT id FROM sessions WHERE key = ?)",
        (reason, id, key),
    )


def _restore(
    c: sqlite3.Connection, session: int, key: str, now: float, window: int | None
) -> Restored:
    cut_off = _cut_off(c, session, now)
    queue = waiting(c, key, None, -1 if window is None else window)
    (total,) = c.execute(
        "SELECT count(*) FROM follow_ups WHERE session = ? AND state = 'queued'", (session,)
    ).fetchone()
    last = c.execute("SELECT coalesce(max(number), 0) FROM turns WHERE session = ?", (session,))
    ((turns,),) = sound(last, (is_int,))
    return Restored(queue, total - len(queue), turns, cut_off)


def _cut_off(c: sqlite3.Connection, session: int, now: float) -> Exchange | None:
    """Marks the turn that was running as interrupted; its follow-up is the next again."""
    # What was to steer that turn can steer nothing any more: it comes right behind.
    least = c.execute(
        "SELECT coalesce(min(rank), 1.0) FROM follow_ups WHERE session = ? AND state = 'queued'",
        (session,),
    )
    ((first,),) = sound(least, (is_number,))
    steering = c.execute(
        "SELECT seq FROM follow_ups WHERE session = ? AND state = 'queued' AND rank IS NULL"
        " ORDER BY seq DESC",
        (session,),
    ).fetchall()
    for (seq,) in steering:
        first -= 1.0
        c.execute("UPDATE follow_ups SET rank = ? WHERE seq = ?", (first, seq))
    rows = c.execute(
        "SELECT f.id, t.number, f.text, t.answer FROM follow_ups f JOIN turns t"
        " ON t.session = f.session AND t.number = f.turn"
        " WHERE f.session = ? AND f.state = 'running'",
        (session,),
    ).fetchmany(1)
    row = next(sound(rows, _CUT_OFF_ROW), None)
    if row is None:
        return _cut_off_before(c, session)
    id, number, text, answer = row
    c.execute(
        "UPDATE turns SET state = 'interrupted', ended_at = ? WHERE session = ? AND number = ?",
        (now, session, number),
    )
    c.execute(
        "UPDATE follow_ups SET state = 'queued', rank = ? WHERE session = ? AND id = ?",
        (first - 1.0, session, id),
    )
    return Exchange(id, number, text, answer, State.INTERRUPTED)


def _cut_off_before(c: sqlite3.Connection, session: int) -> Exchange | None:
    """The turn that an earlier owner found cut off and left as it was."""
    rows = c.execute(
        "SELECT f.id, t.number, f.text, t.answer FROM turns t JOIN follow_ups f"
        " ON f.session = t.session AND f.id = t.follow_up AND f.turn = t.number"
        " WHERE t.session = ? AND t.state = 'interrupted' AND f.state = 'queued'"
        " AND t.number = (SELECT max(number) FROM turns WHERE session = t.session)",
        (session,),
    ).fetchmany(1)
    row = next(sound(rows, _CUT_OFF_ROW), None)
    if row is None:
        return None
    id, number, text, answer = row
    return Exchange(id, number, text, answer, State.INTERRUPTED)
