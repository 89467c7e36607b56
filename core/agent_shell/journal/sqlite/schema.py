"""The file: its tables, how it is opened, and how an older one is brought up to date.

`PRAGMA user_version` is the number of migrations that the file has seen. A file
of a newer version is refused untouched; so is one that is no journal.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from agent_shell.errors import JournalError

__all__ = [
    "APPLICATION_ID",
    "MIGRATIONS",
    "VERSION",
    "Damaged",
    "check",
    "connect",
    "describe",
    "migrate",
    "prepare",
]

# "AgSh", in the header of the file: no other program's database is taken for a journal.
APPLICATION_ID = 0x41675368

_V1 = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL DEFAULT '',
    folder TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    hold TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    owner_pid INTEGER,
    owner_since REAL
);
CREATE TABLE follow_ups (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    text TEXT NOT NULL,
    lane TEXT NOT NULL,
    sender TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    rank REAL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    turn INTEGER,
    ended_at REAL,
    UNIQUE (session, id)
);
CREATE INDEX waiting ON follow_ups (session, rank) WHERE state = 'queued';
CREATE TABLE turns (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    follow_up TEXT NOT NULL,
    state TEXT NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    started_at REAL NOT NULL,
    ended_at REAL,
    elapsed_s REAL,
    usage TEXT,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    text TEXT NOT NULL,
    lane TEXT NOT NULL,
    sender TEXT NOT NULL,
    sent_at REAL NOT NULL,
    refused TEXT,
    UNIQUE (session, id)
);
"""

# What agents keep of their turns, in pieces as they came: `body` is a JSON array.
_V2 = """
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX said ON messages (session, turn);
"""

# Each brings a file from the version that is its index to the next one. They are
# never changed once released, only added to.
MIGRATIONS: tuple[str, ...] = (_V1, _V2)
VERSION = len(MIGRATIONS)


class Damaged(JournalError):
    """The file says what nobody wrote."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; {_DOCTOR}")


def connect(
    path: Path, *, synchronous: str = "FULL", read_only: bool = False
) -> sqlite3.Connection:
    """A connection to the file, for one thread; raises `JournalError`.

    Transactions are begun and ended by hand.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}{'?mode=ro' if read_only else ''}",
            uri=True,
            isolation_level=None,
            timeout=5.0,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise JournalError(describe(path, error)) from error
    try:
        _load(path, connection)
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
    except sqlite3.Error as error:
        connection.close()
        raise JournalError(describe(path, error)) from error
    except Damaged:
        connection.close()
        raise
    return connection


def _load(path: Path, connection: sqlite3.Connection) -> None:
    """Has SQLite read the schema now, for it may say what is wrong there in no Unicode."""
    try:
        with contextlib.suppress(sqlite3.Error):  # said by the next statement
            connection.execute("SELECT count(*) FROM sqlite_master")
    except UnicodeDecodeError as error:
        raise Damaged(f"the journal {path} is damaged") from error


def prepare(path: Path, synchronous: str = "FULL") -> sqlite3.Connection:
    """Opens the journal for writing, made or brought up to date; raises `JournalError`.

    The folder gets mode 0700 and the file 0600 where they are made here.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = path.with_name(f"{path.name}-wal")
        if not (path.exists() and path.stat().st_size) and log.exists() and log.stat().st_size:
            raise JournalError(f"the journal {path} is gone but its log is there; {_DOCTOR}")
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise JournalError(
            f"the journal {path} can't be made: {error.strerror}; name another place "
            "with --journal PATH"
        ) from error
    connection = connect(path, synchronous=synchronous)
    try:
        if check(path, connection) < VERSION:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection)
    except sqlite3.Error as error:
        connection.close()
        raise JournalError(describe(path, error)) from error
    except JournalError:
        connection.close()
        raise
    return connection


def check(path: Path, connection: sqlite3.Connection) -> int:
    """The version of the file, if it is a journal that this version knows."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise JournalError(f"{path} is a database of another program; it was left as it is")
    if version > VERSION:
        raise JournalError(
            f"the journal {path} was written by a newer agent-shell (version {version} of the "
            f"file, this one knows {VERSION}); update agent-shell, or name another journal"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, until: int = VERSION) -> None:
    """Brings an open file from its version to `until`, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for migration in MIGRATIONS[version:until]:
            for statement in migration.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        if version < until:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {until}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def describe(path: Path, error: sqlite3.Error) -> str:
    """What went wrong with the file, and what to do, in one line."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return f"the journal {path} {_ERRORS.get(code, f'failed: {error}')}"


_DOCTOR = "'agent-shell doctor' says what can be recovered"
_ERRORS = {
    sqlite3.SQLITE_FULL: "can't grow: the disk is full; free room on it",
    sqlite3.SQLITE_READONLY: "can't be written: it or its folder is read-only",
    sqlite3.SQLITE_CANTOPEN: "can't be opened: check the path and its permissions",
    sqlite3.SQLITE_BUSY: "is locked by another program; end that, then try again",
    sqlite3.SQLITE_CORRUPT: f"is damaged; {_DOCTOR}",
    sqlite3.SQLITE_NOTADB: f"is no journal, or damaged; {_DOCTOR}",
    sqlite3.SQLITE_IOERR: "can't be read or written: the disk reports an error",
}
