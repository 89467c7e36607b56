# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""The prompt stands first: what it is about is loaded and opened while people type already."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from support_repl import CTRL_C, CTRL_D, ENTER, Program
from support_sessions import owner

# The session is opened when the keys are kept that are in `go`.
_LATER = """
import asyncio, sys
from pathlib import Path
from agent_shell import Engine
from agent_shell_cli import app
from agent_shell_cli.repl import opening

there, opened, converse = Path({there!r}), Engine.open, opening.converse
go, prompts = there / "go", []

async def with_prompt(options, model, journal, prompt, *rest):
    prompts.append(prompt)
    return await converse(options, model, journal, prompt, *rest)

async def later(engine, key):
    Engine.open = opened
    (there / "asked").touch()
    while not go.exists() or go.read_bytes() != "".join(k.data for k in prompts[0]._kept).encode():
        await asyncio.sleep(0.01)
    return await opened(engine, key)

opening.converse = with_prompt

Engine.open = later
sys.argv = ["agent-shell", "chat", "-m", "echo", "-s", "s", *{arguments!r}]
app.main()
"""


class Early(Program):
    """A shell whose prompt stands, and whose session is opened when the test says so."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        script = _LATER.format(there=str(folder), arguments=arguments)
        super().__init__(data=folder, script=script)
        self.until("❯", (folder / "asked").exists)

    def open(self, keys: str) -> None:
        """Has the session opened when these keys were read."""
        written = self._folder / "written"
        written.write_bytes(keys.encode())
        written.rename(self._folder / "go")


def test_keys_before_the_session_is_open_do_what_they_say_when_it_is(tmp_path: Path) -> None:
    """Nothing that is typed early is lost or gets another order: inputs, pastes and the draft."""
    with Early(tmp_path) as program:
        program.type(f"first{ENTER}\x1b[200~two\nlines\x1b[201~{ENTER}a draft")
        program.open(f"first{ENTER}two\nlines{ENTER}a draft")
        program.until("❯ 1  first", "❯ 2  two lines", "two\nlines", "❯ a draft")
        program.type(CTRL_C + CTRL_D)
        assert program.end() == 0


def test_ctrl_c_before_the_session_is_open_leaves(tmp_path: Path) -> None:
    """A journal that does not answer keeps nobody: the prompt goes, and nothing is left of it."""
    with Early(tmp_path) as program:
        program.type(f"never sent{CTRL_C}")
        assert program.end() == 130
        assert program.screen.text.strip() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_session_is_open_ends_it(tmp_path: Path, number: int) -> None:
    """As it does later."""
    with Early(tmp_path) as program:
        program.child.kill(number)
        assert program.end() == 143


def test_an_early_key_is_no_answer_to_whether_to_attach(tmp_path: Path) -> None:
    """What was typed before the question is for the session, and goes there with a yes."""
    path = tmp_path / "sessions.sqlite"
    with owner("endless", path), Early(tmp_path, "--journal", str(path)) as program:
        program.type(f"n{ENTER}a draft")
        program.open(f"n{ENTER}a draft")
        program.until("attach to it, and put inputs into its queue? [Y/n]")
        program.type(f"y{ENTER}")
        program.until("attached to process", "  1  n", "❯ a draft")


def test_what_is_wrong_is_said_in_place_of_the_prompt(tmp_path: Path) -> None:
    """A journal that can't be used: the prompt goes, and the words stand alone."""
    path = tmp_path / "sessions.sqlite"
    path.write_bytes(b"this is no database, and long enough to see" * 100)
    with Program("--journal", str(path), data=tmp_path) as program:
        assert program.end() == 2
        assert str(path) in program.screen.text.replace("\n", "")
        assert "❯" not in program.screen.text
