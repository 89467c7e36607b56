"""The sessions of a file as a whole: looked at without writing, forked, renamed, deleted.

Who only looks takes no lease, makes no file of its own and leaves every byte of the
journal as it is. What changes something is a function of a connection, to be run by
`SqliteJournal.change`.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import sqlite3
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from agent_shell.errors import AgentShellError, JournalError, SessionOwned
from agent_shell.journal.sqlite import schema
from agent_shell.journal.sqlite.liveness import STALE_S
from agent_shell.journal.sqlite.reading import sound
from agent_shell.journal.sqlite.tables import is_hold, is_int, is_text, is_time, or_null
from agent_shell.records import record
from agent_shell.state import HoldReason, Phase

__all__ = [
    "Owner",
    "Sign",
    "Status",
    "connect",
    "delete",
    "fork",
    "key_of",
    "keys",
    "position",
    "reading",
    "rename",
    "sign_of",
    "signs",
    "status",
    "waiting_ids",
]


class Sign(enum.StrEnum):
    """What the sign of life of a process says."""

    WORKS = "works"
    STOPPED = "stopped"
    DEAD = "dead"


@record
class Owner:
    """The process that has a session open; `since` in epoch seconds."""

    pid: int
    since: float
    stopped: bool


@record
class Status:
    """How a session stands.

    `phase` is what the next to look would find: a queue that nobody owns is held.
    `hold` has `reason`, `detail` and `until`. `cut_off` says whether the turn that
    is recorded as running has lost its process.
    """

    key: str
    title: str
    created_at: float
    phase: Phase
    hold: dict[str, Any] | None
    owner: Owner | None
    cut_off: bool


@contextlib.contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection]:
    """A connection that sees the file as it is now and can't write; raises `JournalError`."""
    connection = connect(path)
    try:
        # The pragmas that tell the version open no transaction; this does, at the first read.
        connection.execute("BEGIN")
        if schema.check(path, connection) < schema.VERSION:
            raise JournalError(
                f"the journal {path} is of an older version; "
                "'agent-shell chat' brings it up to date when it opens it"
            )
        yield connection
    except sqlite3.Error as error:
        raise JournalError(schema.describe(path, error)) from error
    finally:
        connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """A connection that can't write, also to a file in a folder that can't be written.

    Raises `JournalError`; what is wrong inside the file shows at the first statement.
    """
    connection = schema.connect(path, read_only=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _NO_SHARING or path.with_name(path.name + "-wal").exists():
            return connection
        # In a folder that can't be written there is no place for the memory that readers
        # share with a writer. Without a log there is no writer either.
        connection.close()
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        connection.isolation_level = None
    except sqlite3.Error:
        pass  # said by whoever reads on
    return connection


_NO_SHARING = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def sign_of(path: Path, owner: str) -> Sign:
    """What the sign of that process, beside the journal at `path`, says; changes nothing."""
    try:
        fd = os.open(_signs(path) / owner, os.O_RDONLY)
    except OSError:
        return Sign.DEAD
    try:
        if _is_free(fd):
            return Sign.DEAD
        fresh = time.time() - os.fstat(fd).st_mtime < STALE_S
        return Sign.WORKS if fresh else Sign.STOPPED
    finally:
        os.close(fd)


def _is_free(fd: int) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks on this platform: the time alone tells
        return time.time() - os.fstat(fd).st_mtime >= STALE_S
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def signs(path: Path) -> dict[str, Sign]:
    """The signs of all processes that have, or had, the journal at `path` open."""
    try:
        owners = sorted(file.name for file in _signs(path).iterdir())
    except OSError:
        return {}
    return {owner: sign_of(path, owner) for owner in owners}


def _signs(path: Path) -> Path:
    return path.with_name(path.name + ".owners")


def keys(c: sqlite3.Connection) -> list[str]:
    """The keys of all sessions, the last made one first."""
    rows = c.execute("SELECT key FROM sessions ORDER BY id DESC")
    return [key for (key,) in sound(rows, (is_text,))]


def key_of(c: sqlite3.Connection, follow_up_id: str) -> str | None:
    """The session that has a follow-up of that id, if it is one alone."""
    rows = c.execute(
        "SELECT s.key FROM follow_ups f JOIN sessions s ON s.id = f.session WHERE f.id = ? LIMIT 2",
        (follow_up_id,),
    ).fetchall()
    return str(rows[0][0]) if len(rows) == 1 else None


_STATUS_ROW = (
    is_int,
    is_text,
    is_time,
    or_null(is_text),
    or_null(is_text),
    or_null(is_int),
    or_null(is_time),
)


def status(c: sqlite3.Connection, path: Path, key: str) -> Status | None:
    """How the session stands, if there is one of that key."""
    rows = c.execute(
        "SELECT id, title, created_at, hold, owner, owner_pid, owner_since"
        " FROM sessions WHERE key = ?",
        (key,),
    )
    row = next(sound(rows, _STATUS_ROW), None)
    if row is None:
        return None
    session, title, created_at, hold, owner, pid, since = row
    states = dict(
        c.execute(
            "SELECT state, count(*) FROM follow_ups WHERE session = ?"
            " AND state IN ('queued', 'running') GROUP BY state",
            (session,),
        ).fetchall()
    )
    sign = Sign.DEAD if owner is None else sign_of(path, owner)
    owned = None if sign is Sign.DEAD else Owner(pid, since, sign is Sign.STOPPED)
    running = "running" in states
    # What is no hold holds nothing, and a recovery leaves it out.
    held = json.loads(hold) if is_hold(hold) else None
    phase, hold = _phase(owned, running, sum(states.values()), held)
    return Status(key, title, created_at, phase, hold, owned, running and owned is None)


def _phase(
    owner: Owner | None, running: bool, waiting: int, hold: dict[str, Any] | None
) -> tuple[Phase, dict[str, Any] | None]:
    if owner is None and not waiting:
        return Phase.IDLE, None  # a hold without a queue ends with its owner
    if owner is None:
        detail = f"{waiting:,} follow-up{'s' if waiting > 1 else ''} from before"
        restored = {"reason": str(HoldReason.RESTORED), "detail": detail, "until": None}
        # A recorded one of that kind has counted before.
        known = hold is not None and hold["reason"] != HoldReason.RESTORED
        return Phase.HELD, hold if known else restored
    if running:
        return Phase.RUNNING, hold
    return (Phase.HELD if hold else Phase.IDLE), hold


def waiting_ids(c: sqlite3.Connection, key: str) -> list[str]:
    """The ids of what waits, in the order in which it will run."""
    # What was cut off runs next, then what was to steer it.
    rows = c.execute(
        "SELECT f.id FROM sessions s JOIN follow_ups f ON f.session = s.id"
        " WHERE s.key = ? AND f.state IN ('queued', 'running')"
        " ORDER BY f.state = 'queued', f.rank IS NOT NULL, f.rank, f.seq",
        (key,),
    )
    return [id for (id,) in rows]


def position(c: sqlite3.Connection, key: str, follow_up_id: str) -> int:
    """Its place among what waits (1 is the next to run); 0 if it runs, steers or has ended."""
    (place,) = c.execute(
        "SELECT count(*) FROM sessions s"
        " JOIN follow_ups f ON f.session = s.id AND f.id = ? AND f.state = 'queued'"
        " JOIN follow_ups o ON o.session = s.id AND o.state = 'queued' AND o.rank <= f.rank"
        " WHERE s.key = ?",
        (follow_up_id, key),
    ).fetchone()
    return int(place)


def fork(c: sqlite3.Connection, key: str, new: str, now: float) -> int:
    """Makes the session `new` with the history of `key`; returns how many wait in `key`.

    The history is every follow-up that has its receipt, and its turns. What waits or
    runs stays where it is alone: it would be answered twice. Raises `AgentShellError`
    where there is no `key`, or a `new` already.
    """
    source = _id(c, key)
    if c.execute("SELECT 1 FROM sessions WHERE key = ?", (new,)).fetchone():
        raise AgentShellError(f"there is a session {new!r} already; choose another name")
    c.execute(
        "INSERT INTO sessions (key, title, folder, created_at)"
        " SELECT ?, title, folder, ? FROM sessions WHERE id = ?",
        (new, now, source),
    )
    copy = _id(c, new)
    c.execute(
        "INSERT INTO follow_ups (session, id, text, lane, sender, accepted_at, rank, state,"
        " reason, turn, ended_at) SELECT ?, id, text, lane, sender, accepted_at, rank, state,"
        " reason, turn, ended_at FROM follow_ups"
        " WHERE session = ? AND ended_at IS NOT NULL ORDER BY seq",
        (copy, source),
    )
    c.execute(
        "INSERT INTO turns (session, number, follow_up, state, answer, started_at, ended_at,"
        " elapsed_s, usage) SELECT ?, number, follow_up, state, answer, started_at, ended_at,"
        " elapsed_s, usage FROM turns WHERE session = ? AND follow_up IN"
        " (SELECT id FROM follow_ups WHERE session = ?)",
        (copy, source, copy),
    )
    c.execute(
        "INSERT INTO messages (session, turn, body) SELECT ?, turn, body FROM messages"
        " WHERE session = ? AND turn IN (SELECT number FROM turns WHERE session = ?) ORDER BY seq",
        (copy, source, copy),
    )
    (left,) = c.execute(
        "SELECT count(*) FROM follow_ups WHERE session = ? AND ended_at IS NULL", (source,)
    ).fetchone()
    return int(left)


def rename(c: sqlite3.Connection, key: str, title: str) -> None:
    """Gives the session a title; with "" it goes by its first input again."""
    c.execute("UPDATE sessions SET title = ? WHERE id = ?", (title, _id(c, key)))


def delete(c: sqlite3.Connection, key: str, path: Path) -> None:
    """Deletes the session with all that is in it; raises `SessionOwned` while one has it open."""
    session = _id(c, key)
    owner, pid, since = c.execute(
        "SELECT owner, owner_pid, owner_since FROM sessions WHERE id = ?", (session,)
    ).fetchone()
    # A stopped process may go on: others may take its session over, but not away.
    if owner is not None and sign_of(path, owner) is not Sign.DEAD:
        raise SessionOwned(key, pid, since)
    c.execute("DELETE FROM sessions WHERE id = ?", (session,))


def _id(c: sqlite3.Connection, key: str) -> int:
    row = c.execute("SELECT id FROM sessions WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise AgentShellError(f"there is no session {key!r}")
    return int(row[0])
