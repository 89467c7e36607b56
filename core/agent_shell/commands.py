"""What can happen to a session, and what is to be done about it: plain data.

A `Command` goes into `transitions.decide`, a list of `Effect` comes out of it.
Both can be written down and sent, so that decisions may be made elsewhere.
"""

from __future__ import annotations

from typing import Literal

from agent_shell.agents.base import Usage
from agent_shell.events import Fact
from agent_shell.records import record
from agent_shell.state import FollowUp, Hold, Lane, State

__all__ = [
    "Cancel",
    "Close",
    "Command",
    "Edit",
    "Effect",
    "Fetch",
    "Fetched",
    "HoldBack",
    "Interrupt",
    "Move",
    "Promote",
    "PutOnHold",
    "Release",
    "Remove",
    "Restore",
    "Submit",
    "TakeSteers",
    "TurnOver",
    "Unwritten",
    "WakeAt",
]


@record
class Restore:
    """A session that was let go of, or whose process died, is taken up again.

    Its `queue`, and the `beyond` follow-ups behind that in the journal, are held:
    nothing that waited runs before somebody has seen it.
    """

    queue: list[FollowUp]
    beyond: int
    turns: int
    detail: str


@record
class Submit:
    """An input asks to be accepted."""

    follow_up: FollowUp


@record
class TurnOver:
    """Turn `turn` has ended, its clean-up included.

    With a `hold` it could not run: its follow-up goes back to the head of the
    queue. A number that is not the running turn's is stale and changes nothing.
    """

    turn: int
    state: State
    reason: str
    answer: str
    usage: Usage | None
    elapsed_s: float
    hold: Hold | None = None


@record
class Interrupt:
    """Somebody stops the running turn; the queue behind it is held."""

    by: str


@record
class PutOnHold:
    """No turn is to start until a release; the running one goes on."""

    hold: Hold


@record
class Release:
    """The hold is to end; with `until`, only the hold that ends at that time."""

    by: str
    until: float | None = None


@record
class Edit:
    """A waiting follow-up is to have another text."""

    id: str
    text: str


@record
class Remove:
    """A waiting follow-up leaves the queue, with `state` as its receipt."""

    id: str
    by: str
    state: State = State.WITHDRAWN


@record
class Move:
    """A waiting follow-up is to have position `position` (1 is the next to run)."""

    id: str
    position: int


@record
class HoldBack:
    """A waiting follow-up is not to run while `held` is true; others are."""

    id: str
    held: bool


@record
class Promote:
    """A waiting follow-up is to steer or to interrupt the running turn."""

    id: str
    lane: Literal[Lane.STEER, Lane.INTERRUPT]


@record
class TakeSteers:
    """Turn `turn` has reached a safe point, `where`, and takes in what is to steer it.

    But for the inputs `pending`, which the journal may still refuse.
    """

    turn: int
    where: str = ""
    pending: frozenset[str] = frozenset()


@record
class Close:
    """The session is to end: after its queue (`drain`), or with the queue left."""

    drain: bool


@record
class Unwritten:
    """The journal did not record a batch.

    The inputs `ids` were not accepted; the start of turn `turn` did not happen.
    `merges` are, in order, ids and what was joined to their texts, of those inputs
    that were merged. `moved` were given places that are not recorded either.
    """

    ids: frozenset[str]
    turn: int | None
    reason: str
    merges: tuple[tuple[str, str], ...] = ()
    moved: frozenset[str] = frozenset()


@record
class Fetched:
    """The journal has answered fetch `number`; one that is not under way is stale."""

    number: int
    follow_ups: list[FollowUp]


Command = (
    Restore
    | Submit
    | TurnOver
    | Interrupt
    | PutOnHold
    | Release
    | Edit
    | Remove
    | Move
    | HoldBack
    | Promote
    | TakeSteers
    | Close
    | Unwritten
    | Fetched
)


@record
class Cancel:
    """Cancel the task of this turn."""

    turn: int


@record
class WakeAt:
    """At `until` (epoch seconds), send `Release("timer", until)`."""

    until: float


@record
class Fetch:
    """Get the next `limit` follow-ups behind `after` (from the first, if `None`)."""

    number: int
    after: str | None
    limit: int


# A fact is an effect too: it is to be recorded, then told. `TurnStarted` is the one that
# is acted on: once it is recorded, its turn runs in a fresh task.
Effect = Fact | Cancel | WakeAt | Fetch
