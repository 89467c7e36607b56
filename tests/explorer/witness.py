"""What can be seen of an engine from outside, counted without asking it.

It sees what users ask, what the journal is given and records, what observers are told
and what the agent is made to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent_shell import HoldReason, Lane, State
from agent_shell.events import (
    Event,
    Fact,
    FollowUpAccepted,
    FollowUpMoved,
    Receipt,
    SessionClosed,
    SessionHeld,
    SessionReleased,
    TurnDelta,
    TurnEnded,
    TurnStarted,
)
from explorer.agent import Run
from explorer.store import Fold

__all__ = ["Broken", "Known", "View", "Witness"]


# What an agent's failure makes a session hold for.
_CAUSES = {
    "fail": HoldReason.FAILED,
    "clean-up": HoldReason.FAILED,
    "dies": HoldReason.FAILED,
    "limit": HoldReason.RATE_LIMITED,
    "unreachable": HoldReason.UNREACHABLE,
}


class Broken(AssertionError):
    """An invariant does not hold: its name, and what was seen."""

    def __init__(self, invariant: str, seen: str) -> None:
        super().__init__(f"{invariant}: {seen}")
        self.invariant, self.seen = invariant, seen


@dataclass(eq=False)
class Known:
    """One follow-up: what its user did, and what has become of it."""

    id: str
    name: str
    lane: Lane
    key: str
    process: str
    order: int
    arranged: bool = False  # by its user, after it was accepted
    recorded: bool = False
    refused: bool = False
    started: bool = False
    put_back: bool = False
    # Who wants a receipt recorded: one that was overtaken may too, in vain.
    decided_by: set[str] = field(default_factory=set[str])
    receipts: int = 0  # recorded
    told: int = 0  # receipts that observers were told


@dataclass
class View:
    """One session in one process, as seen from outside."""

    process: str
    key: str
    turn: tuple[int, str] | None = None  # decided, and not over
    stopped: set[int] = field(default_factory=set[int])
    given_up: set[int] = field(default_factory=set[int])
    ended: set[int] = field(default_factory=set[int])  # decided
    ended_before: set[int] = field(default_factory=set[int])  # this step
    shown: dict[int, str] = field(default_factory=dict[int, str])
    held: SessionHeld | None = None  # as told
    hold_due: str = ""  # why no turn may start
    until: float | None = None
    causes: set[HoldReason] = field(default_factory=set[HoldReason])
    held_back: set[str] = field(default_factory=set[str])
    closing: bool = False
    closed: bool = False
    lost: bool = False  # another process has it, and a write of this one was refused
    silent: bool = False  # and that was heard
    refusals: int = 0
    unclean: bool = False  # something was refused, and nothing that came later recorded
    asked_place: int | None = None  # where its user moves something, at this moment
    came_to: tuple[int, int] | None = None  # the place asked for in this step, and the one decided
    spent: int = 0  # turns, since its user released it
    released: int = 0  # by its user, and not yet decided
    guard: int | None = None  # that of the chain


class Witness:
    """The bookkeeping that the checks share."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.views: dict[tuple[str, str], View] = {}
        self.folds: dict[str, Fold] = {}
        self.runs: list[tuple[str, Run]] = []
        self.facts: dict[int, Fact] = {}  # by identity: what is given again is not new
        self.given_at: dict[int, int] = {}  # behind how many refusals, at last
        self.recorded_facts: set[int] = set()
        self.recorded_starts: dict[tuple[str, str, int], str] = {}  # with the text
        self.starts: list[str] = []  # as recorded
        self.held_at: dict[int, set[str]] = {}  # what was held back when a turn was decided
        self.holds_on_failure = True
        self.budget: int | None = None  # turns
        self.now = 0.0

    def view(self, process: str, key: str) -> View:
        """The session, as that process has it."""
        view = self.views.get((process, key))
        if view is None:
            view = self.views[process, key] = View(process, key)
        return view

    def fold(self, key: str) -> Fold:
        """What is recorded of it."""
        return self.folds.setdefault(key, Fold())

    def id_of(self, name: str) -> str | None:
        """The id of the follow-up that was submitted with the text `name`."""
        return next((k.id for k in reversed(self.known.values()) if k.name == name), None)

    def waits(self, view: View) -> list[Known]:
        """What the engine has decided to accept, without receipt, and does not run."""
        running = view.turn[1] if view.turn else None
        return [k for k in self.open(view) if k.id != running]

    def open(self, view: View) -> list[Known]:
        """All that is accepted (recorded or under way) and has no receipt."""
        return [
            known
            for known in self.known.values()
            if known.key == view.key
            and not known.receipts
            and not known.refused
            and view.process not in known.decided_by
            and (known.process == view.process or known.recorded)
        ]

    # What it is told

    def new_fact(self, view: View, fact: Fact) -> None:
        """The journal is given it for the first time: so the engine has decided."""
        self.facts[id(fact)] = fact
        self._decided(view, fact)

    def _decided(self, view: View, fact: Fact) -> None:
        match fact:
            case FollowUpAccepted(id=name, text=text, lane=lane):
                order = len(self.known)
                self.known[name] = Known(name, text, lane, view.key, view.process, order)
            case FollowUpMoved(id=name) if name in self.known:
                self.known[name].arranged = True
            case TurnStarted(turn=turn, id=name):
                view.turn = (turn, name)
                self.held_at[id(fact)] = set(view.held_back)
            case TurnEnded(turn=turn, id=name, state=state):
                view.turn = None
                view.ended.add(turn)
                view.spent += 1
                if self.budget is not None and view.spent >= self.budget:
                    view.hold_due = "the budget is spent"
                    view.causes.add(HoldReason.BUDGET)
                run = self.run_of(view.process, view.key, turn)
                if run is not None and not run.over:
                    view.given_up.add(turn)
                if run is not None and run.failed:
                    view.causes.add(_CAUSES[run.failed])
                if state is State.QUEUED:
                    self.known[name].put_back = True
                if state is State.QUEUED or (state is State.FAILED and self.holds_on_failure):
                    view.hold_due = f"turn {turn} ended {state}"
            case Receipt(id=name) if name in self.known:
                self.known[name].decided_by.add(view.process)
                view.held_back.discard(name)
            case SessionHeld(until=until):
                view.until = until
            case SessionReleased():
                view.hold_due, view.spent = "", 0
            case SessionClosed():
                view.closed = True
            case _:
                pass

    def recorded(self, process: str, key: str, facts: Sequence[Fact]) -> None:
        """The journal has these."""
        view = self.view(process, key)
        for fact in facts:
            if self.given_at[id(fact)] == view.refusals:
                view.unclean = False
            self.recorded_facts.add(id(fact))
            match fact:
                case FollowUpAccepted(id=name):
                    self.known[name].recorded = True
                case TurnStarted(id=name, turn=turn):
                    text = self.fold(key).entries[name].text
                    self.recorded_starts[process, key, turn] = text
                    self.known[name].started = True
                    self.starts.append(self.known[name].name)
                case Receipt(id=name) if name in self.known:
                    self.known[name].receipts += 1
                case _:
                    pass
            self.fold(key).apply(fact)

    def refused(self, process: str, key: str, facts: Sequence[Fact], lost: bool) -> None:
        """The journal will not have these."""
        view = self.view(process, key)
        view.refusals += 1
        view.unclean, view.lost = True, view.lost or lost
        view.causes.add(HoldReason.JOURNAL)
        for fact in facts:
            if type(fact) is FollowUpAccepted:
                self.known[fact.id].refused = True
            elif type(fact) is TurnStarted and view.turn == (fact.turn, fact.id):
                view.turn = None

    def heard(self, process: str, event: Event) -> None:
        """Observers were told."""
        view = self.view(process, event.session)
        match event:
            case TurnDelta(turn=turn, text=text):
                view.shown[turn] = view.shown.get(turn, "") + text
            case Receipt(id=id) if id in self.known:
                self.known[id].told += 1
            case SessionHeld():
                view.held = event
            case SessionReleased():
                view.held = None
            case _:
                pass

    def run_of(self, process: str, key: str, turn: int) -> Run | None:
        """What the agent was given as that turn."""
        for name, run in self.runs:
            if name == process and run.key == key and run.number == turn:
                return run
        return None

    def digest(self) -> str:
        """All that later checks depend on."""
        return repr((list(self.known.values()), list(self.views.values()), self.starts))
