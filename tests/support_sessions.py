"""A session's owner in a process of its own, and programs that meet it.

    python support_sessions.py KIND PATH KEY

opens the session, says OWNED and does what one of the `KINDS` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Generator
from pathlib import Path

from agent_shell import AgentEvent, Delta, EchoAgent, Engine, Limits, Turn
from agent_shell.inbox import adopt_inbox
from agent_shell.journal.sqlite import SqliteJournal

__all__ = ["fill", "owner"]


class _Endless:
    """Its first turn, once `started`, never ends."""

    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        yield Delta("part")
        self.started.set()
        await asyncio.Event().wait()


# echo answers; endless has one turn that never ends; full takes nothing more besides;
# deaf does not look into its inbox.
KINDS = ("echo", "endless", "full", "deaf")


async def _own(kind: str, path: str, key: str) -> None:
    journal = SqliteJournal(path)
    endless = _Endless()
    agent = EchoAgent() if kind == "echo" else endless
    limits = Limits(queue=1) if kind == "full" else Limits()
    session = await Engine(agent, journal=journal, limits=limits).open(key)
    if kind in ("endless", "full"):
        await session.submit("first", id="first")
    if kind == "full":
        await session.submit("second", id="second")
    if kind in ("endless", "full"):
        await endless.started.wait()
    print("OWNED", flush=True)
    if kind == "deaf":
        await asyncio.Event().wait()
    await adopt_inbox(session, journal)


@contextlib.contextmanager
def owner(kind: str, path: Path, key: str = "s") -> Generator[subprocess.Popen[str]]:
    """A process that owns the session until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", __file__, kind, str(path), key],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "OWNED\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def fill(path: Path, key: str, texts: list[str], *, waiting: int = 0) -> None:
    """A session whose texts were echoed, but for the last `waiting`, which wait."""
    journal = SqliteJournal(path)
    engine = Engine(EchoAgent(), journal=journal)
    session = await engine.open(key)
    answered = len(texts) - waiting
    for number, text in enumerate(texts):
        if number == answered:
            await session.settled()
            session.put_on_hold("for a test")
        await session.submit(text, id=f"{key}-{number + 1}")
    await session.settled()
    await engine.close(drain=False)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(_own(*sys.argv[1:]))
