"""The journal that gets damaged: small, but with one of everything that a file can hold."""

from __future__ import annotations

import functools
import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from agent_shell import HoldReason, Lane, State
from agent_shell.events import (
    Fact,
    FollowUpAccepted,
    FollowUpMoved,
    Receipt,
    SessionHeld,
    TurnEnded,
    TurnPartial,
    TurnStarted,
)
from agent_shell.journal.sqlite import ownership, schema
from agent_shell.journal.sqlite.records import Records
from agent_shell.state import FollowUp
from fuzz.target import MEMORY

__all__ = ["DELETED", "Base", "base", "text_of"]

DELETED = "gone"
_T0 = 1_790_000_000.5


@dataclass(slots=True)
class Base:
    """A file and its log, as a process leaves them that is killed; and what is in them.

    `follow_ups` are all that were accepted and not deleted, by id: session and text.
    """

    main: bytes
    log: bytes
    page: int
    follow_ups: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    inbox: dict[str, str] = field(default_factory=dict[str, str])


def text_of(id: str, size: int) -> str:
    """A text that says on every page whose it is."""
    return f"text of {id}; " * (1 + size // 16)


@functools.cache
def base(page: int) -> Base:
    """The journal with pages of `page` bytes; 4,096 is what SQLite takes by itself."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "base.sqlite")
        empty = sqlite3.connect(path)
        empty.execute(f"PRAGMA page_size = {page}")
        empty.execute("VACUUM")
        empty.close()
        connection = schema.prepare(path)
        made = _Maker(connection, page)
        made.fill()
        log = path.with_name(path.name + "-wal")
        made.base.main, made.base.log = path.read_bytes(), log.read_bytes()
        connection.close()
    return made.base


class _Maker:
    def __init__(self, connection: sqlite3.Connection, page: int) -> None:
        self.base = Base(b"", b"", page)
        self._c = connection
        self._records = Records(connection)
        self._now = _T0
        self._rows: dict[str, int] = {}

    def fill(self) -> None:
        for key in (DELETED, "first", "second"):
            self._session(key)
        for number in range(6):
            self._accept(DELETED, f"no-{number}", 1_400)
        for number in range(24):
            self._accept("first", f"fu-{number:02}", 9_000 if number == 4 else 40)
        for number in range(6):
            self._answer("first", f"fu-{number:02}", number + 1)
        self._c.execute("DELETE FROM sessions WHERE key = ?", (DELETED,))
        self._c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # Three commits into the log, which share most of their pages.
        self._c.execute("BEGIN IMMEDIATE")
        for number in range(6, 9):
            self._answer("first", f"fu-{number:02}", number + 1)
        for number in range(30, 40):
            self._accept("second", f"fu-{number}", 5_000 if number == 33 else 60)
        self._c.execute("COMMIT")
        self._c.execute("BEGIN IMMEDIATE")
        self._write("first", FollowUpMoved("first", self._tick(), "fu-20", 2, Lane.QUEUE))
        withdrawn = Receipt("first", self._tick(), "fu-21", State.WITHDRAWN, "user", None, "")
        self._write("first", withdrawn)
        self._write("first", SessionHeld("first", self._tick(), HoldReason.USER, "", None, 9))
        self._c.execute("COMMIT")
        self._c.execute("BEGIN IMMEDIATE")
        self._write("second", TurnStarted("second", self._tick(), 1, "fu-30", 9))
        self._write("second", TurnPartial("second", self._tick(), 1, "fu-30", "so far"))
        for number in (50, 51):
            self._send("second", f"fu-{number}")
        self._c.execute("COMMIT")

    def _tick(self) -> float:
        self._now += 1.25
        return self._now

    def _session(self, key: str) -> None:
        made = self._c.execute(
            "INSERT INTO sessions (key, created_at, folder) VALUES (?, ?, '/home')",
            (key, self._tick()),
        )
        assert made.lastrowid is not None
        self._rows[key] = made.lastrowid

    def _accept(self, key: str, id: str, size: int) -> None:
        text = text_of(id, size)
        self._write(key, FollowUpAccepted(key, self._tick(), id, text, Lane.QUEUE, "user", 1))
        if key != DELETED:
            self.base.follow_ups[id] = (key, text)

    def _answer(self, key: str, id: str, turn: int) -> None:
        ended = self._tick()
        self._write(
            key,
            TurnStarted(key, self._tick(), turn, id, 1),
            TurnEnded(key, ended, turn, id, State.ANSWERED, 0.5, None),
            Receipt(key, ended, id, State.ANSWERED, "", turn, f"answer to {id}"),
        )

    def _send(self, key: str, id: str) -> None:
        self.base.inbox[id] = text = text_of(id, 40)
        sent = FollowUp(id, text, Lane.QUEUE, "send", self._tick())
        ownership.send(self._c, key, sent)

    def _write(self, key: str, *facts: Fact) -> None:
        self._records.begin()
        self._records.write(self._rows[key], facts)
