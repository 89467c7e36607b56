# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""The live prompt on a real terminal, with a provider's model, its tools and their questions."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from providers.mending import BROKEN, project
from providers.story import Asked, Part, Story, call, result, say, user
from providers.wire_server import WireServer
from support_provider import KEY
from support_repl import CTRL_D, ENTER, Program

ALLOW, DENY = "\x18\x19", "\x18\x0e"
TITLE, SCREEN, CLIPBOARD = "\x1b]0;PWNED\x07", "\x1b[?1049h", "\x1b]52;c;cm0gLXJm\x07"
PLAN = f"Plan{TITLE}{SCREEN}{CLIPBOARD}ned."


def program(server: WireServer, folder: Path, data: Path, *arguments: str) -> Program:
    """`agent-shell chat` in the folder, with the server's model."""
    data.mkdir()
    chat = [sys.executable, "-m", "agent_shell_cli", "chat", "-m", "openai:gpt-4o", *arguments]
    return Program(
        data=data,
        command=["/bin/sh", "-c", f"cd {shlex.quote(str(folder))} && exec {shlex.join(chat)}"],
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=server.openai_url,
        PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
    )


def see(shell: Program, *expected: str) -> None:
    """Waits for it, also while the library loads on a busy machine."""
    for _ in range(3):
        with contextlib.suppress(AssertionError):
            shell.until(*expected)
            return
    shell.until(*expected)


async def test_a_question_waits_while_a_follow_up_is_typed(tmp_path: Path):
    """What is typed meanwhile is an input and no answer; the chord answers; all is done."""
    folder = project(tmp_path / "project")
    story = Story(
        user("TASK"),
        say(PLAN),
        call("read", path="sums.py"),
        result("read"),
        call("edit", path="sums.py", old="a - b", new=f"a + b  # {TITLE}{SCREEN}"),
        result("edit", "was edited"),
        call("edit", path="sums.py", old="def add", new="def sub"),
        result("edit", "denied"),
        say("Half of it."),
        user("yes"),
        say("Heard yes."),
    )

    def drive(shell: Program) -> str:
        with shell:
            see(shell, "❯")
            shell.type(f"TASK: mend the sum{ENTER}")
            see(shell, "? edit asks", "Ctrl+X Ctrl+Y yes")
            shell.type(f"yes{ENTER}")
            see(shell, "  2  yes")
            assert (folder / "sums.py").read_text() == BROKEN, "no input is an answer"
            shell.type(ALLOW)
            see(shell, "✓ edit", "def sub", "Ctrl+X Ctrl+Y yes")
            shell.type(DENY)
            see(shell, "Half of it.", "Heard yes.")
            shell.type(CTRL_D)
            assert shell.end() == 0
            return shell.screen.raw

    async with WireServer(story) as server:
        raw = await asyncio.to_thread(drive, program(server, folder, tmp_path / "data"))
    assert story.left == 0
    assert "a + b" in (folder / "sums.py").read_text()
    assert not [sign for sign in (TITLE, SCREEN, CLIPBOARD) if sign in raw]
    assert KEY not in raw


async def test_an_interrupt_reaches_the_server_and_the_next_input_runs(tmp_path: Path):
    """Esc in the middle of an answer closes the stream; the model is told, and goes on."""
    folder = project(tmp_path / "project")
    go = asyncio.Event()

    def brain(asked: Asked) -> Sequence[Part]:
        from providers.story import Wait

        return [say("Begun"), Wait(go)] if asked.number == 1 else [say("Here again.")]

    def drive(shell: Program) -> None:
        with shell:
            see(shell, "❯")
            shell.type(f"first{ENTER}")
            see(shell, "Begun")
            shell.type("\x03")
            see(shell, "interrupted")
            shell.type(f"second{ENTER}")
            see(shell, "Here again.")
            shell.type(CTRL_D)
            shell.end()

    async with WireServer(brain) as server:
        await asyncio.to_thread(drive, program(server, folder, tmp_path / "data"))
        assert server.asked[0].gone_at is not None
        assert "cut your last turn off on purpose" in "\n".join(server.asked[1].users)
