"""The journal's readers on damaged files: they say so, or read what is there; no more."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agent_shell import AgentShellError, JournalError
from agent_shell.errors import Refused
from agent_shell.journal import Restored
from agent_shell.journal.sqlite import catalog, ownership, pages, reading, recovery, schema, tables
from agent_shell.journal.sqlite.recovery import Recovery
from fuzz.target import MEMORY, Take, Target
from fuzz.targets.journal_base import Base, base
from fuzz.targets.journal_damage import Damaged

__all__ = ["JOURNAL"]

_PAGES = (4096, 512)
_NOW = 1_795_000_000.0
_MARK = re.compile(r"text of ((?:fu|no)-\d+); ")


def _damage(data: bytes) -> None:
    take = Take(data)
    intact = base(take.one_of(_PAGES))
    damaged = Damaged(intact, take)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "j.sqlite")
        _lay(path, damaged)
        _check_look(path)
        assert path.read_bytes() == damaged.main, "who looks has written"
        opened = Path(folder, "opened.sqlite")
        _lay(opened, damaged)
        _check_opening(opened)
        _lay(path, damaged)
        _check_recovery(path, intact, damaged)


def _lay(path: Path, damaged: Damaged) -> None:
    path.write_bytes(damaged.main)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    log = path.with_name(path.name + "-wal")
    if damaged.log:
        log.write_bytes(damaged.log)
    else:
        log.unlink(missing_ok=True)


def _check_look(path: Path) -> None:
    """Looking at it finds what is wrong, and raises nothing but what the library raises."""
    recovery.examine(path, thorough=True)
    try:
        with catalog.reading(path) as c:
            _read_all(c, path)
    except AgentShellError as error:
        assert str(error)


def _read_all(c: sqlite3.Connection, path: Path) -> None:
    """Everything that can be asked of a journal; raises the library's errors and SQLite's."""
    for summary in reading.sessions(c):
        key = summary.key
        for entry in reading.entries(c, key):
            # What is returned can be shown: it is of the types that it says.
            f"{entry.text[:9]}{entry.answer[:9]}{entry.accepted_at:g}{entry.reason[:1]}"
            entry.text.encode()
        reading.entry(c, key, "fu-33")
        reading.sent(c, key, "fu-50")
        for exchange in reading.history(c, key, 50):
            f"{exchange.text[:9]}{exchange.answer[:9]}"
        for follow_up in [*reading.waiting(c, key, None, -1), *reading.inbox(c, key)]:
            f"{follow_up.text[:9]}{follow_up.accepted_at:g}"
        f"{summary.title[:9]}{summary.folder[:9]}{summary.used_at:g}{summary.created_at:g}"
        catalog.status(c, path, key)


def _check_opening(path: Path) -> None:
    """Opening it for writing, as an engine does, works or says why not."""
    try:
        connection = schema.prepare(path)
    except JournalError as error:
        assert str(path) in str(error)
        return
    try:
        _take_all(connection)
    except (sqlite3.Error, Refused):
        pass  # the writer makes a JournalError of the first
    finally:
        connection.close()


def _take_all(connection: sqlite3.Connection) -> list[Restored]:
    liveness: Any = SimpleNamespace(owner="me", lives=lambda owner: False)
    restored: list[Restored] = []
    for key in catalog.keys(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            restored.append(ownership.take(connection, key, liveness, _NOW, 1000)[1])
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")
    return restored


def _check_recovery(path: Path, intact: Base, damaged: Damaged) -> None:
    try:
        done = recovery.recover(path, now=_NOW)
    except JournalError as error:
        assert path.read_bytes() == damaged.main, "a recovery that failed has written"
        lost = _certain(intact, damaged)
        assert not lost, f"{error}; but {sorted(lost)} are on whole pages"
        return
    assert done.aside.read_bytes() == damaged.main, "the damaged file was changed"
    examined = recovery.examine(path)
    assert not examined.problems, examined.problems
    with catalog.reading(path) as c:
        _read_all(c, path)
        _check_content(c, done, intact, damaged)
    _check_whole(path)


def _check_whole(path: Path) -> None:
    """What was recovered can be worked with: every session can be taken."""
    connection = schema.prepare(path)
    try:
        for restored in _take_all(connection):
            ids = [follow_up.id for follow_up in restored.queue]
            assert len(set(ids)) == len(ids), "a follow-up waits twice"
        left = connection.execute("SELECT id FROM follow_ups WHERE state = 'running'").fetchall()
        assert not left, f"{left} would never run"
    finally:
        connection.close()


def _check_content(c: sqlite3.Connection, done: Recovery, intact: Base, damaged: Damaged) -> None:
    rows = c.execute(
        "SELECT f.id, f.text FROM follow_ups f WHERE f.sender <> 'recovery'"
        " UNION ALL SELECT id, text FROM inbox"
    ).fetchall()
    found = dict(rows)
    if damaged.whole_pages:
        assert len(found) == len(rows), "doubled"
        _check_nothing_invented(found, intact, damaged)
    for id in _certain(intact, damaged):
        assert id in found, f"{id} is lost, and was on whole pages"
        assert found[id] == _texts(intact)[id], f"{id} has another text"
    assert done.follow_ups + done.inbox == len(rows), "the report counts otherwise"


def _check_nothing_invented(found: dict[str, str], intact: Base, damaged: Damaged) -> None:
    for id, text in found.items():
        if id.startswith("no-"):
            # Deleted: only where the list of free pages is lost may it come back.
            assert damaged.touched or damaged.log_touched, f"{id} was deleted"
            continue
        assert id in _texts(intact), f"{id} never was"
        whose = set(_MARK.findall(text))
        # A text over several pages may have got a page of another.
        assert whose == {id} or len(text) > 200, f"{id} has the text of {whose}"


def _certain(intact: Base, damaged: Damaged) -> set[str]:
    """The follow-ups whose every trace lies on pages that nothing happened to.

    Nor does a damaged page claim to have them: one that was copied over another and then
    changed holds a row as good as the true one.
    """
    if intact.page != 4096 and 0 in damaged.touched:
        return set()  # what size its pages have is only said there
    changed = () if damaged.whole_pages else damaged.touched
    claims = b"".join(damaged.main_page(number) for number in changed)
    return {
        id
        for id, (in_main, in_log) in _places(intact).items()
        if not in_main & damaged.touched
        and not (in_log and damaged.log_touched)
        and id.encode() not in claims
    }


def _texts(intact: Base) -> dict[str, str]:
    return {**{id: text for id, (_, text) in intact.follow_ups.items()}, **intact.inbox}


_found: dict[int, dict[str, tuple[set[int], bool]]] = {}


def _places(intact: Base) -> dict[str, tuple[set[int], bool]]:
    """By follow-up: the pages of the file that have its text, and whether the log has it."""
    if intact.page not in _found:
        _found[intact.page] = {
            id: (_pages_with(intact, id), f"text of {id};".encode() in intact.log)
            for id in _texts(intact)
        }
    return _found[intact.page]


def _pages_with(intact: Base, id: str) -> set[int]:
    # The text goes over the ends of pages: a part of the mark will do.
    size, mark = intact.page, f"of {id};".encode()
    pages: set[int] = set()
    at = intact.main.find(mark)
    while at >= 0:
        pages |= {at // size, (at + len(mark)) // size}
        at = intact.main.find(mark, at + 1)
    return pages


JOURNAL = Target(
    "journal",
    _damage,
    [recovery, reading, pages, schema, tables, catalog, ownership],
    seeds=[
        b"\0\0",
        b"\1\0",
        b"\0\0\0\0\0\x40\0\x07",
        *(
            bytes([page, signed, kind, 1, 4, 5, 6, 7, 8])
            for page in (0, 1)
            for signed in (0, 1)
            for kind in range(12)
        ),
        *(
            bytes([page, signed, kind, 0, 0, 5, 6, 7, 8])
            for page in (0, 1)
            for signed in (0, 1)
            for kind in range(12)
        ),
    ],
    limit=96,
    dull=frozenset(
        {
            "_checksum",
            "_varint",
            "_cut",
            "_value",
            "_sound",
            "_as_text",
            "is_int",
            "is_number",
            "is_text",
            "is_time",
        }
    ),
)
