"""From events to what there is to see."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from agent_shell import FollowUp, Hold, HoldReason, Lane, Phase, State
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    FollowUpEdited,
    Missed,
    Receipt,
    TurnDelta,
    TurnEnded,
    TurnNotice,
    TurnStarted,
)
from agent_shell_cli.printable import printable
from agent_shell_cli.repl.blocks import Carry
from agent_shell_cli.repl.live import live_lines
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.painting import painted
from agent_shell_cli.repl.view import Block, Kind, Snapshot, View

LOOK = Look.of(color=False, encoding="utf-8")
IDLE = Snapshot()
WIDTH = 79


def accepted(id: str, text: str) -> Event:
    return FollowUpAccepted("s", 0, id, text, Lane.QUEUE, "user", 0)


def started(id: str) -> Event:
    return TurnStarted("s", 0, 1, id, 0)


def delta(text: str) -> Event:
    return TurnDelta("s", 0, 1, "a", text)


def ended(state: State = State.ANSWERED) -> Event:
    return TurnEnded("s", 0, 1, "a", state, 0.1, None)


def receipt(state: State, reason: str = "", id: str = "a") -> Event:
    return Receipt("s", 0, id, state, reason, 1, "")


def seen(*events: Event, now: Snapshot = IDLE) -> list[tuple[Kind, int, str]]:
    view = View()
    for event in events:
        view.fold(event, now)
    return [(block.kind, block.number, block.text) for block in view.take(WIDTH)]


def waiting(n: int) -> deque[FollowUp]:
    return deque(FollowUp(f"w{i}", f"text {i}", Lane.QUEUE, "user", 0) for i in range(n))


def held(reason: HoldReason, n: int, until: float | None = None) -> Snapshot:
    return Snapshot(Phase.HELD, Hold(reason, "because", until), waiting(n))


def live(view: View, now: Snapshot, height: int = 40, time: float = 0) -> list[str]:
    return [text for _, text in live_lines(view, now, LOOK, WIDTH, height, time)]


def test_each_answer_names_its_input() -> None:
    """Before an answer stands the number and the text of the input that it answers."""
    assert seen(
        accepted("a", "first\nline"), accepted("b", "second"), started("b"), delta("ok"), ended()
    ) == [(Kind.HEADING, 2, "second"), (Kind.ANSWER, 0, "ok")]


def test_edited_text_is_the_one_that_is_named() -> None:
    """An input that was edited while it waited is named as it runs."""
    edited = FollowUpEdited("s", 0, "a", "new")
    assert seen(accepted("a", "old"), edited, started("a")) == [(Kind.HEADING, 1, "new")]


@given(st.lists(st.text(alphabet="ab \r\n\x1b\t\u202e", max_size=20), max_size=8))
def test_nothing_of_an_answer_is_lost(pieces: list[str]) -> None:
    """All that was taken, in order, is the answer, made printable, however it was cut."""
    view = View()
    taken = ""
    for piece in pieces:
        view.fold(delta(piece), IDLE)
        taken += "".join(block.text for block in view.take(WIDTH))
    view.fold(ended(), IDLE)
    taken += "".join(block.text for block in view.take(WIDTH))
    assert taken == printable("".join(pieces)).replace("\t", "    ")
    assert view.tail == ""


def test_taken_text_is_gone_from_the_tail() -> None:
    """What is committed leaves the live lines in the same step."""
    view = View()
    view.fold(delta("one\n\ntwo"), IDLE)
    assert view.has_finished(WIDTH)
    assert view.take(WIDTH) == [Block(Kind.ANSWER, "one\n\n", carry=Carry())]
    assert (view.tail, view.has_finished(WIDTH), view.take(WIDTH)) == ("two", False, [])


def test_partial_answer_is_marked() -> None:
    """An interrupted answer stays, and a line says so and what is held."""
    now = held(HoldReason.INTERRUPTED, 3)
    events = [delta("half"), ended(State.CANCELLED), receipt(State.CANCELLED, "user")]
    assert seen(*events, now=now) == [
        (Kind.ANSWER, 0, "half"),
        (Kind.MARK, 0, "interrupted — 3 follow-ups are held; /resume runs them"),
    ]


def test_failure_gives_its_reason() -> None:
    """A failed turn says why, and that one follow-up is held."""
    now = held(HoldReason.FAILED, 1)
    assert seen(ended(State.FAILED), receipt(State.FAILED, "no\x1bway"), now=now) == [
        (Kind.MARK, 0, "failed: no␛way — 1 follow-up is held; /resume runs it")
    ]


def test_turn_that_could_not_run_says_so() -> None:
    """A follow-up that went back to the queue is not passed over in silence."""
    ((kind, _, text),) = seen(ended(State.QUEUED), now=held(HoldReason.UNREACHABLE, 1))
    assert kind is Kind.MARK
    assert text.startswith("not answered: because")


def test_steering_input_is_shown() -> None:
    """An input that a running answer took in is named when it does."""
    events = [
        accepted("a", "x"),
        accepted("b", "more\nto the left"),
        receipt(State.STEERED, id="b"),
    ]
    assert seen(*events) == [(Kind.STEERED, 2, "more to the left")]


def test_missed_events_and_notices_are_said() -> None:
    """The user learns what a turn says beside its answer, and what was not shown."""
    notes = seen(TurnNotice("s", 0, 1, "a", "a not\x07e"), Missed("s", 0, 1234))
    assert [text for _, _, text in notes] == [
        "a not␇e",
        "1,234 events were not shown: the terminal was too slow",
    ]


def test_unanswered_are_counted() -> None:
    """Failed and cancelled follow-ups count, withdrawn ones were the user's wish."""
    view = View()
    for state in (State.ANSWERED, State.FAILED, State.CANCELLED, State.WITHDRAWN):
        view.fold(receipt(state), IDLE)
    assert view.unanswered == 2


def test_waiting_lines_are_numbered_and_folded() -> None:
    """Of 5,000 that wait the next few are shown, with their numbers, and a count."""
    view = View()
    queue = waiting(5000)
    for follow_up in queue:
        view.fold(accepted(follow_up.id, follow_up.text), IDLE)
    lines = live(view, Snapshot(Phase.RUNNING, None, queue))
    assert lines[0] == "  1  text 0"
    assert lines[-2:] == ["  8  text 7", "  … 4,992 more"]


def test_live_lines_leave_half_of_the_screen() -> None:
    """However much there is, the live lines take half of the rows at most."""
    view = View(loading="loading", notice="a notice")
    view.fold(delta("word " * 100), IDLE)
    for height in (1, 2, 5, 10, 24, 60):
        lines = live(view, held(HoldReason.USER, 100), height)
        assert len(lines) <= max(3, height // 2)
        assert all(len(line) <= WIDTH for line in lines)


def test_hold_says_why_and_what_to_do() -> None:
    """A hold with something behind it shows its reason and how to go on."""
    (*_, line) = live(View(), held(HoldReason.FAILED, 2))
    assert line == "‖ held: the last turn failed · 2 follow-ups · /resume or Enter goes on"


def test_hold_that_ends_by_itself_counts_down() -> None:
    """A rate limit shows in how many seconds it is over."""
    (*_, line) = live(View(), held(HoldReason.RATE_LIMITED, 1, until=107.5), time=100)
    assert "goes on in 8 s" in line


def test_hold_that_holds_nothing_back_is_not_shown() -> None:
    """After an interrupt with an empty queue there is nothing to resume."""
    assert live(View(), held(HoldReason.INTERRUPTED, 0)) == []


def test_leaving_says_how_many_come_before() -> None:
    """While the queue is finished the line counts what is left to do."""
    now = Snapshot(Phase.RUNNING, None, waiting(2))
    (*_, line) = live(View(leaving=True), now)
    assert line == "leaving after 3 follow-ups · Ctrl+C leaves now"


def test_loading_line_stands_until_it_is_done() -> None:
    """What the model reports while it loads is shown, made printable."""
    assert live(View(loading="50 %\x1b[2J"), IDLE) == ["50 %␛[2J"]
    assert live(View(loading=""), IDLE) == []


def test_heading_is_one_line() -> None:
    """A heading never takes more than a row, whatever the input."""
    lines = painted(Block(Kind.HEADING, "日本語" * 60, 7), LOOK, WIDTH)
    assert lines[0] == []
    assert len(lines) == 2


def test_signs_have_plain_stand_ins() -> None:
    """A terminal without Unicode gets other signs, in as many cells."""
    plain = Look.of(color=False, encoding="ascii")
    assert (plain.prompt + plain.cross + plain.steer + plain.pause + plain.ellipsis).isascii()
    assert plain.fit("a — b · c") == "a - b - c"


def test_what_grows_takes_no_more_rows_than_those_above_it_can_make_up_for() -> None:
    """Each row of 117 cells would be three where the window is made narrow, as people do."""
    view = View()
    assert view.tail_rows(117) == 4  # 480 cells in all
    view.above = 8
    assert (view.tail_rows(117), view.tail_width(117)) == (2, 117)
    view.above = 3
    assert (view.tail_rows(117), view.tail_width(117)) == (1, 39)
    assert (view.tail_rows(39), view.tail_width(39)) == (6, 39)
    assert view.tail_width(30) == 30


def test_rows_that_wait_are_no_wider_than_those_above_them_can_make_up_for() -> None:
    """In a narrow window each may be several, which move as many off the top of the screen."""
    view = View()
    assert view.row_width(189, 5, [189]) == 189
    view.above = 28
    assert view.row_width(189, 5, [40, 80, 120]) == 119
    view.above = 18
    assert view.row_width(189, 5, [40, 80]) == 79
    view.above = 6
    assert view.row_width(189, 5, []) == 39
    assert view.row_width(30, 5, [189]) == 30
    assert view.row_width(189, 0, [189]) == 39


def test_rows_above_are_known_still_where_a_resize_moves_others_off() -> None:
    """Those of the frame, and as many as it has more where it is made narrow, twice."""
    view = View()
    view.above = 1000
    view.resized([20, 39, 100], 30)
    assert view.above == 30 - 3 - 4
    view.resized([190], 50)
    assert view.above == 23 - 1 - 8
    view.resized([190] * 9, 50)
    assert view.above == 0
