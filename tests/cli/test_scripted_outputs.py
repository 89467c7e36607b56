"""What standard output gets, event by event."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from agent_shell import HoldReason, Lane, State
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    Missed,
    Receipt,
    SessionHeld,
    ToolCalled,
    ToolReturned,
    TurnDelta,
    TurnStarted,
)
from agent_shell_cli.exits import Exit
from agent_shell_cli.options import OutputForm
from agent_shell_cli.scripted.outputs import make_output
from agent_shell_cli.scripted.report import Report


def _text(events: Iterable[Event], *, terminal: bool = False) -> str:
    output = make_output(OutputForm.TEXT, "s", "echo", terminal=terminal)
    return "".join([*map(output.take, events), *output.end()])


def _turn(
    *pieces: str, state: State = State.ANSWERED, whole: str | None = None, id: str = "a"
) -> list[Event]:
    deltas: list[Event] = [TurnDelta("s", 0.0, 1, id, piece) for piece in pieces]
    answer = "".join(pieces) if whole is None else whole
    return [*deltas, Receipt("s", 0.0, id, state, "", 1, answer)]


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        (["a"], "a\n"),
        (["a\n"], "a\n"),
        (["a", "\n", "\n"], "a\n"),
        (["a\n", "\nb"], "a\n\nb\n"),
        (["a\r", "\n"], "a\r\n"),
        ([], "\n"),
    ],
)
def test_each_answer_ends_with_one_newline(pieces: list[str], written: str) -> None:
    """Whatever newlines an answer ends with and however it is cut, one is written."""
    assert _text(_turn(*pieces)) == written


def test_a_part_of_an_answer_is_closed_with_a_newline() -> None:
    """What a turn produced before it was stopped stands on lines of its own."""
    assert _text(_turn("a", state=State.CANCELLED)) == "a\n"


def test_a_turn_without_output_writes_nothing() -> None:
    """A turn that failed before its first word leaves no empty line."""
    assert _text(_turn(state=State.FAILED)) == ""


def test_what_was_missed_of_an_answer_is_made_good() -> None:
    """Pieces that were missed are written with the receipt, which has the whole answer."""
    events = [TurnDelta("s", 0.0, 1, "a", "one "), *_turn(whole="one two")]
    assert _text(events) == "one two\n"


@pytest.mark.parametrize(
    ("turn", "written"), [(_turn("b", id="b"), "b\n"), (_turn(whole="b", id="b"), "b\n")]
)
def test_a_part_is_closed_where_another_runs_first(turn: list[Event], written: str) -> None:
    """A turn that went back to the queue, as at a rate limit, is not joined to what comes."""
    part = TurnDelta("s", 0.0, 1, "a", "a")
    assert _text([part, *turn, *_turn("c")]) == f"a\n{written}c\n"
    assert _text([part, *_turn("c", whole="ac")]) == "ac\n"


def test_a_part_is_closed_at_the_end() -> None:
    """A turn that went back to the queue, or whose end could not be recorded, leaves a line."""
    assert _text([TurnDelta("s", 0.0, 1, "a", "a")]) == "a\n"


def test_a_steering_input_is_no_answer() -> None:
    """The receipt of an input that steered a turn writes nothing."""
    assert _text([Receipt("s", 0.0, "b", State.STEERED, "turn 1", 1, "")]) == ""


def test_a_terminal_gets_it_visible() -> None:
    """For a terminal, control characters are made visible."""
    assert _text(_turn("a\x1bb\r", "\n"), terminal=True) == "a␛b\n"


def test_seq_leaves_out_what_was_missed() -> None:
    """In a stream `seq` rises by one a line, and by their number where events were missed."""
    output = make_output(OutputForm.STREAM_JSON, "s", "echo", terminal=False)
    events = [*_turn("a"), Missed("s", 0.0, 5), *_turn("b")]
    assert [json.loads(output.take(event))["seq"] for event in events] == [1, 2, 7, 8, 9]


def test_json_for_a_terminal_is_ascii() -> None:
    """JSON that goes to a terminal holds nothing that it would obey."""
    output = make_output(OutputForm.STREAM_JSON, "s", "echo", terminal=True)
    assert output.take(TurnDelta("s", 0.0, 1, "a", "\x1b\u202e\x9b")).isascii()


def test_the_document_says_what_runs_and_what_waits() -> None:
    """A follow-up without a receipt is in the document as it stands."""
    output = make_output(OutputForm.JSON, "s", "echo", terminal=False)
    output.take(FollowUpAccepted("s", 1.0, "a", "text", Lane.QUEUE, "user", 1))
    (follow_up,) = json.loads("".join(output.end()))["follow_ups"]
    assert (follow_up["state"], follow_up["accepted_at"], follow_up["ended_at"]) == (
        "queued",
        1.0,
        None,
    )


def test_the_highest_exit_code_counts() -> None:
    """Where several exit codes apply, the highest is the program's."""
    report = Report(lambda _: None, terminal=False)
    for code in (Exit.REFUSED, Exit.INCOMPLETE, Exit.USAGE):
        report.call_for(code)
    assert report.code == Exit.REFUSED


def test_the_document_tells_the_steps() -> None:
    """As `sessions show` does: what was said, done and steered in its order, missed parts too."""
    output = make_output(OutputForm.JSON, "s", "m", terminal=False)
    answer = "I look.\n\nAll of it.\n\nMended."
    for event in (
        FollowUpAccepted("s", 0.0, "a", "go", Lane.QUEUE, "user", 0),
        TurnStarted("s", 0.0, 1, "a", 0),
        TurnDelta("s", 0.0, 1, "a", "I "),
        TurnDelta("s", 0.0, 1, "a", "look."),
        ToolCalled("s", 0.0, 1, "a", "1", "shell", {"command": "ls"}),
        ToolReturned("s", 0.0, 1, "a", "1", "shell", False, "denied"),
        ToolReturned("s", 0.0, 1, "a", "3", "read", True, "of no use that was told"),
        FollowUpAccepted("s", 0.0, "b", "be quick", Lane.STEER, "user", 0),
        Receipt("s", 0.0, "b", State.STEERED, "before request 2", 1, ""),
        TurnDelta("s", 0.0, 1, "a", "\n\nAll of it."),
        ToolCalled("s", 0.0, 1, "a", "2", "read", {}),
        Receipt("s", 0.0, "a", State.ANSWERED, "", 1, answer),
    ):
        assert output.take(event) == ""
    follow_up, steer = json.loads("".join(output.end()))["follow_ups"]
    assert follow_up["steps"] == [
        {"step": "said", "text": "I look."},
        {
            "step": "used",
            "tool": "shell",
            "arguments": {"command": "ls"},
            "ok": False,
            "text": "denied",
        },
        {"step": "steered", "text": "be quick"},
        {"step": "said", "text": "All of it."},
        {"step": "used", "tool": "read", "arguments": {}, "ok": None, "text": ""},
        {"step": "said", "text": "Mended."},
    ]
    assert (steer["state"], steer["steps"]) == ("steered", [])


def test_a_budget_that_is_spent_is_said() -> None:
    """On standard error; what is left of the queue gives the exit code."""
    said: list[str] = []
    report = Report(said.append, terminal=False)
    report.take(SessionHeld("s", 0.0, HoldReason.BUDGET, "2 of 2 turns have run", None, 1))
    assert said == ["agent-shell: the budget holds the session: 2 of 2 turns have run\n"]
