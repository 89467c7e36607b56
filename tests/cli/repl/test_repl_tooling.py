# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""What an agent does with tools, as it is seen."""

from __future__ import annotations

from typing import Any

import pytest

from agent_shell import FollowUp, Hold, HoldReason, Lane, Phase, State
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    Receipt,
    ToolCalled,
    ToolReturned,
    TurnDelta,
    TurnEnded,
    TurnStarted,
)
from agent_shell_cli.repl.live import live_lines
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.painting import painted
from agent_shell_cli.repl.plain import told
from agent_shell_cli.repl.view import Kind, Snapshot, View
from agent_shell_cli.tool_text import about, folded

LOOK = Look.of(color=True, encoding="utf-8")
RUNNING = Snapshot(Phase.RUNNING)
ACCEPTED = FollowUpAccepted("s", 1, "a", "go", Lane.QUEUE, "user", 0)
STARTED = TurnStarted("s", 1, 1, "a", 0)
ENDED = TurnEnded("s", 9, 1, "a", State.ANSWERED, 8.0, None)


def called(call: str = "1", tool: str = "shell", at: float = 2, **arguments: Any) -> ToolCalled:
    return ToolCalled("s", at, 1, "a", call, tool, arguments or {"command": "make"})


def returned(text: str, call: str = "1", at: float = 2, *, ok: bool = True) -> ToolReturned:
    return ToolReturned("s", at, 1, "a", call, "shell", ok, text)


def words(text: str) -> TurnDelta:
    return TurnDelta("s", 2, 1, "a", text)


def view_of(*events: Event) -> View:
    view = View()
    for event in (ACCEPTED, STARTED, *events):
        view.fold(event, RUNNING)
    return view


def committed(view: View) -> str:
    blocks = view.take(80)
    rows = [row for block in blocks for row in painted(block, LOOK, 80)]
    return "\n".join("".join(text for _, text in row) for row in rows)


def live(view: View, at: float = 5) -> list[str]:
    return [text for _, text in live_lines(view, RUNNING, LOOK, 80, 24, at)]


def test_a_use_is_a_line_while_it_lasts_and_is_committed_once() -> None:
    """It says for how long; when it is over, whether it went well and a little of what it gave."""
    view = view_of(called())
    assert committed(view) == "\n❯ 1  go"
    assert live(view) == ["▸ 1 · 4 s", "  shell  make · 3 s"]
    view.fold(returned("all well", at=14), RUNNING)
    assert live(view) == ["▸ 1 · 4 s"]
    assert committed(view) == "✓ shell  make · 12 s\n    all well"
    assert committed(view) == ""


def test_a_failure_is_marked_without_colour() -> None:
    """By its sign and in words."""
    view = view_of(called(), returned("exit status 2", ok=False))
    assert committed(view).endswith("✗ shell  make · failed\n    exit status 2")


def test_what_was_said_stands_before_what_was_done() -> None:
    """The text before a use is finished there; what comes behind it is a text of its own."""
    view = view_of(words("I look"), called(), returned("x"), words("It *is*"), ENDED)
    assert committed(view) == "\n❯ 1  go\nI look\n✓ shell  make\n    x\nIt is"


def test_uses_at_once_are_told_each_for_itself() -> None:
    """Each has its line, and each its end, whatever the order."""
    view = view_of(called("1", command="one"), called("2", command="two"))
    assert live(view)[1:] == ["  shell  one · 3 s", "  shell  two · 3 s"]
    view.fold(returned("second", "2"), RUNNING)
    view.fold(returned("first", "1"), RUNNING)
    assert committed(view).endswith("✓ shell  two\n    second\n✓ shell  one\n    first")


def test_a_use_without_its_end_was_cut_off() -> None:
    """After an interrupt nothing stays on the screen as if it ran."""
    view = view_of(called())
    view.uses.say("1", "so far\n")
    view.fold(TurnEnded("s", 3, 1, "a", State.CANCELLED, 1.0, None), Snapshot())
    assert committed(view).endswith("✗ shell  make · 1 s · failed\n    so far\n    cut off")
    assert not list(view.uses)


def test_what_a_tool_says_meanwhile_is_shown_at_its_end() -> None:
    """The last rows, a bar of progress as it stands, and no more than a few of them."""
    view = view_of(called())
    for n in range(1000):
        view.uses.say("1", f"line {n}\n")
    view.uses.say("1", "10 %\r50 %\x1b[1A")
    assert live(view)[2:] == ["    line 998", "    line 999", "    50 %␛[1A"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"command": "make\ntest"}, "make test"),
        ({"path": "a.py", "text": "x"}, "a.py"),
        ({"n": 1, "deep": [2]}, '{"n": 1, "deep": [2]}'),
        ({"command": ""}, '{"command": ""}'),
        ({}, ""),
        ({"path": "a\x1b]0;b\x07"}, "a␛]0;b␇"),
    ],
)
def test_a_use_is_named_by_what_it_is_about(arguments: dict[str, Any], said: str) -> None:
    """Whatever a model gives is on one line, and obeys nothing."""
    assert about(arguments) == said


def test_a_long_result_is_folded() -> None:
    """A few lines of its beginning and its end; a line that was written over is its last text."""
    text = "\n".join(f"line {n}" for n in range(1, 101))
    assert folded(text) == ["line 1", "line 2", "line 3", "… 95 more lines", "line 99", "line 100"]
    assert folded("1 %\r99 %\r\n\n\n done ") == ["99 %", " done"]


def test_a_change_is_shown_as_one() -> None:
    """More lines of a diff than of other results, coloured by what was put in and taken out."""
    added = "\n".join(f"+line {n}" for n in range(100))
    view = view_of(called(), returned(f"--- a/x\n+++ b/x\n@@ -1 +1,100 @@\n-old\n{added}\n"))
    (block,) = [one for one in view.take(80) if one.kind is Kind.TOOL]
    rows = painted(block, LOOK, 80)
    styles = {text.strip(): style for row in rows for style, text in row}
    assert styles["-old"] == "class:code.deleted"
    assert styles["+line 15"] == "class:code.inserted"
    assert "… 82 more lines" in styles
    assert len(rows) == 24


def test_a_result_obeys_nothing() -> None:
    """Escapes of a tool are made visible, and a line without end takes a few rows."""
    view = view_of(called(tool="sh\x1b[1m"), returned("\x1b[2J\u202e" + "x" * 5000))
    text = committed(view)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) < 8


def test_each_use_is_a_line_where_nothing_can_stand() -> None:
    """Its beginning is said; its end is committed anyway."""
    assert told(called(), 1) == "uses shell  make"
    assert told(returned("x"), 1) is None


@pytest.mark.parametrize(
    ("hold", "waiting", "said"),
    [
        (
            Hold(HoldReason.RATE_LIMITED, "slow down", 65.0),
            1,
            "‖ waiting for the provider, goes on in 1 min 0 s · 1 follow-up · Enter: now",
        ),
        (
            Hold(HoldReason.UNREACHABLE, "set X_KEY"),
            1,
            "‖ held: the model can't be used · 1 follow-up · /retry or Enter tries again · s…",
        ),
        (
            Hold(HoldReason.BUDGET, "2 of 2 turns"),
            0,
            "‖ held by the budget: 2 of 2 turns · /resume or Enter allows as much again",
        ),
    ],
)
def test_a_hold_says_what_ends_it(hold: Hold, waiting: int, said: str) -> None:
    """A countdown, or what to do; a budget also where nothing waits behind it."""
    queue = [FollowUp(str(n), "next", Lane.QUEUE, "user", 1.0) for n in range(waiting)]
    now = Snapshot(Phase.HELD, hold, queue)
    lines = [text for _, text in live_lines(View(), now, LOOK, 80, 24, 5.0)]
    assert lines[-1] == said


def test_a_turn_that_was_put_back_can_be_retried() -> None:
    """Its follow-up waits at the head: there is no other text to run again."""
    view = view_of(words("half"), TurnEnded("s", 3, 1, "a", State.QUEUED, 1.0, None))
    assert view.put_back
    assert view.unanswered_text is None
    view.fold(TurnStarted("s", 4, 2, "a", 0), RUNNING)
    assert not view.put_back
    view.fold(Receipt("s", 5, "a", State.ANSWERED, "", 2, "half and half"), RUNNING)
    assert not view.put_back
