"""The process that is killed: an engine with a durable journal, driven over pipes.

One JSON object a line comes in (a command), one goes out (what was acknowledged or
told). A line goes out only after the await that it speaks of has returned, and in
one write, so that what the driver reads was true at that moment.

Run as `python worker.py '{"path": …, …}'`; see `Settings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import mmap
import os
import random
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_shell import AgentShellError, Delta, EchoAgent, Engine, Misbehaviour, OnFailure, Turn
from agent_shell import turn as turn_module
from agent_shell.agents.base import AgentEvent
from agent_shell.errors import JournalError, SessionOwned
from agent_shell.events import as_json
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell.journal.sqlite.writer import Answer
from agent_shell.session import Session
from agent_shell.state import Lane

SESSION = "campaign"
PHASE_BYTES = 96


@dataclass
class Settings:
    """What the driver wants of a worker; times in seconds, `checkpoint` in pages.

    `phases` names a file in which the worker says what its writing thread does,
    `turns` one to which the agent appends when it starts and ends a turn.
    """

    path: str
    phases: str
    turns: str
    seed: int = 0
    synchronous: str = "FULL"
    window: int = 1000
    checkpoint: int = 1000
    checkpointer: bool = False
    partial_s: float = 0.01
    failing: float = 0.05


class Phases:
    """One small shared page: it outlives a SIGKILL, and the driver reads it then."""

    def __init__(self, path: str) -> None:
        Path(path).write_bytes(b"\0" * PHASE_BYTES)
        with Path(path).open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), PHASE_BYTES)

    def statement(self, sql: str) -> None:
        """The writing thread begins this statement."""
        self._page[: PHASE_BYTES - 1] = sql.encode()[: PHASE_BYTES - 1].ljust(PHASE_BYTES - 1)

    def checkpoint(self, running: bool) -> None:
        """A checkpoint begins or has ended."""
        self._page[PHASE_BYTES - 1] = int(running)


class LoggingAgent:
    """Echoes, and writes down when a turn starts and ends, under which fence."""

    def __init__(self, settings: Settings) -> None:
        chance = random.Random(settings.seed)
        self._slow = EchoAgent(400.0, lambda turn: self._misbehaviour(chance, settings.failing))
        self._fast = EchoAgent()
        self._log = os.open(settings.turns, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.fence = 0

    def _misbehaviour(self, chance: random.Random, failing: float) -> Misbehaviour:
        fail = "told to" if chance.random() < failing else ""
        clean_up_s = chance.random() * 0.01 if chance.random() < 0.2 else 0.0
        return Misbehaviour(fail, chance.random() * 0.005, clean_up_s)

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        self._write("start", turn)
        try:
            agent = self._slow if " " in turn.text else self._fast
            async for event in agent.run(turn):
                if isinstance(event, Delta):
                    yield event
        finally:
            self._write("end", turn)

    def _write(self, what: str, turn: Turn) -> None:
        line = {"what": what, "fence": self.fence, "turn": turn.number, "id": turn.id}
        os.write(self._log, (json.dumps({**line, "pid": os.getpid()}) + "\n").encode())


def say(**line: Any) -> None:
    """One line to the driver, in one write."""
    os.write(1, (json.dumps(line) + "\n").encode())


def watch_writer(journal: SqliteJournal, phases: Phases, settings: Settings) -> Any:
    """Has the writing thread say what it does, and checkpoint as often as is wanted."""
    answer = journal._writer._answer

    def tell(answers: Sequence[Answer]) -> None:
        phases.statement("IDLE")
        answer(answers)

    journal._writer._answer = tell  # type: ignore[method-assign]

    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA wal_autocheckpoint = {settings.checkpoint}")
        connection.set_trace_callback(phases.statement)

    return journal.change(prepare)


def checkpoint_always(path: str, phases: Phases) -> None:
    """Checkpoints all the time, so that kills hit checkpoints."""
    never = threading.Event()
    connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    # A pause after each, for it takes the lock that the journal writes under.
    while not never.wait(0.003):
        phases.checkpoint(True)
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        phases.checkpoint(False)


async def open_session(engine: Engine) -> Session:
    """Opens the session, once nobody else owns it."""
    said = False
    while True:
        try:
            return await engine.open(SESSION)
        except (SessionOwned, JournalError) as refusal:
            if not said:
                say(waiting=str(refusal))
                said = True
            await asyncio.sleep(0.02)


async def tell(engine: Engine) -> None:
    """Passes on what the engine's observer is told."""
    with engine.observe(capacity=1_000_000) as events:
        async for event in events:
            if event.type not in ("turn.delta", "turn.notice"):
                say(told=as_json(event, 0))


class Commands:
    """Carries out the driver's commands, in order; submits wait side by side."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self) -> None:
        reader = asyncio.StreamReader(limit=1 << 24)
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            if command["do"] == "end":
                break
            if command["do"] == "submit":
                task = asyncio.create_task(self._submit(command))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._do(command)

    async def _submit(self, command: dict[str, Any]) -> None:
        try:
            await self._session.submit(
                command["text"], lane=Lane(command["lane"]), id=command["id"]
            )
        except AgentShellError as error:
            self._refuse(command, error)
        else:
            say(accepted=command["n"], id=command["id"])

    def _refuse(self, command: dict[str, Any], error: AgentShellError) -> None:
        why = f"{type(error).__name__}: {error}"
        say(refused=command["n"], do=command["do"], id=command.get("id", ""), why=why)

    def _do(self, command: dict[str, Any]) -> None:
        session, id = self._session, command.get("id", "")
        try:
            match command["do"]:
                case "edit":
                    session.edit(id, command["text"])
                case "move":
                    session.move(id, command["position"])
                case "remove":
                    session.remove(id)
                case "interrupt":
                    session.interrupt()
                case "hold":
                    session.put_on_hold()
                case "release":
                    session.release()
                case "skip":
                    session.skip_cut_off()
        except AgentShellError as error:
            self._refuse(command, error)


async def main(settings: Settings) -> None:
    """Owns the session until the driver says `end`, or for as long as it lives."""
    turn_module.PARTIAL_S = settings.partial_s
    phases = Phases(settings.phases)
    journal = SqliteJournal(settings.path, synchronous=settings.synchronous, window=settings.window)
    await watch_writer(journal, phases, settings)
    if settings.checkpointer:
        threading.Thread(
            target=checkpoint_always, args=(settings.path, phases), daemon=True
        ).start()
    agent = LoggingAgent(settings)
    engine = Engine(agent, journal=journal, on_failure=OnFailure.CONTINUE)
    telling = asyncio.create_task(tell(engine))
    session = await open_session(engine)
    agent.fence = journal._leases[SESSION].fence
    cut_off = None if session.cut_off is None else dataclasses.asdict(session.cut_off)
    say(
        opened=[[f.id, f.text] for f in session.waiting],
        count=session.waiting_count,
        cut_off=cut_off,
    )
    await Commands(session).read()
    await engine.close(drain=False)
    telling.cancel()
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(Settings(**json.loads(sys.argv[1]))))
