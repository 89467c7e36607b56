"""Checking a journal, and saving what can be read of a damaged one.

The damaged file is never written to. It is kept aside under another name, and a new
file takes its place once that is complete, checked and on the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from agent_shell.errors import JournalError
from agent_shell.journal.sqlite import catalog, schema
from agent_shell.journal.sqlite.pages import Cell, Pages
from agent_shell.journal.sqlite.tables import BY_SHAPE, TABLES
from agent_shell.records import record

__all__ = ["TABLES", "Examination", "Recovery", "examine", "recover"]


@record
class Examination:
    """What there is to say of a file; `damaged` is where `recover` can help."""

    version: int | None
    problems: list[str] = field(default_factory=list[str])
    damaged: bool = False


@record
class Recovery:
    """What was recovered, where the damaged file is now, and what is known to be lost.

    `lost_ids` are follow-ups that an index still names, `lost_texts` counts those of
    which there is a turn alone, and `lost_answers` those whose turn is gone.
    """

    aside: Path
    sessions: int
    follow_ups: int
    turns: int
    inbox: int
    lost_ids: list[str]
    lost_texts: int
    lost_answers: int


def examine(path: Path, *, thorough: bool = True) -> Examination:
    """Checks the file at `path` without writing; never raises for what is wrong with it."""
    if path.stat().st_size == 0 and _size(_beside(path, "-wal")):
        # SQLite would take it for a new file, and throw the log away.
        return Examination(None, ["it is empty, but its log is not"], damaged=True)
    connection: sqlite3.Connection | None = None
    try:
        connection = catalog.connect(path)
        version = schema.check(path, connection)
        pragma = "integrity_check(20)" if thorough else "quick_check(20)"
        said = [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}")]
        if said == ["ok"] and version == schema.VERSION:
            said = list(_strange(connection)) or said
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        damaged = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        return Examination(None, [str(error)], damaged)
    except JournalError as error:
        return Examination(None, [str(error)], isinstance(error, schema.Damaged))
    finally:
        if connection is not None:
            connection.close()
    problems = [] if said == ["ok"] else said
    return Examination(version, problems, damaged=bool(problems))


def _strange(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite does not look at: rows that say what nobody wrote."""
    connection.text_factory = _as_text
    for table in TABLES:
        rows = connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}")  # noqa: S608
        count = sum(not table.is_row(row) for row in rows)
        if count:
            yield f"{table.name} has {count:,} row{'' if count == 1 else 's'} that nobody wrote"


def _as_text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def recover(path: Path, now: float | None = None) -> Recovery:
    """Puts a new file with all that can be read in the place of a damaged one.

    The damaged file, with its log, is kept beside it; its name gets the time. Raises
    `JournalError`, with nothing changed, where a process has the journal open or
    there is no room.
    """
    _nobody_has(path)
    _room_for(path)
    folder = Path(tempfile.mkdtemp(prefix=path.name + ".recovery-", dir=path.parent))
    try:
        fresh = folder / "new.sqlite"
        recovery = _save(path, fresh)
        if not (recovery.sessions or recovery.inbox):
            raise JournalError(
                f"nothing in {path} could be read as a journal; it was left as it was. "
                "Move it away to start a new one"
            )
        _nobody_has(path)
        recovery.aside = _exchange(path, fresh, time.time() if now is None else now)
        return recovery
    except OSError as error:
        raise JournalError(f"{path} can't be recovered: {error}; it was left as it was") from error
    except sqlite3.Error as error:
        raise JournalError(schema.describe(path, error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _nobody_has(path: Path) -> None:
    if any(sign is not catalog.Sign.DEAD for sign in catalog.signs(path).values()):
        raise JournalError(
            f"a process has the journal {path} open; end every agent-shell that uses it, "
            "then recover"
        )


def _room_for(path: Path) -> None:
    needed = 3 * (_size(path) + _size(_beside(path, "-wal"))) + (1 << 20)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise JournalError(
            f"{path} can't be recovered: that takes {needed / 1e6:,.0f} MB, and "
            f"{free / 1e6:,.0f} MB are free; free room on the disk"
        )


def _save(path: Path, fresh: Path) -> Recovery:
    """Makes the new file at `fresh` from what can be read of the one at `path`."""
    connection = schema.prepare(fresh)
    try:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("ATTACH ? AS staged", (str(fresh.with_name("staged.sqlite")),))
        connection.execute("BEGIN IMMEDIATE")
        _stage(path, connection)
        for table in TABLES:
            connection.execute(table.selection())
        for statement in _REPAIRS.split(";\n"):
            connection.execute(statement)
        connection.execute("COMMIT")
        recovery = _report(connection)
        for pragma in ("integrity_check", "foreign_key_check"):
            said = connection.execute(f"PRAGMA {pragma}").fetchall()
            if said not in ([], [("ok",)]):
                raise JournalError(f"{path} can't be recovered: {said[0]}; it was left as it was")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return recovery


def _stage(path: Path, connection: sqlite3.Connection) -> None:
    """Lays out every row that is one, and which follow-ups the indices name."""
    for table in TABLES:
        connection.execute(f"CREATE TABLE staged.{table.name} ({', '.join(table.columns)})")
    connection.execute("CREATE TABLE staged.named (session, id, seq)")
    pages = Pages(path)
    try:
        for cell in pages.cells():
            of = BY_SHAPE.get((cell.rowid is not None, len(cell.values)))
            if of is None:
                _note(cell, connection)
            elif (row := of.row(cell)) is not None:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO staged.{of.name} VALUES ({marks})", row)  # noqa: S608
    finally:
        pages.close()
    connection.execute("CREATE INDEX staged.names ON named (seq, id, session)")


def _note(cell: Cell, connection: sqlite3.Connection) -> None:
    """Notes a cell of the unique index of the follow-ups, or of the inbox."""
    if cell.rowid is None and len(cell.values) == 3:
        session, id, seq = cell.values
        if isinstance(session, int) and isinstance(id, str) and isinstance(seq, int):
            connection.execute("INSERT INTO staged.named VALUES (?, ?, ?)", (session, id, seq))


def _report(c: sqlite3.Connection) -> Recovery:
    def count(what: str) -> int:
        return int(c.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608

    lost = c.execute(_LOST_IDS).fetchall()
    return Recovery(
        aside=Path(),
        sessions=count("sessions"),
        follow_ups=count("follow_ups WHERE sender <> 'recovery'"),
        turns=count("turns"),
        inbox=count("inbox"),
        lost_ids=[str(id) for (id,) in lost],
        lost_texts=count("follow_ups WHERE sender = 'recovery'"),
        lost_answers=count(_LOST_ANSWERS),
    )


# Neither by its name nor by its number: a damaged index names what never was.
_LOST_IDS = """
SELECT DISTINCT id FROM staged.named n
WHERE NOT EXISTS (SELECT 1 FROM follow_ups f WHERE f.session = n.session AND f.id = n.id)
    AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.session = n.session AND i.id = n.id)
    AND NOT EXISTS (SELECT 1 FROM follow_ups f WHERE f.seq = n.seq AND f.sender <> 'recovery')
    AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.seq = n.seq)
ORDER BY seq
"""
_LOST_ANSWERS = """
follow_ups f WHERE f.state = 'answered' AND NOT EXISTS
    (SELECT 1 FROM turns t WHERE t.session = f.session AND t.number = f.turn)
"""


def _exchange(path: Path, fresh: Path, now: float) -> Path:
    """Keeps the old file aside, then puts the new one in its place."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for end in ("", "-wal"):
        # First a second name for it: at no moment is the old file without one.
        if end == "" or _size(_beside(path, end)):
            _link(_beside(path, end), _beside(aside, end))
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    # A log of the old file must never be found beside the new one.
    for end in ("-wal", "-shm"):
        _beside(path, end).unlink(missing_ok=True)
    fresh.replace(path)
    _sync_folder(path.parent)
    return aside


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a file system without links
        shutil.copy2(old, new)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every platform can
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


# Afterwards everything that is waited for can be reached, and nobody owns anything: a
# session that is lost and a question that is lost get a stand-in.
_REPAIRS = """
UPDATE sessions SET owner = NULL, owner_pid = NULL, owner_since = NULL,
    hold = CASE WHEN json_valid(hold) THEN CASE
        WHEN json_type(hold, '$.reason') = 'text' AND json_type(hold, '$.detail') = 'text'
        THEN hold END END;
INSERT OR IGNORE INTO sessions (id, key, created_at)
    SELECT session, 'recovered-' || session, min(at) FROM (
        SELECT session, accepted_at AS at FROM follow_ups
        UNION ALL SELECT session, started_at FROM turns
        UNION ALL SELECT session, sent_at FROM inbox
    ) WHERE session NOT IN (SELECT id FROM sessions) GROUP BY session;
INSERT OR IGNORE INTO follow_ups
    (session, id, text, lane, sender, accepted_at, state, reason, turn, ended_at)
    SELECT session, follow_up, '(its text was lost with a damaged file)', 'queue', 'recovery',
        started_at, CASE state WHEN 'answered' THEN state ELSE 'cancelled' END,
        CASE state WHEN 'answered' THEN '' ELSE 'a damaged file' END, number,
        coalesce(ended_at, started_at)
    FROM turns ORDER BY session, number DESC;
UPDATE turns SET state = 'interrupted' WHERE state = 'running' AND NOT EXISTS (
    SELECT 1 FROM follow_ups f
    WHERE f.session = turns.session AND f.id = turns.follow_up AND f.state = 'running'
);
UPDATE follow_ups SET state = 'queued', turn = NULL, rank = (
    SELECT coalesce(min(rank), 1) - 1 FROM follow_ups o WHERE o.session = follow_ups.session
) WHERE state = 'running' AND NOT EXISTS (
    SELECT 1 FROM turns t WHERE t.session = follow_ups.session AND t.number = follow_ups.turn
);
DELETE FROM inbox WHERE EXISTS (
    SELECT 1 FROM follow_ups f WHERE f.session = inbox.session AND f.id = inbox.id
);
"""
