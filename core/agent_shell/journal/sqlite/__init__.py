"""A journal in a file: what was acknowledged survives whatever happens to the process.

SQLite in WAL mode. One thread writes, and batches that wait together share a
commit; `synchronous=FULL` makes a commit survive a power cut. One process at a
time owns a session: each take-over raises the session's fence, and every write is
checked against it, so that a process that was stopped and comes back cannot write
over its successor.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from agent_shell.agents.base import Exchange
from agent_shell.errors import JournalError, SessionLost
from agent_shell.events import Fact
from agent_shell.journal import Entry, Restored
from agent_shell.journal.sqlite import ownership, reading
from agent_shell.journal.sqlite.liveness import Liveness
from agent_shell.journal.sqlite.reading import Summary
from agent_shell.journal.sqlite.schema import connect, describe, prepare
from agent_shell.journal.sqlite.writer import Batch, Call, Writer
from agent_shell.state import FollowUp

__all__ = ["SqliteJournal"]

T = TypeVar("T")


class SqliteJournal:
    """Keeps sessions in the file at `path`, which is made if it is not there.

    To be made inside a running event loop. `synchronous` is `FULL` or, for about
    a fifth more speed and without the promise over a power cut, `NORMAL`. Sessions
    have about `window` follow-ups of a longer queue in memory. Raises
    `JournalError` where the file can't be used; it is left as it was then.
    """

    def __init__(
        self, path: Path | str, *, synchronous: str = "FULL", window: int | None = 1000
    ) -> None:
        self.window = window
        self.path = Path(path)
        connection = prepare(self.path, synchronous)
        self._liveness = Liveness(self.path)
        try:
            self._liveness.begin()
        except OSError as error:
            connection.close()
            raise JournalError(
                f"the journal {self.path} can't be used: its folder can't be written "
                f"({error.strerror})"
            ) from error
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(self.path, connection, self._loop)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        self._reading: sqlite3.Connection | None = None
        self._leases: dict[str, ownership.Lease] = {}
        self._notes: dict[str, str] = {}
        self._closed = False

    async def open(self, session_key: str) -> Restored:
        """Takes the session for this process and says what is in it."""
        now = time.time()
        lease, restored = await self._write(
            lambda c: ownership.take(c, session_key, self._liveness, now, self.window)
        )
        self._leases[session_key] = lease
        return restored

    async def release(self, session_key: str) -> None:
        """Lets go of a session that this process opened."""
        self.note(session_key, "")
        lease = self._leases.pop(session_key, None)
        if lease is not None:
            await self._write(lambda c: ownership.let_go(c, lease))

    def append(self, session_key: str, facts: Sequence[Fact]) -> asyncio.Future[None]:
        """Records `facts` as one batch; done when they are committed."""
        done: asyncio.Future[None] = self._loop.create_future()
        lease = self._leases.get(session_key)
        if lease is None:
            raise SessionLost(f"session {session_key!r} is not open here")
        self._writer.put(Batch(lease.session, lease.fence, facts, done))
        return done

    def fetch(
        self, session_key: str, after: str | None, limit: int
    ) -> asyncio.Future[list[FollowUp]]:
        """The next `limit` that wait behind `after`, as of the call."""
        # By the writing thread, for it must come between two batches.
        return self._write(lambda c: reading.waiting(c, session_key, after, limit))

    async def entry(self, session_key: str, follow_up_id: str) -> Entry | None:
        """The record of one follow-up, if there is one."""
        return await self._read(lambda c: reading.entry(c, session_key, follow_up_id))

    async def entries(self, session_key: str) -> list[Entry]:
        """The records of a session, in the order of acceptance."""
        return await self._read(lambda c: reading.entries(c, session_key))

    async def history(self, session_key: str, limit: int) -> list[Exchange]:
        """The last `limit` turns that are over, oldest first."""
        return await self._read(lambda c: reading.history(c, session_key, limit))

    async def sessions(self) -> list[Summary]:
        """All sessions of the file, the last used one first."""
        return await self._read(reading.sessions)

    async def send(self, session_key: str, follow_up: FollowUp) -> None:
        """Puts an input into the inbox of a session that another process owns."""
        await self._write(lambda c: ownership.send(c, session_key, follow_up))

    async def refuse(self, session_key: str, follow_up_id: str, reason: str) -> None:
        """Tells the sender of an input in the inbox that it was not accepted."""
        await self._write(lambda c: ownership.refuse(c, session_key, follow_up_id, reason))

    async def sent(self, session_key: str, follow_up_id: str) -> str | None:
        """Why an input that was sent was refused; "" while it waits, `None` once it is taken."""
        return await self._read(lambda c: reading.sent(c, session_key, follow_up_id))

    def note(self, session_key: str, text: str) -> None:
        """Has other processes read `text` about a session that is open here; "" takes it back.

        It is recorded nowhere, and ends with this process.
        """
        before = dict(self._notes)
        self._notes.pop(session_key, None)
        if text and session_key in self._leases:
            self._notes[session_key] = text
        if self._notes != before:
            self._liveness.say(self._notes)

    async def noted(self, session_key: str) -> str:
        """What the process that owns the session has others read about it; "" for nothing."""
        owner = await self._read(lambda c: reading.owner(c, session_key))
        return "" if owner is None else self._liveness.said(owner, session_key)

    async def inbox(self, session_key: str) -> list[FollowUp]:
        """What other processes have sent to the session and nobody has accepted yet."""
        return await self._read(lambda c: reading.inbox(c, session_key))

    async def data_version(self) -> int:
        """A number that changes when another process has written to the file."""
        return await self._read(lambda c: int(c.execute("PRAGMA data_version").fetchone()[0]))

    async def change(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `run` in a transaction of its own (see `catalog.py`)."""
        return await self._write(run)

    async def close(self) -> None:
        """Waits until all is recorded, and lets go of what is open."""
        if self._closed:
            return
        for key in list(self._leases):
            with contextlib.suppress(JournalError):
                await self.release(key)  # else it ends with the sign of life
        self._closed = True
        await asyncio.to_thread(self._reader.shutdown)
        if self._reading is not None:
            self._reading.close()
        # Last, for the last connection to close folds the log into the file.
        await asyncio.to_thread(self._writer.close)
        self._liveness.end()

    def _write(self, run: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            done.set_exception(JournalError(f"the journal {self.path} is closed"))
        else:
            self._writer.put(Call(run, done))
        return done

    async def _read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        return await self._loop.run_in_executor(self._reader, self._run_reading, run)

    def _run_reading(self, run: Callable[[sqlite3.Connection], Any]) -> Any:
        try:
            if self._reading is None:
                self._reading = connect(self.path, read_only=True)
            return run(self._reading)
        except sqlite3.Error as error:
            raise JournalError(describe(self.path, error)) from error
