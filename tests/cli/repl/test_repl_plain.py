"""Each event as one line, where nothing on the screen can move."""

from __future__ import annotations

import pytest

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
