"""What an input means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_shell import HoldReason, Lane
from agent_shell_cli.repl.router import (
    PROMPT_SENDER,
    Call,
    Complain,
    Nothing,
    Pressed,
    Resume,
    Send,
    Situation,
    route,
    route_interrupt,
    route_stop,
)
from agent_shell_cli.verbs import COMMANDS, Verb, help_text

IDLE = Situation()
RUNNING = Situation(running=True)
HELD = Situation(hold=HoldReason.INTERRUPTED, waiting=2)
LEAVING = Situation(running=True, leaving=True)


def test_text_is_sent_as_it_is() -> None:
    """Nothing is stripped, joined or read into an input that is no command."""
    assert route("  two\n  lines ", IDLE) == Send("  two\n  lines ", Lane.QUEUE)


@pytest.mark.parametrize("busy", [Lane.QUEUE, Lane.STEER, Lane.INTERRUPT])
def test_busy_is_the_lane_while_a_turn_runs(busy: Lane) -> None:
    """`--busy` says what Enter means during a turn; otherwise an input is queued."""
    assert route("x", Situation(running=True, busy=busy)) == Send("x", busy)
    assert route("x", Situation(stopping=True, busy=busy)) == Send("x", busy)
    assert route("x", Situation(busy=busy)) == Send("x", Lane.QUEUE)


TAKES = {c.verb: " ".join("1" for _ in c.takes.split()) for c in COMMANDS}
ALONE = [c.verb for c in COMMANDS if (not c.takes or c.takes[0] == "[") and not c.queued]


@pytest.mark.parametrize("verb", ALONE)
def test_each_command_has_its_name(verb: Verb) -> None:
    """A slash and a name alone on a line are a command, whatever its case."""
    situation = Situation(running=True, cut_off=True, asked=True)
    assert route(f"/{verb}", situation) == Call(verb)
    assert route(f"/{verb.upper()} ", situation) == Call(verb)


def test_unknown_command_is_not_sent() -> None:
    """A mistyped command is said to be one; the model never sees it."""
    action = route("/qeue", IDLE)
    assert isinstance(action, Complain)
    assert "/qeue" in action.text


@pytest.mark.parametrize("situation", [Situation(running=True, asked=True), LEAVING])
def test_a_tool_is_answered_by_a_command(situation: Situation) -> None:
    """`/allow` takes one of three words, `/deny` a reason of any kind, also while one leaves."""
    situation = replace(situation, asked=True)
    assert route("/allow always", situation) == Call(Verb.ALLOW, text="always")
    assert route("/deny a\nb", situation) == Call(Verb.DENY, text="a\nb")
    assert isinstance(route("/allow everything", situation), Complain)
    assert isinstance(route("/allow", replace(situation, asked=False)), Complain)
    assert isinstance(route("/allow", replace(situation, attached=7)), Complain)


def test_a_spent_budget_holds_the_next_input_too() -> None:
    """What holds it back ends when the user says so, and not because something was typed."""
    for hold in (HoldReason.USER, HoldReason.BUDGET):
        assert route("x", Situation(hold=hold)) == Send("x", Lane.QUEUE, release=False)
        assert route("", Situation(hold=hold)) == Resume()
    assert route("x", Situation(hold=HoldReason.UNREACHABLE)) == Send("x", Lane.QUEUE, True)


def test_command_takes_nothing_behind_it() -> None:
    """Words behind a command are not dropped in silence."""
    assert isinstance(route("/clear everything", IDLE), Complain)


@pytest.mark.parametrize(
    "text", ["/etc/passwd is what?", "/", " /help", "/help\nme", "/2 of it", "/odd\nme", " !ls"]
)
def test_what_only_looks_like_a_command_is_text(text: str) -> None:
    """A path, a lone slash, a leading space and several lines make no command."""
    assert route(text, IDLE) == Send(text, Lane.QUEUE)


def test_empty_enter_goes_on_with_what_is_held() -> None:
    """Enter alone ends a hold, and means nothing otherwise."""
    assert route("", HELD) == Resume()
    assert route("  ", HELD) == Resume()
    assert route("", RUNNING) == Nothing()
    assert route("", IDLE) == Nothing()


def test_hold_over_an_empty_queue_does_not_stick() -> None:
    """After an interrupt with nothing waiting, the next input runs."""
    empty = Situation(hold=HoldReason.INTERRUPTED)
    assert route("x", empty) == Send("x", Lane.QUEUE, release=True)
    assert route("x", HELD) == Send("x", Lane.QUEUE, release=False)


def test_hold_that_the_user_asked_for_stays() -> None:
    """`/hold` collects inputs, also where nothing waited yet."""
    assert route("x", Situation(hold=HoldReason.USER)) == Send("x", Lane.QUEUE, release=False)


def test_no_input_is_taken_while_leaving() -> None:
    """What is typed while the queue is finished is refused aloud."""
    assert isinstance(route("x", LEAVING), Complain)
    assert isinstance(route("/queue", LEAVING), Complain)
    assert route("", LEAVING) == Nothing()


@given(st.text(), st.booleans(), st.sampled_from([None, *HoldReason]), st.integers(0, 2))
def test_no_text_is_lost(text: str, running: bool, hold: HoldReason | None, waiting: int) -> None:
    """Any text is sent whole, carried out, or refused aloud; only blanks may mean nothing."""
    action = route(text, Situation(running=running, hold=hold, waiting=waiting))
    match action:
        case Send():
            assert action.text == text
        case Nothing() | Resume():
            assert not text.strip()
        case Call():
            assert text.startswith("/")
        case Complain():
            assert text[0] in "/!"


@pytest.mark.parametrize(
    ("draft", "situation", "warned", "pressed"),
    [
        ("draft", RUNNING, False, Pressed.CLEAR_DRAFT),
        ("", RUNNING, False, Pressed.INTERRUPT),
        ("", Situation(stopping=True), False, Pressed.WARN),
        ("", HELD, False, Pressed.WARN),
        ("", IDLE, False, Pressed.WARN),
        ("", IDLE, True, Pressed.LEAVE),
        ("draft", IDLE, True, Pressed.CLEAR_DRAFT),
        ("", LEAVING, False, Pressed.LEAVE),
        ("draft", LEAVING, False, Pressed.LEAVE),
    ],
)
def test_ctrl_c(draft: str, situation: Situation, warned: bool, pressed: Pressed) -> None:
    """Ctrl-C clears a draft, then interrupts, then warns, then leaves."""
    assert route_interrupt(draft, situation, warned) is pressed


def test_help_names_every_command() -> None:
    """The help is made from the table that the router reads, in lines that fit."""
    lines = help_text().splitlines()
    assert {command.verb for command in COMMANDS} == set(Verb)
    assert all(any(f"/{verb} " in line for line in lines) for verb in Verb)
    assert max(map(len, lines)) < 80


def test_what_the_shell_itself_does_waits_in_its_place() -> None:
    """`!` lines and `/model` are follow-ups of the prompt's own, in order, whatever Enter means."""
    steering = Situation(running=True, busy=Lane.STEER)
    for text in ("!ls -l", "!!env", "/model echo", "/model"):
        assert route(text, steering) == Send(text, Lane.QUEUE, sender=PROMPT_SENDER)
    for text in ("!", "!! "):
        assert isinstance(route(text, IDLE), Complain)


def test_a_key_may_ask_for_a_lane() -> None:
    """Ctrl+S steers whatever `--busy` says; where no turn runs there is nothing to steer."""
    assert route("x", RUNNING, Lane.STEER) == Send("x", Lane.STEER)
    assert route("x", IDLE, Lane.STEER) == Send("x", Lane.QUEUE)


def test_commands_of_the_users_own_stand_for_texts() -> None:
    """A name that is not ours may be one of theirs; ours win."""
    own = Situation(custom=lambda name, rest: f"<{name}:{rest}>" if name != "odd" else None)
    assert route("/review core now", own) == Send(
        "<review:core now>", Lane.QUEUE, typed="/review core now"
    )
    assert route("/help", own) == Call(Verb.HELP)
    assert isinstance(route("/odd", own), Complain)


def test_esc_stops_the_turn_and_nothing_else() -> None:
    """It never clears a draft and never leaves."""
    assert route_stop(RUNNING) is Pressed.INTERRUPT
    for situation in (IDLE, HELD, Situation(stopping=True)):
        assert route_stop(situation) is Pressed.NOTHING


@pytest.mark.parametrize("verb", [Verb.RETRY, Verb.SKIP])
def test_retry_and_skip_need_a_turn_that_was_cut_off(verb: Verb) -> None:
    """Without one they say that there is none."""
    assert isinstance(route(f"/{verb}", Situation(hold=HoldReason.RESTORED)), Complain)


def test_one_waiting_input_is_addressed_by_its_number() -> None:
    """`/edit` takes a number and perhaps a text, which may have lines; `/drop` a number alone."""
    assert route("/drop 3", IDLE) == Call(Verb.DROP, 3)
    assert route("/edit 3", IDLE) == Call(Verb.EDIT, 3)
    assert route("/edit 12 say it so", IDLE) == Call(Verb.EDIT, 12, "say it so")
    assert route("/edit 1 two\nlines ", IDLE) == Call(Verb.EDIT, 1, "two\nlines")
    assert route("/move 3 1", IDLE) == Call(Verb.MOVE, 3, place=1)
    for text in ("/drop", "/drop it", "/drop 3 now", "/edit", "/edit it so", "/move 3"):
        action = route(text, IDLE)
        assert isinstance(action, Complain)
        assert "/queue shows the numbers" in action.text


def test_attached_shell_rules_nothing() -> None:
    """Where another process owns the session, its queue is not ruled from here."""
    attached = Situation(running=True, attached=7, busy=Lane.STEER, cut_off=True)
    allowed = {
        verb
        for verb in Verb
        if isinstance(route(f"/{verb} {TAKES[verb]}".rstrip(), attached), Call)
    }
    assert not allowed & {command.verb for command in COMMANDS if command.owners}
    assert allowed >= {Verb.HELP, Verb.QUEUE, Verb.BTW, Verb.COPY, Verb.EXIT}
    assert isinstance(route("!ls", attached), Complain)
    assert route_stop(attached) is Pressed.NOTHING
    assert route("hello", attached) == Send("hello", Lane.STEER)
    assert route_interrupt("", attached, warned=False) is Pressed.WARN


def test_names_that_other_shells_use_are_understood() -> None:
    """`/quit` does nothing here, and says what does."""
    action = route("/quit", IDLE)
    assert isinstance(action, Complain)
    assert "did you mean /exit?" in action.text
