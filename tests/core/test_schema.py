"""The schema of the events, against the events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from agent_shell import HoldReason, Lane, State, Usage, events
from agent_shell.events import EVENT_TYPES, Event, as_json
from agent_shell.schema import event_schema

_EVENTS: list[Event] = [
    events.SessionOpened("s", 1.0),
    events.FollowUpAccepted("s", 1.0, "a", "text", Lane.STEER, "user", 1),
    events.FollowUpRejected("s", 1.0, "", "QueueFull", "full"),
    events.FollowUpEdited("s", 1.0, "a", "other"),
    events.FollowUpMoved("s", 1.0, "a", 2, Lane.QUEUE),
    events.TurnStarted("s", 1.0, 1, "a", 0),
    events.TurnDelta("s", 1.0, 1, "a", "piece"),
    events.TurnNotice("s", 1.0, 1, "a", "notice"),
    events.ToolCalled("s", 1.0, 1, "a", "c1", "read", {"path": "x"}),
    events.ToolReturned("s", 1.0, 1, "a", "c1", "read", True, "text"),
    events.TurnEnded("s", 1.0, 1, "a", State.ANSWERED, 0.5, Usage(1, 2, {"cached": 3})),
    events.TurnEnded("s", 1.0, 1, "a", State.QUEUED, 0.5, None),
    events.Receipt("s", 1.0, "a", State.FAILED, "why", 1, ""),
    events.Receipt("s", 1.0, "a", State.WITHDRAWN, "user", None, ""),
    events.SessionHeld("s", 1.0, HoldReason.RATE_LIMITED, "too fast", 2.0, 3),
    events.SessionReleased("s", 1.0, "user"),
    events.SessionClosed("s", 1.0, 0),
    events.Missed("s", 1.0, 5),
]


def _validator() -> Draft202012Validator:
    return Draft202012Validator(event_schema())


def _plain(event: Event) -> dict[str, Any]:
    """The event as a reader of the stream gets it."""
    plain: dict[str, Any] = json.loads(json.dumps(as_json(event, 1)))
    return plain


def test_the_schema_is_a_schema() -> None:
    """It is valid JSON Schema, and plain JSON."""
    Draft202012Validator.check_schema(json.loads(json.dumps(event_schema())))


def test_every_type_of_event_is_in_it() -> None:
    """Each type has its branch, and each is tried here."""
    types = {event.type for event in EVENT_TYPES}
    assert set(event_schema()["$defs"]) == types == {event.type for event in _EVENTS}


@pytest.mark.parametrize("event", _EVENTS, ids=lambda event: event.type)
def test_every_event_matches(event: Event) -> None:
    """What `as_json` gives matches the schema."""
    _validator().validate(_plain(event))


@pytest.mark.parametrize("event", _EVENTS, ids=lambda event: event.type)
def test_every_property_is_described_and_needed(event: Event) -> None:
    """The schema names exactly the properties of the event, and misses each that is gone."""
    plain = _plain(event)
    assert set(event_schema()["$defs"][event.type]["properties"]) == set(plain)
    for key in plain:
        with pytest.raises(ValidationError):
            _validator().validate({name: plain[name] for name in plain if name != key})


def test_a_wrong_value_does_not_match() -> None:
    """A state that does not exist is no event."""
    with pytest.raises(ValidationError):
        _validator().validate({**_plain(_EVENTS[10]), "state": "lost"})
