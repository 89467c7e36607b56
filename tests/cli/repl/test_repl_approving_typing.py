# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""A real terminal: questions come and go at every key, and none of the keys answers one."""

from __future__ import annotations

from pathlib import Path

import pytest

from support_repl import CTRL_C, CTRL_D, ENTER, Program

# Asks to write a file again and again, each time for a little longer than it takes until
# an answer counts; notes what came of each question.
ASKER = """
import asyncio, sys
from pathlib import Path
import agent_shell_cli.models as models
from agent_shell import Delta, ToolCall, ToolResult
from agent_shell_cli.__main__ import main
from agent_shell_cli.models import Model

notes = Path("notes")

class Asker:
    def __init__(self, bench):
        self.bench = bench

    async def run(self, turn):
        number = 0
        while True:
            number += 1
            call, arguments = str(number), {"path": f"file-{number}", "content": "x"}
            yield ToolCall(call, "write", arguments)
            result = None
            try:
                async with asyncio.timeout(PATIENCE):
                    result = await self.bench.call("write", arguments, session="s", call=call)
            except TimeoutError:
                pass
            said = "taken back" if result is None else "allowed" if result.ok else "denied"
            with notes.open("a") as out:
                out.write(said + "\\n")
            yield ToolResult(call, "write", said == "allowed", said)
            if result is not None:
                yield Delta("done")
                return

models.open_model = lambda name, bench, settings: Model(Asker(bench), "asker", "", bench=bench)
sys.argv = ["agent-shell", "chat", "--journal", "memory"]
main()
"""
ALLOW, DENY = "\x18\x19", "\x18\x0e"
READY = "Ctrl+X Ctrl+Y yes"
TEXT = "yes y n a always allow it please, no, Y N 1 2 3 ok; sure? x"


def asking(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    patience_s: float,
    term: str = "xterm-256color",
) -> Program:
    monkeypatch.chdir(tmp_path)
    script = ASKER.replace("PATIENCE", str(patience_s))
    return Program(data=tmp_path, script=script, TERM=term)


def outcomes(tmp_path: Path) -> list[str]:
    notes = tmp_path / "notes"
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


def test_a_draft_keeps_every_key_while_questions_come_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each key is in the draft, in its place; no question has an answer, and nothing is written."""
    with asking(tmp_path, monkeypatch, patience_s=0.8) as program:
        program.until("❯")
        program.type(f"go{ENTER}")
        program.until(READY)
        for place in range(len(TEXT)):
            program.type(TEXT[place])
            program.until(f"❯ {TEXT[: place + 1]}".rstrip())
        program.until(lambda: len(outcomes(tmp_path)) >= 3)
        assert set(outcomes(tmp_path)) == {"taken back"}
        assert not list(tmp_path.glob("file-*"))
        program.type(CTRL_C + CTRL_C)
        program.until("✗ interrupted")
        program.type(CTRL_D)
        program.end()


@pytest.mark.parametrize("linear", [False, True])
def test_a_chord_answers_and_the_draft_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linear: bool
) -> None:
    """Also on a terminal without a cursor to move."""
    term = "dumb" if linear else "xterm-256color"
    with asking(tmp_path, monkeypatch, patience_s=60, term=term) as program:
        program.until("❯")
        program.type(f"go{ENTER}")
        program.until("answer with /allow" if linear else READY)
        program.type("my draft")
        program.type(ALLOW)
        program.until("✓ write  file-1", "\ndone")
        assert outcomes(tmp_path) == ["allowed"]
        assert (tmp_path / "file-1").read_text() == "x"
        program.type(f"!{ENTER}")
        program.until("my draft!")
        program.until(lambda: len(outcomes(tmp_path)) == 1)
        program.type("\x03" * 2 + CTRL_D)


def test_a_signal_while_a_tool_asks_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question ends with the shell, unanswered."""
    with asking(tmp_path, monkeypatch, patience_s=60) as program:
        program.until("❯")
        program.type(f"go{ENTER}")
        program.until(READY)
        program.child.kill(15)
        assert program.end() == 143
        assert outcomes(tmp_path) == []
        assert not (tmp_path / "file-1").exists()
