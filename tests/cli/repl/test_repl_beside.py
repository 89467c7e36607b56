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
        below = "\n\nbeside: who?\nIt is me␛[2J.\nend of what was beside; 1 goes on\n"
        await shell.until(f"❯ 1  story{below}Once upon a time\n❯ draft")
        agent.turns.end(".")
        await shell.until(f"{below}Once upon a time.\n❯ draft")


async def test_it_is_markdown_block_by_block(tmp_path: Path) -> None:
    """While no turn runs, what is finished of it is written at once, as of other answers."""
    agent = Two()
    async with stage(tmp_path, agent=agent) as shell:
        shell.type("/btw who?", ENTER)
        agent.beside.say("# A **title**\n\nSome `co")
        await shell.until("\n\nbeside: who?\nA title\nSome `co\n❯")
        agent.beside.end("de` it\r", "\nis\n\n", "| a |\n|---|\n| 1 |")
        await shell.until("beside: who?\nA title\n\nSome code it\nis\n\na\n─\n1\n❯")


async def test_it_is_written_whole_where_a_turn_runs(tmp_path: Path) -> None:
    """No block of it stands amid those of the other answer; its question stands above each part."""
    agent = Two()
    async with stage(tmp_path, agent=agent) as shell:
        shell.type("/btw who?", ENTER)
        agent.beside.say("- one\n- two\n\nand ")
        await shell.until("beside: who?\n- one\n- two\nand\n❯")
        shell.type("story", ENTER)
        await shell.until(lambda: agent.turns.turns == ["story"])
        agent.beside.say("**three**\n\nfour")
        agent.turns.say("Once\n\nupon")
        await shell.until("- two\n\n❯ 1  story\nOnce\nupon\nbeside: who?\nand **three**\n\nfour\n❯")
        agent.beside.end(".")
        again = "\n\nbeside: who?\n\nand three\n\nfour.\nend of what was beside; 1 goes on\n"
        await shell.until(f"❯ 1  story\nOnce{again}upon\n❯")


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
        shell.type("story", ENTER)
        await shell.until(lambda: agent.turns.turns == ["story"])
        shell.type("/btw one?", ENTER)
        await shell.until("beside: one?")
        agent.beside.say("\n".join(f"line {n}" for n in range(50)))
        await shell.until("beside: one?\nline 47\nline 48\nline 49\n❯")
        shell.type("/btw two?", ENTER)
        await shell.until("line 49\nbeside: two?\n❯")
        agent.beside.end()
        agent.beside.end("three")
        await shell.until("beside: one?\nline 0\nline 1\n", "\n\nbeside: two?\nthree\nend of")


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
            await shell.until("beside: who?\nhalf\n✗ stopped\n❯")


async def test_what_fails_beside_is_said(tmp_path: Path) -> None:
    """And holds nothing."""
    agent = Two()
    async with stage(tmp_path, agent=agent) as shell:
        shell.type("/btw who?", ENTER)
        agent.beside.fail(AgentError("no idea"))
        await shell.until("beside: who?\n✗ failed: no idea\n❯")
        shell.type("hello", ENTER)
        await shell.until(lambda: agent.turns.turns == ["hello"])
