"""The plain state of a session: no I/O, no clock, no task, no future.

Everything here is data that `dataclasses.asdict` and `json` can write down and
`SessionState.load` can read back; `transitions.py` alone changes it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from dataclasses import field
from typing import Any

from agent_shell import errors
from agent_shell.records import record

__all__ = [
    "Budget",
    "FollowUp",
    "Hold",
    "HoldReason",
    "Lane",
    "Limits",
    "OnFailure",
    "Phase",
    "SessionState",
    "State",
    "TurnState",
    "utf8_size",
]


class Lane(enum.StrEnum):
    """What an input that was typed during a turn means."""

    QUEUE = "queue"
    STEER = "steer"
    INTERRUPT = "interrupt"
    MERGE = "merge"


class State(enum.StrEnum):
    """Where a follow-up or a turn stands.

    The last six are receipts, and final. A turn that a crash cut off is
    `interrupted`, and its follow-up `queued` again.
    """

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    ANSWERED = "answered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    MERGED = "merged"
    STEERED = "steered"


class HoldReason(enum.StrEnum):
    """Why a session keeps its queue and starts no turn."""

    USER = "user"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    BUDGET = "budget"
    RESTORED = "restored"
    JOURNAL = "journal"
    CLOSING = "closing"


class OnFailure(enum.StrEnum):
    """What a failed turn does to the queue behind it."""

    HOLD = "hold"
    CONTINUE = "continue"


class Phase(enum.IntEnum):
    """A session's phase: the columns of the table in `transitions.py`.

    `HELD` without a hold is a session of which all that waits is held back, or is
    being fetched from the journal.
    """

    IDLE = 0
    RUNNING = 1
    STOPPING = 2
    HELD = 3
    CLOSED = 4


@record
class FollowUp:
    """One user input that the session has accepted.

    `accepted_at` is in seconds since the epoch. While it is `held_back`, because
    somebody is at work on its text, what waits behind it runs before it.
    """

    id: str
    text: str
    lane: Lane
    sender: str
    accepted_at: float
    held_back: bool = False


@record
class Hold:
    """Why the session starts no turn; `until` (epoch seconds) if it ends by itself."""

    reason: HoldReason
    detail: str = ""
    until: float | None = None


@record
class TurnState:
    """The turn that runs: its number, its follow-up, who stopped it, what steers it.

    Turn numbers rise by one for each turn of a session and are never used
    again, so a number is also the fence of everything that the turn reports.
    """

    number: int
    follow_up: FollowUp
    stopped_by: str | None = None
    inbox: tuple[FollowUp, ...] = ()


@record
class Limits:
    """The bounds of one session: waiting follow-ups, and bytes (UTF-8) of one.

    With a `window`, a queue that is longer is in memory only up to about that
    many follow-ups; the rest waits in the journal.
    """

    queue: int = 100_000
    text_bytes: int = 1 << 20
    window: int | None = None

    def check(self, text: str) -> None:
        """Raises `TooLarge`, or `InvalidText` where it is not Unicode."""
        try:
            size = utf8_size(text)
        except UnicodeEncodeError as error:
            raise errors.InvalidText(
                f"the text is not Unicode: character {error.start + 1} is half of a pair"
            ) from None
        if size > self.text_bytes:
            raise errors.TooLarge(
                f"the text has {size:,} bytes and the limit is {self.text_bytes:,}; "
                "send it in parts, or as a file that the agent reads"
            )


def utf8_size(text: str) -> int:
    """How many bytes `text` has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


@record
class Budget:
    """How much a session may use before it holds, or has used; `None` is no bound.

    `turns` that have run, `tokens` read and written, `cost_usd` in US dollars. A turn
    whose model names no price costs nothing here.
    """

    turns: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None

    def left(self, spent: Budget) -> Budget:
        """What of it was not `spent`; never below 0."""
        return Budget(
            None if self.turns is None else max(0, self.turns - (spent.turns or 0)),
            None if self.tokens is None else max(0, self.tokens - (spent.tokens or 0)),
            None if self.cost_usd is None else max(0.0, self.cost_usd - (spent.cost_usd or 0.0)),
        )


@record
class SessionState:
    """One object owns one session's whole state.

    `guard` is the mark "somebody owns me": a number that is new each time the
    guard is set and `None` while the session is unguarded; `guards` counts them.
    `beyond` follow-ups wait in the journal, behind those of `queue`; `fetching` is
    the number of the fetch that is under way to bring the next of them. `spent` is
    what was used of the `budget` since the session was taken up, or since somebody
    released it from a hold for its budget.
    """

    key: str
    limits: Limits = field(default_factory=Limits)
    on_failure: OnFailure = OnFailure.HOLD
    phase: Phase = Phase.IDLE
    queue: deque[FollowUp] = field(default_factory=deque[FollowUp])
    beyond: int = 0
    fetching: int | None = None
    fetches: int = 0
    turn: TurnState | None = None
    turns: int = 0
    guard: int | None = None
    guards: int = 0
    hold: Hold | None = None
    closing: bool = False
    budget: Budget = field(default_factory=Budget)
    spent: Budget = field(default_factory=lambda: Budget(0, 0, 0.0))

    @property
    def waiting(self) -> int:
        """How many follow-ups wait in the queue, here and in the journal."""
        return len(self.queue) + self.beyond

    def dump(self) -> dict[str, Any]:
        """The state as JSON-ready data; `load` gives an equal state back."""
        plain = dataclasses.asdict(dataclasses.replace(self, queue=deque()))
        # `asdict` looks into lists, not into a deque.
        plain["queue"] = [dataclasses.asdict(follow_up) for follow_up in self.queue]
        return plain

    @classmethod
    def load(cls, plain: dict[str, Any]) -> SessionState:
        """The state that `dump` wrote."""
        fields: dict[str, Any] = dict(plain)
        turn, hold = plain["turn"], plain["hold"]
        fields["limits"] = Limits(**plain["limits"])
        fields["on_failure"] = OnFailure(plain["on_failure"])
        fields["phase"] = Phase(plain["phase"])
        fields["budget"], fields["spent"] = Budget(**plain["budget"]), Budget(**plain["spent"])
        fields["queue"] = deque(_follow_up(item) for item in plain["queue"])
        if turn is not None:
            inbox = tuple(_follow_up(item) for item in turn["inbox"])
            fields["turn"] = TurnState(
                turn["number"], _follow_up(turn["follow_up"]), turn["stopped_by"], inbox
            )
        if hold is not None:
            fields["hold"] = Hold(HoldReason(hold["reason"]), hold["detail"], hold["until"])
        return cls(**fields)


def _follow_up(plain: dict[str, Any]) -> FollowUp:
    fields: dict[str, Any] = {**plain, "lane": Lane(plain["lane"])}
    return FollowUp(**fields)
