"""What a session reports: facts, which the journal keeps, and passing events.

A `Fact` is recorded before anybody is told of it. The other events (a piece of
an answer, a refusal) are told at once and kept nowhere. `as_json` gives the one
form that leaves the process; `schema.py` describes it.

`time` is in seconds since the epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agent_shell.agents.base import Usage
from agent_shell.records import record
from agent_shell.state import HoldReason, Lane, State

__all__ = [
    "EVENT_TYPES",
    "Event",
    "Fact",
    "FollowUpAccepted",
    "FollowUpEdited",
    "FollowUpMoved",
    "FollowUpRejected",
    "Missed",
    "Receipt",
    "SessionClosed",
    "SessionHeld",
    "SessionOpened",
    "SessionReleased",
    "ToolCalled",
    "ToolReturned",
    "TurnDelta",
    "TurnEnded",
    "TurnMessages",
    "TurnNotice",
    "TurnPartial",
    "TurnStarted",
    "as_json",
]


@record
class Event:
    """The base of all: which session, and when."""

    type: ClassVar[str]
    session: str
    time: float


@record
class Fact(Event):
    """An event that is true only once the journal has it."""


@record
class SessionOpened(Event):
    """An engine has taken the session up."""

    type: ClassVar[str] = "session.opened"


@record
class FollowUpAccepted(Fact):
    """The session has taken an input; `position` follow-ups wait or run up to it.

    Position 1 is the next to run; 0 means that it starts at once, or that a
    running turn takes it in (lane `steer`).
    """

    type: ClassVar[str] = "follow_up.accepted"
    id: str
    text: str
    lane: Lane
    sender: str
    position: int


@record
class FollowUpRejected(Event):
    """An input was refused: `error` names the refusal, `reason` explains it."""

    type: ClassVar[str] = "follow_up.rejected"
    id: str
    error: str
    reason: str


@record
class FollowUpEdited(Fact):
    """A waiting follow-up has another text now."""

    type: ClassVar[str] = "follow_up.edited"
    id: str
    text: str


@record
class FollowUpMoved(Fact):
    """A waiting follow-up has another position now (1 is the next to run).

    Position 0 means that the running turn takes it in.
    """

    type: ClassVar[str] = "follow_up.moved"
    id: str
    position: int
    lane: Lane


@record
class TurnStarted(Fact):
    """A turn answers follow-up `id`; `queued` follow-ups wait behind it."""

    type: ClassVar[str] = "turn.started"
    turn: int
    id: str
    queued: int


@record
class TurnDelta(Event):
    """A piece of the answer."""

    type: ClassVar[str] = "turn.delta"
    turn: int
    id: str
    text: str


@record
class TurnNotice(Event):
    """Something about a turn that the user should know."""

    type: ClassVar[str] = "turn.notice"
    turn: int
    id: str
    text: str


@record
class ToolCalled(Event):
    """The agent begins to use a tool; `call` names this use within the turn."""

    type: ClassVar[str] = "tool.called"
    turn: int
    id: str
    call: str
    tool: str
    arguments: Mapping[str, Any]


@record
class ToolReturned(Event):
    """A use of a tool is over; `ok` is false where it failed, was denied or cut off."""

    type: ClassVar[str] = "tool.returned"
    turn: int
    id: str
    call: str
    tool: str
    ok: bool
    text: str


@record
class TurnPartial(Fact):
    """A piece of the answer, recorded so that a crash leaves what was produced.

    It is not told: its words went out as deltas.
    """

    type: ClassVar[str] = "turn.partial"
    turn: int
    id: str
    text: str


@record
class TurnMessages(Fact):
    """What the model's history has more of this turn; recorded as it comes, and not told.

    `messages` are JSON-ready, in a form of the agent's own.
    """

    type: ClassVar[str] = "turn.messages"
    turn: int
    id: str
    messages: Sequence[Mapping[str, Any]]


@record
class TurnEnded(Fact):
    """A turn is over, its clean-up included.

    `state` is `answered`, `failed`, `cancelled`, or `queued` where the turn
    could not run and its follow-up went back to the head of the queue.
    """

    type: ClassVar[str] = "turn.ended"
    turn: int
    id: str
    state: State
    elapsed_s: float
    usage: Usage | None


@record
class Receipt(Fact):
    """The one final state of a follow-up.

    `reason` is who cancelled or withdrew it, why it failed, what it was merged
    into, or why what was to steer a turn has one of its own; `turn` is the turn
    that answered it or that it steered. Of a turn that was not answered, `answer`
    is the part that there was.
    """

    type: ClassVar[str] = "receipt"
    id: str
    state: State
    reason: str
    turn: int | None
    answer: str

    def __str__(self) -> str:
        """The receipt as a person says it: `cancelled by user`."""
        joint = _JOINT.get(self.state, ": ")
        return f"{self.state}{joint}{self.reason}" if self.reason else str(self.state)


_JOINT = {
    State.ANSWERED: " by ",
    State.CANCELLED: " by ",
    State.WITHDRAWN: " by ",
    State.MERGED: " into ",
    State.STEERED: " into ",
}


@record
class SessionHeld(Fact):
    """The session keeps its queue and starts no turn, until it is released."""

    type: ClassVar[str] = "session.held"
    reason: HoldReason
    detail: str
    until: float | None
    queued: int


@record
class SessionReleased(Fact):
    """The hold is over; `by` says who ended it."""

    type: ClassVar[str] = "session.released"
    by: str


@record
class SessionClosed(Fact):
    """The session takes no input and starts no turn; `queued` follow-ups are left."""

    type: ClassVar[str] = "session.closed"
    queued: int


@record
class Missed(Event):
    """An observer was too slow: `count` events were not kept for it."""

    type: ClassVar[str] = "missed"
    count: int


EVENT_TYPES: tuple[type[Event], ...] = (
    SessionOpened,
    FollowUpAccepted,
    FollowUpRejected,
    FollowUpEdited,
    FollowUpMoved,
    TurnStarted,
    TurnDelta,
    TurnNotice,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    Receipt,
    SessionHeld,
    SessionReleased,
    SessionClosed,
    Missed,
)


def as_json(event: Event, seq: int) -> dict[str, Any]:
    """The event as one JSON object; `seq` is its number in the stream it goes to."""
    body: dict[str, Any] = {"type": event.type, "session": event.session, "seq": seq}
    # Not `dataclasses.asdict`, which copies deeply: it would cost more than the encoding.
    for name in _FIELDS[type(event)]:
        body[name] = getattr(event, name)
    if type(event) is TurnEnded and event.usage is not None:
        body["usage"] = dataclasses.asdict(event.usage)
    return body


_FIELDS: dict[type[Event], tuple[str, ...]] = {
    kind: tuple(field.name for field in dataclasses.fields(kind) if field.name != "session")
    for kind in EVENT_TYPES
}
