"""The one thread that writes: batches that wait together share one commit.

Callers never wait for the disk; they get a future. A batch is recorded whole or
not at all, and after every earlier one of its session: what was put behind a batch
that is refused was decided on what did not happen, and is refused with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any

from agent_shell.errors import JournalError, SessionLost
from agent_shell.events import Fact
from agent_shell.journal.sqlite.records import Records
from agent_shell.journal.sqlite.schema import describe
from agent_shell.records import record

__all__ = ["Batch", "Call", "Writer"]

# A commit takes at most this many batches, so that none waits for too many others.
_GROUP = 2000

# These come from what a batch says, and not from the file: others may be well.
_OF_A_BATCH = (sqlite3.IntegrityError, sqlite3.DataError, ValueError, OverflowError)

Answer = tuple[asyncio.Future[Any], Any, Exception | None]


@record
class Batch:
    """Facts of one session, valid while the session's fence is `fence`."""

    session: int
    fence: int
    facts: Sequence[Fact]
    done: asyncio.Future[None]


@record
class Call:
    """Something else to do on the writing connection, in a transaction of its own."""

    run: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[Any]


class Writer:
    """Owns the writing connection."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._path = path
        self._file = _file_at(path)
        self._connection = connection
        self._loop = loop
        self._records = Records(connection)
        self._jobs: queue.SimpleQueue[Batch | Call | None] = queue.SimpleQueue()
        self._taken: deque[Batch | Call | None] = deque()  # out of `_jobs`, and not yet done
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
            self._taken.append(self._jobs.get())
            with contextlib.suppress(queue.Empty):
                while len(self._taken) < _GROUP:
                    self._taken.append(self._jobs.get_nowait())
            going = self._do()
        self._connection.close()

    def _do(self) -> bool:
        """Does what was taken; false at the end."""
        taken = self._taken
        while taken:
            job = taken.popleft()
            if job is None:
                return False
            if isinstance(job, Call):
                self._call(job)
                continue
            group = [job]
            while taken and isinstance(behind := taken[0], Batch):
                group.append(behind)
                taken.popleft()
            self._commit(group)
        return True

    def _commit(self, group: list[Batch]) -> None:
        try:
            outcomes = self._write_all(group)
        except Exception as error:
            outcomes = [self._error(error)] * len(group)
        answers = [(batch.done, None, error) for batch, error in zip(group, outcomes, strict=True)]
        refused = {
            batch.session: error
            for batch, error in zip(group, outcomes, strict=True)
            if error is not None
        }
        if refused:
            self._refuse(answers, refused)
        else:
            self._answer(answers)

    def _write_all(self, group: list[Batch]) -> list[JournalError | None]:
        fences: dict[int, int] = {}
        try:
            with self._transaction():
                return [self._write(batch, fences) for batch in group]
        except _OF_A_BATCH:
            # It is undone, and done again batch by batch: savepoints that are hardly ever
            # wanted would cost more than the rows.
            with self._transaction():
                return self._write_each(group)

    def _write_each(self, group: list[Batch]) -> list[JournalError | None]:
        """Writes batches that fail one by one, and each with all of its session behind it."""
        fences: dict[int, int] = {}
        failed: dict[int, JournalError] = {}
        outcomes: list[JournalError | None] = []
        for batch in group:
            error = failed.get(batch.session) or self._try(batch, fences)
            if error is not None:
                failed[batch.session] = error
            outcomes.append(error)
        return outcomes

    def _try(self, batch: Batch, fences: dict[int, int]) -> JournalError | None:
        self._connection.execute("SAVEPOINT batch")
        try:
            error = self._write(batch, fences)
        except _OF_A_BATCH as reason:
            self._connection.execute("ROLLBACK TO batch")
            self._records.forget()
            error = self._error(reason)
        self._connection.execute("RELEASE batch")
        return error

    def _write(self, batch: Batch, fences: dict[int, int]) -> JournalError | None:
        if batch.session not in fences:
            fences[batch.session] = _fence(self._connection, batch.session)
        if fences[batch.session] != batch.fence:
            return SessionLost("another process has taken this session over")
        self._records.write(batch.session, batch.facts)
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
        if _file_at(self._path) != self._file:
            # SQLite would go on writing to a file that nobody can open any more.
            raise JournalError(
                f"the journal {self._path} was removed or replaced while it was open; "
                "put it back, or start anew"
            )
        self._connection.execute("BEGIN IMMEDIATE")
        self._records.begin()
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

    def _answer(self, answers: Sequence[Answer]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            self._loop.call_soon_threadsafe(_settle, answers)

    def _refuse(self, answers: Sequence[Answer], refused: dict[int, JournalError]) -> None:
        """Says so to those behind them in the same step of the loop, so that none comes between."""
        heard = threading.Event()

        def hear() -> None:
            behind = [(job.done, None, refused[job.session]) for job in self._take_back(refused)]
            _settle([*answers, *behind])
            heard.set()

        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            self._loop.call_soon_threadsafe(hear)
            heard.wait()

    def _take_back(self, sessions: Container[int]) -> Iterator[Batch]:
        """Takes out what waits of these sessions; the thread itself must be waiting."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._taken.append(self._jobs.get_nowait())
        for _ in range(len(self._taken)):
            job = self._taken.popleft()
            if isinstance(job, Batch) and job.session in sessions:
                yield job
            else:
                self._taken.append(job)


def _settle(answers: Sequence[Answer]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _file_at(path: Path) -> tuple[int, int] | None:
    """Which file is there, whatever it is called."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _fence(connection: sqlite3.Connection, session: int) -> int:
    row = connection.execute("SELECT fence FROM sessions WHERE id = ?", (session,)).fetchone()
    return -1 if row is None else int(row[0])
