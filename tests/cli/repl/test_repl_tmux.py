# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""A real tmux, which wraps what stands on it again when it gets another width."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from campaign.terminals import Tmux
from support_repl import PATIENCE_S, ROOT

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")


@contextmanager
def shell(folder: Path, *arguments: str) -> Iterator[Tmux]:
    """The shell in a window of 24 by 120."""
    environ = {
        **{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "TMUX")},
        "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "cli")]),
        "PYTHONUTF8": "1",
        "AGENT_SHELL_DATA_DIR": str(folder),
        "AGENT_SHELL_CONFIG_DIR": str(folder),
    }
    command = [sys.executable, "-m", "agent_shell_cli", "chat", *arguments]
    tmux = Tmux(command, environ, 24, 120, folder)
    try:
        yield tmux
    finally:
        tmux.close()


def until(terminal: Tmux, holds: Callable[[str], bool]) -> None:
    """Waits for what the terminal has to be so."""
    end = time.monotonic() + PATIENCE_S
    while not holds(text := terminal.text()):
        assert time.monotonic() < end, text


def test_a_row_that_has_become_shorter_leaves_nothing_when_it_is_wrapped(tmp_path: Path) -> None:
    """What stood in a row before is no part of it any more: the frame is found where it is."""
    with shell(tmp_path, "-m", "echo") as terminal:
        until(terminal, lambda text: "echo\n❯" in text)
        terminal.type("some words\r")
        until(terminal, lambda text: text.count("some words") == 2)
        terminal.type(f"/export {'x' * 70}\r")
        until(terminal, lambda text: "has to end in" in text)
        terminal.type("draft")
        until(terminal, lambda text: "has to end in" not in text and "❯ draft" in text)
        for rows, columns in ((24, 50), (24, 120)):
            terminal.resize(rows, columns)
            terminal.rest(PATIENCE_S)
            lines = [line.rstrip() for line in terminal.text().splitlines()]
            shown = [line for line in lines if line][2:]
            assert shown == ["❯ 1  some words", "some words", "echo", "❯ draft"]


@pytest.mark.parametrize("cleared", [False, True])
def test_an_answer_that_grows_on_an_empty_screen_stands_once_when_it_is_wrapped(
    tmp_path: Path, cleared: bool
) -> None:
    """Tmux moves rows off the top for those that it wraps, also where the bottom is empty."""
    words = [f"w{number:03}" for number in range(400)]
    with shell(tmp_path, "-m", "echo:100", " ".join(words)) as terminal:
        until(terminal, lambda text: words[85] in text)
        if cleared:
            until(terminal, lambda text: words[160] in text)
            terminal.type("\x0c")
            until(terminal, lambda text: words[200] in text)
        terminal.resize(40, 41)
        until(terminal, lambda text: words[-1] in text)
        terminal.rest(PATIENCE_S)
        answer = terminal.text().partition("…")[2].split()
        assert [word for word in answer if word in words] == words


@pytest.mark.parametrize("columns", [94, 60, 40])
def test_a_new_window_that_is_made_narrow_keeps_no_row_of_the_prompt_twice(
    tmp_path: Path, columns: int
) -> None:
    """Rows that are wrapped move others off the screen, while few stand above the prompt."""
    with shell(tmp_path, "-m", "echo:1") as terminal:
        terminal.resize(40, 190)
        until(terminal, lambda text: "echo:1\n❯" in text)
        terminal.type("one " + "more " * 30 + "\r")
        until(terminal, lambda text: "tokens" in text)
        for number in range(2, 8):
            terminal.type(f"number{number} " + "and so on " * 18 + "\r")
        until(terminal, lambda text: "number7" in text)
        terminal.resize(40, columns)
        terminal.rest(PATIENCE_S)
        text = terminal.text()
        assert [text.count(f"number{number}") for number in range(2, 8)] == [1] * 6
        assert text.count("tokens") == 1


def test_rows_that_have_left_the_screen_are_not_counted_on_when_it_is_narrowed_again(
    tmp_path: Path,
) -> None:
    """What was moved off the top does not come back, for others to be moved off before it."""
    words = [f"w{number:03}" for number in range(80)]
    with shell(tmp_path, "-m", "echo:40", " ".join(words)) as terminal:
        until(terminal, lambda text: words[20] in text.partition("…")[2])
        terminal.resize(40, 72)
        until(terminal, lambda text: words[52] in text.partition("…")[2])
        terminal.resize(40, 41)
        until(terminal, lambda text: words[-1] in text)
        terminal.rest(PATIENCE_S)
        answer = terminal.text().partition("…")[2].split()
        assert [word for word in answer if word in words] == words


def test_a_row_of_wide_signs_stays_one_line_when_it_is_wrapped_and_joined(tmp_path: Path) -> None:
    """Tmux would take it for two, put the cursor a line too high, and have it erased."""
    signs = "".join(chr(0x4E00 + number) for number in range(99))
    with shell(tmp_path, "-m", "echo") as terminal:
        terminal.resize(24, 200)
        until(terminal, lambda text: "echo\n❯" in text)
        terminal.type(f"{signs}\r")
        until(terminal, lambda text: signs[-1] in text)
        terminal.rest(PATIENCE_S)
        for rows, columns in ((24, 67), (24, 133), (24, 67)):
            terminal.resize(rows, columns)
            terminal.rest(PATIENCE_S)
        assert signs in "".join(terminal.text().split())
