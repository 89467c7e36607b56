# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""Each event as one line, where nothing on the screen can move; and a draft on such a screen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from agent_shell import HoldReason, Lane, State
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Receipt,
    SessionHeld,
    SessionReleased,
    TurnDelta,
    TurnEnded,
    TurnStarted,
)
from agent_shell_cli.repl.plain import told
from agent_shell_cli.repl.terminal import LineOutput
from support_repl import Program


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (FollowUpAccepted("s", 1, "a", "x", Lane.QUEUE, "user", 2), "waits as number 3"),
        (FollowUpAccepted("s", 1, "a", "x", Lane.QUEUE, "user", 0), None),
        (FollowUpEdited("s", 1, "a", "y"), "number 3 has another text"),
        (FollowUpMoved("s", 1, "a", 2, Lane.QUEUE), "number 3 is at place 2"),
        (FollowUpMoved("s", 1, "a", 0, Lane.STEER), "number 3 steers the turn"),
        (Receipt("s", 1, "a", State.WITHDRAWN, "user", None, ""), "number 3 was withdrawn by user"),
        (Receipt("s", 1, "a", State.ANSWERED, "", 1, "yes"), None),
        (TurnEnded("s", 1, 1, "a", State.ANSWERED, 62.4, None), "answered in 1 min 2 s"),
        (SessionHeld("s", 1, HoldReason.USER, "", None, 2), "held by you; 2 follow-ups behind it"),
        (SessionHeld("s", 1, HoldReason.USER, "", None, 0), None),
        (SessionHeld("s", 1, HoldReason.CLOSING, "", None, 2), None),
        (SessionReleased("s", 1, "user"), "goes on"),
        (TurnStarted("s", 1, 1, "a", 0), None),
        (TurnDelta("s", 1, 1, "a", "words"), None),
    ],
)
def test_an_event_is_said_once(event: Event, line: str | None) -> None:
    """What the live lines would show is said; what is written anyway is not said again."""
    assert told(event, 3) == line


def _steps(signs: str) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """What is done to a line of such signs, all of one width: half of one is nobody's matter."""
    step = st.one_of(
        st.text(st.sampled_from(signs), max_size=5).map(lambda text: ("write", text)),
        st.integers(0, 6).map(lambda n: ("cursor_backward", n)),
        st.integers(0, 6).map(lambda n: ("cursor_forward", n)),
        st.just(("erase_end_of_line",)),
        st.just(("write", "\r")),
    )
    return st.lists(step, max_size=20)


@given(st.sampled_from(["ab ", "日"]).flatmap(_steps))
def test_a_line_can_be_edited_without_escapes(steps: list[tuple[Any, ...]]) -> None:
    """Backspaces and the line's own signs do what escapes do elsewhere, wide signs included."""
    plain, able = io.StringIO(), io.StringIO()
    size = Size(24, 200)
    outputs = LineOutput(plain), Vt100_Output(able, lambda: size, enable_cpr=False)
    for name, *arguments in steps:
        for output in outputs:
            # On the boundary of a sign alone: nothing is ever drawn from its middle.
            if name.startswith("cursor") and any("日" in str(step) for step in steps):
                continue
            getattr(output, name)(*arguments)
    for output in outputs:
        output.flush()
    assert "\x1b" not in plain.getvalue()
    assert _screen(plain.getvalue()) == _screen(able.getvalue())


def _screen(written: str) -> tuple[str, int]:
    screen = pyte.Screen(200, 2)
    pyte.Stream(screen).feed(written)
    return screen.display[0].rstrip(), screen.cursor.x


def test_a_draft_is_edited_in_its_line(tmp_path: Path) -> None:
    """What is deleted is gone from the screen, and what is put in stands where it belongs."""
    with Program("--model", "echo", data=tmp_path, TERM="dumb") as program:
        program.until("❯")
        program.type("wrong wörds日本")
        program.until("❯ wrong wörds日本")
        program.type("\x7f\x7f\x01\x1bd\x1b[3~")  # the last two signs, the first word, a blank
        program.until(lambda: program.screen.text.endswith("❯ wörds"))
        program.type("more ")
        program.until(lambda: program.screen.text.endswith("❯ more wörds"))
        program.type("\r")
        program.until("❯ 1  more wörds\n", "\nmore wörds\n")
        program.type("\x04")
        assert program.end() == 0
        assert "\x1b" not in program.screen.raw
