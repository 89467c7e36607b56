"""The one thread that writes: batches that wait together share one commit.

Callers never wait for the disk; they get a future. A batch is recorded whole or
not at all, and after every earlier one.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_shell.errors import JournalError, SessionLost
from agent_shell.events import Fact
from agent_shell.journal.sqlite.liveness import BEAT_S, Liveness
from agent_shell.journal.sqlite.records import Records
from agent_shell.journal.sqlite.schema import describe

__all__ = ["Batch", "Call", "Writer"]

# A commit takes at most this many batches, so that none waits for too many others.
_GROUP = 2000


@dataclass(slots=True)
class Batch:
    """Facts of one session, valid while the session's fence is `fence`."""

    session: int
    fence: int
    facts: Sequence[Fact]
    done: asyncio.Future[None]


@dataclass(slots=True)
class Call:
    """Something else to do on the writing connection, in a transaction of its own."""

    run: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[Any]


class Writer:
    """Owns the writing connection, and this process's sign of life."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        liveness: Liveness,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._path = path
        self._connection = connection
        self._liveness = liveness
        self._loop = loop
        self._records = Records(connection)
        self._jobs: queue.SimpleQueue[Batch | Call | None] = queue.SimpleQueue()
        # A daemon: a program that never closes its journal can end all the same,
        # and what it leaves is what any crash leaves.
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, job: Batch | Call) -> None:
        """Takes a job; its `done` is set on the event loop."""
        self._jobs.put(job)

    def close(self) -> None:
        """Ends after all that was put; blocks until then."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            try:
                jobs: list[Batch | Call | None] = [self._jobs.get(timeout=BEAT_S)]
            except queue.Empty:
                self._liveness.beat()
                continue
            with contextlib.suppress(queue.Empty):
                while len(jobs) < _GROUP:
                    jobs.append(self._jobs.get_nowait())
            going = None not in jobs
            self._liveness.beat()
            self._do([job for job in jobs if job is not None])
        self._connection.close()

    def _do(self, jobs: list[Batch | Call]) -> None:
        group: list[Batch] = []
        for job in jobs:
            if isinstance(job, Batch):
                group.append(job)
            else:
                self._commit(group)
                group = []
                self._call(job)
        self._commit(group)

    def _commit(self, group: list[Batch]) -> None:
        if not group:
            return
        try:
            with self._transaction():
                fences: dict[int, int] = {}
                outcomes = [self._write(batch, fences) for batch in group]
        except (sqlite3.Error, JournalError) as error:
            outcomes = [self._error(error)] * len(group)
        self._answer(
            [(batch.done, None, error) for batch, error in zip(group, outcomes, strict=True)]
        )

    def _write(self, batch: Batch, fences: dict[int, int]) -> JournalError | None:
        if batch.session not in fences:
            fences[batch.session] = _fence(self._connection, batch.session)
        if fences[batch.session] != batch.fence:
            return SessionLost("another process has taken this session over")
        self._connection.execute("SAVEPOINT batch")
        try:
            self._records.write(batch.session, batch.facts)
        except sqlite3.IntegrityError as error:
            self._connection.execute("ROLLBACK TO batch")
            self._records.forget()
            return self._error(error)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE batch")
        return None

    def _call(self, call: Call) -> None:
        result: Any = None
        failed: Exception | None = None
        try:
            with self._transaction():
                result = call.run(self._connection)
        except sqlite3.Error as error:
            failed = self._error(error)
        except Exception as error:
            failed = error
        self._records.forget()
        self._answer([(call.done, result, failed)])

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._records.forget()
            with contextlib.suppress(sqlite3.Error):
                # SQLite has rolled back by itself after some errors.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise

    def _error(self, error: Exception) -> JournalError:
        if isinstance(error, sqlite3.Error):
            return JournalError(describe(self._path, error))
        return error if isinstance(error, JournalError) else JournalError(str(error))

    def _answer(self, answers: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            self._loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _fence(connection: sqlite3.Connection, session: int) -> int:
    row = connection.execute("SELECT fence FROM sessions WHERE id = ?", (session,)).fetchone()
    return -1 if row is None else int(row[0])
