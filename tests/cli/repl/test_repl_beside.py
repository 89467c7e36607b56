# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""`/btw`: a question beside the session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from agent_shell import Delta, Turn
from agent_shell.errors import AgentError
from agent_shell_cli.journals import open_journal
from support_repl import CTRL_C, ENTER, Puppet, stage

ESC = "\x1b"


class Two:
    """Answers a session's turns by one puppet, and what is asked beside it by another."""

    def __init__(self) -> None:
        self.turns, self.beside = Puppet(), Puppet()
        self.seen: list[str] = []

    async def run(self, turn: Turn) -> AsyncIterator[Delta]:
        puppet = self.beside if turn.number == 0 else self.turns
        if puppet is self.beside:
            self.seen = [f"{e.text}: {e.answer}" for e in await turn.history()]
        async for event in puppet.run(turn):
            yield event


async def test_its_answer_is_seen_as_it_comes(tmp_path: Path) -> None:
    """Beside the running one, which goes on undisturbed; whole, it stays above."""
    agent = Two()
    async with stage(tmp_path, agent=agent) as shell:
        shell.type("story", ENTER)
        await shell.until(lambda: agent.turns.turns == ["story"])
        agent.turns.say("Once upon")
        await shell.until("Once upon")
        shell.type("/btw who?", ENTER, "dra")
        await shell.until(lambda: agent.beside.turns == ["who?"])
        assert agent.seen == ["story: Once upon"]
        agent.beside.say("It is ")
        await shell.until("Once upon\nbeside: who?\nIt is\n❯ dra")
        agent.turns.say(" a time")
        agent.beside.say("me\x1b[2J.")
        shell.type("ft")
        await shell.until("Once upon a time\nbeside: who?\nIt is me␛[2J.\n❯ draft")
        agent.beside.end()
        await shell.until("beside: who?\nIt is me␛[2J.\nOnce upon a time\n❯ draft")
        agent.turns.end(".")
        await shell.until("Once upon a time.\n❯ draft")


async def test_it_leaves_no_trace(tmp_path: Path) -> None:
    """Neither in the history that a later turn sees, nor in the journal."""
    agent, journal = Two(), open_journal("memory")
    async with stage(tmp_path, agent=agent, journal=journal) as shell:
        shell.type("/btw who?", ENTER)
        agent.beside.end("me")
        await shell.until("beside: who?\nme\n❯")
        assert await journal.history("default", 10) == []
        shell.type("/queue", ENTER)
        await shell.until("nothing waits")


async def test_several_are_answered_at_once(tmp_path: Path) -> None:
    """Each in its place, and a long answer in a few rows while it grows."""
    agent = Two()
    async with stage(tmp_path, agent=agent) as shell:
        shell.type("/btw one?", ENTER)
        await shell.until("beside: one?")
        agent.beside.say("\n".join(f"line {n}" for n in range(50)))
        await shell.until("beside: one?\nline 47\nline 48\nline 49\n❯")
        shell.type("/btw two?", ENTER)
        await shell.until("line 49\nbeside: two?\n❯")
        agent.beside.end()
        await shell.until("beside: one?\nline 0\nline 1\n")


async def test_esc_and_ctrl_c_stop_it(tmp_path: Path) -> None:
    """Where no turn runs; what was answered so far stays."""
    for key in (ESC, CTRL_C):
        agent = Two()
        async with stage(tmp_path, agent=agent) as shell:
            shell.type("/btw who?", ENTER)
            await shell.until("beside: who?")
            agent.beside.say("half")
            await shell.until("beside: who?\nhalf\n❯")
            shell.type(key)
            await shell.until("beside: who?\nhalf\n[stopped]\n❯")


async def test_what_fails_beside_is_said(tmp_path: Path) -> None:
    """And holds nothing."""
    agent = Two()
    async with stage(tmp_path, agent=agent) as shell:
        shell.type("/btw who?", ENTER)
        agent.beside.fail(AgentError("no idea"))
        await shell.until("beside: who?\n\n[failed: no idea]\n❯")
        shell.type("hello", ENTER)
        await shell.until(lambda: agent.turns.turns == ["hello"])
