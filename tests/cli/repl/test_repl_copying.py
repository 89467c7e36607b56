"""The clipboard, and what is written when a long turn ends."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from agent_shell_cli.repl.copying import copy, osc52
from agent_shell_cli.repl.notify import notification


def test_the_terminal_is_asked_to_take_the_text() -> None:
    """The sequence has it encoded, so that nothing in it is obeyed; tmux hands it on."""
    encoded = base64.b64encode("a\x1b]0;é".encode()).decode()
    assert osc52("a\x1b]0;é", {}) == f"\x1b]52;c;{encoded}\a"
    assert osc52("x", {"TMUX": "1"}) == "\x1bPtmux;\x1b\x1b]52;c;eA==\a\x1b\\"


def test_what_terminals_would_drop_is_not_sent() -> None:
    """A text that is too long is refused, not lost."""
    assert osc52("x" * 56_000, {}) is not None
    assert osc52("x" * 57_000, {}) is None


async def test_a_program_that_can_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that is there and works gets the text; without any, none is named."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    env = {"DISPLAY": ":0"}
    for name, code in (("xclip", 1), ("xsel", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\ncat > {tmp_path}/{name}.got\nexit {code}\n")
        (tmp_path / name).chmod(0o700)
    assert await copy("text é", env) == "xsel"
    assert (tmp_path / "xsel.got").read_text() == "text é"
    assert await copy("text", {}) is None


def test_a_long_turn_rings() -> None:
    """Only a turn that took that long, and only if it was asked for."""
    asked = {"after_s": 30, "bell": True, "desktop": False, "env": {"TERM": "xterm"}}
    assert notification("q", 31, **asked) == "\a"  # type: ignore[arg-type]
    assert notification("q", 29, **asked) == ""  # type: ignore[arg-type]
    assert notification("q", 31, **{**asked, "bell": False}) == ""  # type: ignore[arg-type]


def test_a_notification_can_not_be_forged() -> None:
    """The question stands in it as one short printable line, and ends no field of it."""
    question = "a;b\x1b\\\x07\nc" + "d" * 100
    for term, begin in (("xterm", "\x1b]9;"), ("foot", "\x1b]777;notify;agent-shell;")):
        said = notification(question, 1, after_s=0, bell=False, desktop=True, env={"TERM": term})
        body = said.removeprefix(begin).removesuffix("\x1b\\")
        assert body.startswith("answered: a,b")
        assert body.isprintable()
        assert len(body) < 80
