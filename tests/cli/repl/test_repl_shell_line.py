"""Lines for the user's own shell, run by a real shell."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from agent_shell import AgentError
from agent_shell_cli.repl.shell_line import run_line

_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has that signal")


@pytest.fixture(autouse=True)
def _sh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")


async def output(command: str) -> str:
    return "".join([piece async for piece in run_line(command)])


def is_running(pid: int) -> bool:
    """Whether it runs: one that has ended and waits for its parent does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_output_and_errors_come_in_order() -> None:
    """Both streams are shown, as they were written."""
    assert await output("echo one; echo two >&2; printf three") == "one\ntwo\nthree"


async def test_it_runs_in_the_folder_without_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is the shell's, and whoever reads its input finds the end of it."""
    monkeypatch.chdir(tmp_path)
    assert await output("pwd; cat") == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("exit 3", "\n[exit status 3]"),
        ("kill -9 $$", "\n[ended by SIGKILL]"),
        pytest.param("kill -40 $$", "\n[ended by signal 40]", marks=_LINUX),
        ("true", ""),
    ],
)
async def test_how_it_ended_is_said_where_that_is_news(command: str, said: str) -> None:
    """A status other than 0 and a signal stand in the last line."""
    assert await output(command) == said


async def test_characters_are_not_cut_and_bytes_do_no_harm() -> None:
    """A character that comes in pieces is one; what is no UTF-8 is replaced."""
    command = r"printf '\303'; printf '\251'; printf '\377\000x'"
    assert await output(command) == "é\ufffd\0x"


async def test_what_is_too_much_is_counted() -> None:
    """Of a flood the beginning is kept, and how much was left out is said."""
    said = await output("yes | head -c 1000000")
    assert len(said) < 300_000
    assert said.endswith("\n[737,856 more bytes were left out]")


async def test_children_in_the_background_do_not_keep_it() -> None:
    """The line is over when its shell is, also if somebody still holds the pipe."""
    said = await output("sleep 1000 & echo $!")
    pid = int(said)
    assert is_running(pid)
    os.kill(pid, 9)


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
async def test_a_cancelled_line_ends_with_all_that_it_started(tmp_path: Path, trap: str) -> None:
    """Also what ignores a polite request, and what it started in turn."""
    pids = tmp_path / "pids"
    command = (
        f"{trap}sh -c '{trap}echo $$ >> {pids}; sleep 1000' & echo $$ >> {pids}; echo on; wait"
    )
    started = asyncio.Event()

    async def listen() -> None:
        async with aclosing(run_line(command)) as pieces:
            async for _ in pieces:
                started.set()

    task = asyncio.create_task(listen())
    await started.wait()
    while len(pids.read_text().split()) < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while any(is_running(int(pid)) for pid in pids.read_text().split()):
        await asyncio.sleep(0)


async def test_a_shell_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which shell, and how another is chosen."""
    monkeypatch.setenv("SHELL", "/not/there")
    with pytest.raises(AgentError, match=r"/not/there can't be run: No such file.*SHELL"):
        await output("true")
