"""The decisions alone: any sequence of commands, without an event loop."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_shell import (
    AgentShellError,
    FollowUp,
    Hold,
    HoldReason,
    Lane,
    Limits,
    OnFailure,
    Phase,
    State,
)
from agent_shell.commands import (
    Cancel,
    Close,
    Command,
    Edit,
    Effect,
    Fetch,
    Fetched,
    HoldBack,
    Interrupt,
    Move,
    Promote,
    PutOnHold,
    Release,
    Remove,
    Submit,
    TakeSteers,
    TurnOver,
    Unwritten,
)
from agent_shell.events import (
    FollowUpAccepted,
    FollowUpMoved,
    Receipt,
    SessionClosed,
    TurnEnded,
    TurnStarted,
)
from agent_shell.state import SessionState
from agent_shell.transitions import TABLE, decide

NOW = 1000.0


def follow_up(number: int, lane: Lane = Lane.QUEUE, sender: str = "user") -> FollowUp:
    return FollowUp(f"f{number}", f"text {number}", lane, sender, NOW)


def over(turn: int, state: State = State.ANSWERED, hold: Hold | None = None) -> TurnOver:
    return TurnOver(turn, state, "", "answer", None, 0.5, hold)


def test_the_table_is_complete():
    """Every command has a decision in every phase."""
    assert set(TABLE) == set(Command.__args__)
    assert all(len(row) == len(Phase) for row in TABLE.values())


def test_the_state_is_plain_data():
    """A state survives JSON, with a turn, a queue, an inbox and a hold in it."""
    state = SessionState("k", Limits(5, 100), OnFailure.CONTINUE)
    for number, lane in enumerate([Lane.QUEUE, Lane.QUEUE, Lane.STEER]):
        decide(state, Submit(follow_up(number, lane)), NOW)
    decide(state, PutOnHold(Hold(HoldReason.RATE_LIMITED, "slow", NOW + 5)), NOW)
    assert SessionState.load(json.loads(json.dumps(state.dump()))) == state


def test_the_same_commands_give_the_same_effects():
    """Decisions are deterministic: no clock, no randomness, no identity of objects."""
    commands: list[Command] = [
        Submit(follow_up(1)),
        Submit(follow_up(2)),
        Submit(follow_up(3, Lane.INTERRUPT)),
        over(1, State.CANCELLED),
        Interrupt("user"),
        over(2),
        Release("user"),
        Close(drain=True),
        over(3),
    ]
    one, two = SessionState("k"), SessionState("k")
    for command in commands:
        assert decide(one, command, NOW) == decide(two, command, NOW)
    assert one == two


def test_a_stale_end_of_a_turn_changes_nothing():
    """The turn's number is a fence: what an earlier turn reports has no effect."""
    state = SessionState("k")
    decide(state, Submit(follow_up(1)), NOW)
    decide(state, over(1), NOW)
    decide(state, Submit(follow_up(2)), NOW)
    before = state.dump()
    assert decide(state, over(1), NOW) == []
    assert state.dump() == before


def test_a_timer_ends_only_its_own_hold():
    """A hold that replaced a rate limit is not ended by that limit's timer."""
    state = SessionState("k")
    decide(state, PutOnHold(Hold(HoldReason.RATE_LIMITED, "", NOW + 5)), NOW)
    decide(state, PutOnHold(Hold(HoldReason.USER)), NOW)
    assert decide(state, Release("timer", NOW + 5), NOW + 5) == []
    assert state.phase is Phase.HELD


def test_a_steer_behind_an_interrupt_runs_behind_it():
    """An input that interrupts runs next; a steer that came too late comes after it."""
    state = SessionState("k")
    decide(state, Submit(follow_up(1)), NOW)
    decide(state, Submit(follow_up(2)), NOW)
    decide(state, Submit(follow_up(3, Lane.STEER)), NOW)
    decide(state, Submit(follow_up(4, Lane.INTERRUPT)), NOW)
    decide(state, Submit(follow_up(5, Lane.STEER)), NOW)
    assert [f.id for f in state.queue] == ["f4", "f3", "f5", "f2"]


def test_steers_that_come_too_late_run_as_they_were_typed():
    """While a turn stops, each goes behind those before it, and all before the queue."""
    state = SessionState("k")
    decide(state, Submit(follow_up(1)), NOW)
    decide(state, Submit(follow_up(2)), NOW)
    decide(state, Interrupt("user"), NOW)
    facts = [f for n in (3, 4, 5) for f in decide(state, Submit(follow_up(n, Lane.STEER)), NOW)]
    assert [f.id for f in state.queue] == ["f3", "f4", "f5", "f2"]
    assert [f.position for f in facts if isinstance(f, FollowUpAccepted)] == [1, 2, 3]


def test_a_steer_that_a_turn_left_runs_behind_an_earlier_one():
    """One that came too late for the turn before goes first, and both before the queue."""
    state = SessionState("k")
    for number, lane in enumerate((Lane.QUEUE, Lane.QUEUE, Lane.INTERRUPT, Lane.STEER), 1):
        decide(state, Submit(follow_up(number, lane)), NOW)
    decide(state, over(1), NOW)
    decide(state, Submit(follow_up(5, Lane.STEER)), NOW)  # into the turn of the interrupt
    decide(state, over(2), NOW)
    assert state.turn is not None
    assert [state.turn.follow_up.id, *(f.id for f in state.queue)] == ["f4", "f5", "f2"]


def test_a_batch_that_was_not_recorded_did_not_happen():
    """Its inputs are gone, its turn has not started, and the session holds and says why."""
    state = SessionState("k")
    decide(state, Submit(follow_up(1)), NOW)
    decide(state, Unwritten(frozenset({"f1"}), 1, "disk full"), NOW)
    assert (state.phase, state.turn, len(state.queue)) == (Phase.HELD, None, 0)
    assert state.hold == Hold(HoldReason.JOURNAL, "disk full")


def test_what_a_refused_interrupt_had_moved_is_told_its_place_again():
    """Steers stood behind it, and behind an older one; without it they are one further on."""
    state = SessionState("k")
    for number, lane in enumerate((Lane.QUEUE, Lane.QUEUE, Lane.INTERRUPT, Lane.INTERRUPT), 1):
        decide(state, Submit(follow_up(number, lane)), NOW)
    decide(state, over(1), NOW)  # the newer one runs, the older one waits
    decide(state, Submit(follow_up(5, Lane.STEER)), NOW)
    decide(state, Submit(follow_up(6, Lane.INTERRUPT)), NOW)
    effects = decide(state, Unwritten(frozenset({"f6"}), None, "disk full"), NOW)
    assert [f.id for f in state.queue] == ["f3", "f5", "f2"]
    moved = {fact.id: fact.position for fact in effects if isinstance(fact, FollowUpMoved)}
    assert moved == {"f3": 1, "f5": 2}


def test_an_input_that_was_recorded_stays_when_its_start_was_not():
    """The start of a turn that was not recorded puts its input back to the head."""
    state = SessionState("k")
    for number in (1, 2, 3):
        decide(state, Submit(follow_up(number)), NOW)
    decide(state, over(1), NOW)
    decide(state, Unwritten(frozenset(), 2, "disk full"), NOW)
    assert [f.id for f in state.queue] == ["f2", "f3"]
    started = decide(state, Release("user"), NOW)
    assert [e.turn for e in started if isinstance(e, TurnStarted)] == [3]


_ids = st.integers(0, 12).map(lambda n: f"f{n}")
_turns = st.sampled_from([0, 0, 0, 1, 2])  # how far behind the running turn's number
# How often each is drawn: queues get long only where inputs are common and ends are not.
_weighted = [
    (12, st.tuples(st.just("submit"), st.sampled_from(Lane), st.sampled_from(["ann", "bob"]))),
    (6, st.tuples(st.just("submit"), st.just(Lane.QUEUE), st.just("ann"))),
    (6, st.tuples(st.just("over"), _turns, st.sampled_from([State.ANSWERED, State.FAILED]))),
    (1, st.tuples(st.just("back"), st.sampled_from([None, NOW + 1]))),
    (2, st.tuples(st.just("unwritten"), st.booleans())),
    (1, st.builds(Interrupt, st.just("user"))),
    (1, st.builds(PutOnHold, st.builds(Hold, st.just(HoldReason.USER)))),
    (4, st.builds(Release, st.just("user"), st.sampled_from([None, NOW + 1]))),
    (2, st.builds(Edit, _ids, st.just("edited"))),
    (3, st.builds(Remove, _ids, st.just("user"))),
    (3, st.builds(Move, _ids, st.integers(-1, 6))),
    (3, st.builds(HoldBack, _ids, st.booleans())),
    (2, st.builds(Promote, _ids, st.sampled_from([Lane.STEER, Lane.INTERRUPT]))),
    (2, st.tuples(st.just("steers"), _turns)),
    (4, st.tuples(st.just("fetched"), st.booleans())),
]
_ordinary = st.sampled_from(
    [strategy for weight, strategy in _weighted for _ in range(weight)]
).flatmap(lambda strategy: strategy)
_closes = st.builds(Close, st.booleans())
# A session's life: commands, perhaps a close, and what still comes after it.
commands_of_a_life = st.builds(
    lambda life, close, after: [*life, *close, *after],
    st.lists(_ordinary, min_size=20, max_size=60),
    st.lists(_closes, max_size=1),
    st.lists(_ordinary, max_size=10),
)


class Ledger:
    """The queue as it can be told from the recorded facts alone."""

    def __init__(self) -> None:
        self.queue: list[str] = []
        self.steering: list[str] = []

    def record(self, fact: object) -> None:
        match fact:
            case FollowUpAccepted(lane=Lane.STEER, position=0, id=id):
                self.steering.append(id)
            case FollowUpAccepted(position=position, id=id):
                self.queue.insert(max(position - 1, 0), id)
            case FollowUpMoved(position=0, id=id):
                self.forget(id)
                self.steering.append(id)
            case FollowUpMoved(position=position, id=id):
                self.forget(id)
                self.queue.insert(position - 1, id)
            case TurnStarted(id=id) | Receipt(id=id):
                self.forget(id)
            case TurnEnded(state=State.QUEUED, id=id):
                self.queue.insert(0, id)
            case _:
                pass

    def forget(self, id: str) -> None:
        for ids in (self.queue, self.steering):
            if id in ids:
                ids.remove(id)


class World:
    """Runs commands on a state and checks every invariant after each."""

    def __init__(self, on_failure: OnFailure, limit: int, window: int | None = None) -> None:
        self.state = SessionState("k", Limits(limit, window=window), on_failure)
        self.fetch: Fetch | None = None
        self.rows: list[FollowUp] = []
        self.count = 0
        self.accepted: dict[str, bool] = {}
        self.running: int | None = None
        self.closed = False
        self.last: frozenset[str] = frozenset()
        self.last_turn: int | None = None
        self.ledger = Ledger()
        self.unrecorded: list[Effect] = []

    def command(self, drawn: Any) -> Command | None:
        """The drawn command, with the numbers that fit the present state."""
        turn = self.state.turns
        match drawn:
            case ("submit", lane, sender):
                self.count += 1
                return Submit(follow_up(self.count, lane, sender))
            case ("over", behind, state):
                return over(turn - behind, state)
            case ("back", until):
                return over(turn, hold=Hold(HoldReason.RATE_LIMITED, "", until))
            case ("steers", behind):
                return TakeSteers(turn - behind)
            case ("fetched", works):
                return self.fetched(works)
            case ("unwritten", _):
                if not self.last and self.last_turn is None:
                    return None
                return Unwritten(self.last, self.last_turn, "disk full")
            case _:
                command: Command = drawn
                return command

    def fetched(self, works: bool) -> Command | None:
        """What the journal answers to the last fetch, which may be stale by now."""
        if self.fetch is not None:
            self.look()
        if not works and self.state.fetching is not None:
            return Unwritten(frozenset(), None, "disk error")
        return Fetched(self.state.fetches, self.rows)

    def look(self) -> None:
        """The journal's look at its queue, after all that was recorded before."""
        assert self.fetch is not None
        told = self.told()
        place = 0 if self.fetch.after is None else told.index(self.fetch.after) + 1
        texts = {id: follow_up(int(id[1:])) for id in told}
        self.rows = [texts[id] for id in told[place : place + self.fetch.limit]]
        self.fetch = None

    def told(self) -> list[str]:
        """The queue as the facts have it, those of the last step included."""
        ledger = copy.deepcopy(self.ledger)
        for fact in self.unrecorded:
            ledger.record(fact)
        return ledger.queue

    def step(self, drawn: Any) -> None:
        command = self.command(drawn)
        if command is None:
            return
        before = self.state.dump()
        try:
            effects = decide(self.state, command, NOW)
        except AgentShellError:
            assert self.state.dump() == before, "a refusal changes nothing"
            return
        self.follow(command, effects)
        self.check()

    def follow(self, command: Command, effects: Sequence[Effect]) -> None:
        if isinstance(command, TurnOver) and command.turn == self.running:
            self.running = None
        for fact in self.unrecorded:
            refused = isinstance(command, Unwritten) and (
                (isinstance(fact, TurnStarted) and fact.turn == command.turn)
                or getattr(fact, "id", None) in command.ids
            )
            if not refused:
                self.ledger.record(fact)
        self.unrecorded = []
        if self.fetch is not None:
            self.look()
        self.unrecorded = list(effects)
        self.fetch = next((e for e in effects if isinstance(e, Fetch)), self.fetch)
        if isinstance(command, Unwritten):
            for id in command.ids:
                assert not self.accepted.pop(id), "a receipt of what was never recorded"
            if command.turn == self.running:
                self.running = None
        for effect in effects:
            if isinstance(effect, FollowUpAccepted):
                assert effect.id not in self.accepted
                self.accepted[effect.id] = False
            elif isinstance(effect, Receipt):
                assert not self.accepted[effect.id], "one receipt each"
                self.accepted[effect.id] = True
            elif isinstance(effect, TurnStarted):
                assert self.running is None, "one-owner"
                assert not self.closed
                self.running = effect.turn
            elif isinstance(effect, Cancel):
                assert effect.turn == self.running
            elif isinstance(effect, SessionClosed):
                assert not self.closed
                self.closed = True
        merged = {e.id for e in effects if isinstance(e, Receipt)}
        new = {e.id for e in effects if isinstance(e, FollowUpAccepted)}
        self.last = frozenset(new - merged)
        self.last_turn = next((e.turn for e in effects if isinstance(e, TurnStarted)), None)

    def check(self) -> None:
        state = self.state
        queue = [f.id for f in state.queue]
        told = self.told()
        assert told[: len(queue)] == queue, "the facts tell the queue"
        assert len(told) == state.waiting
        open_ids = list(told)
        if state.turn is not None:
            open_ids += [state.turn.follow_up.id, *(f.id for f in state.turn.inbox)]
        assert len(open_ids) == len(set(open_ids)), "nothing twice"
        assert set(open_ids) == {i for i, done in self.accepted.items() if not done}, "nothing-lost"
        assert (state.turn is not None) == (state.phase in (Phase.RUNNING, Phase.STOPPING))
        assert (state.turn and state.turn.number) == self.running, "one-owner"
        assert self.closed == (state.phase is Phase.CLOSED)
        if state.phase is Phase.CLOSED:
            return
        assert (state.guard is not None) == bool(open_ids), "guard-continuous"
        if state.phase is Phase.IDLE:
            assert state.hold is None
            assert not open_ids, "live"
        if state.phase is Phase.HELD and state.hold is None:
            assert state.fetching or all(f.held_back for f in state.queue), "live"
        assert SessionState.load(state.dump()) == state


@given(
    commands_of_a_life,
    st.sampled_from(OnFailure),
    st.sampled_from([2, 5, 1000]),
    st.sampled_from([None, 1, 2, 3]),
)
@settings(max_examples=1000)
def test_the_invariants_hold_after_every_step(drawn, on_failure, limit, window):
    """Whatever is asked in whatever order: nothing lost, nothing twice, one owner, live.

    Also where most of the queue is in the journal and comes from there in pieces.
    """
    world = World(on_failure, limit, window)
    for command in drawn:
        world.step(command)


def test_what_is_held_back_lets_the_others_pass():
    """A follow-up that is being edited keeps its place, and what waits behind it runs."""
    state = SessionState("k")
    for number in (1, 2, 3):
        decide(state, Submit(follow_up(number)), NOW)
    decide(state, HoldBack("f2", True), NOW)
    decide(state, over(1), NOW)
    assert state.turn is not None
    assert state.turn.follow_up.id == "f3"
    decide(state, HoldBack("f2", False), NOW)
    decide(state, over(2), NOW)
    assert state.turn.follow_up.id == "f2"


def test_a_session_whose_every_input_is_held_back_takes_up_the_next():
    """Nothing runs while all that waits is edited; a new input does, and so does what is let go."""
    state = SessionState("k")
    for number in (1, 2):
        decide(state, Submit(follow_up(number)), NOW)
    decide(state, HoldBack("f2", True), NOW)
    assert decide(state, over(1), NOW)[-1] == Receipt(
        "k", NOW, "f1", State.ANSWERED, "", 1, "answer"
    )
    assert (state.phase, state.guard) == (Phase.HELD, 1)
    decide(state, Submit(follow_up(3)), NOW)
    assert state.turn is not None
    assert state.turn.follow_up.id == "f3"
    decide(state, over(2), NOW)
    started = decide(state, HoldBack("f2", False), NOW)
    assert [e.id for e in started if isinstance(e, TurnStarted)] == ["f2"]


def test_what_waits_can_be_promoted_to_steer():
    """It leaves the queue for the running turn; if that ends first, it runs next."""
    state = SessionState("k")
    for number in (1, 2, 3):
        decide(state, Submit(follow_up(number)), NOW)
    moved = decide(state, Promote("f3", Lane.STEER), NOW)
    assert moved == [FollowUpMoved("k", NOW, "f3", 0, Lane.STEER)]
    assert [f.id for f in state.queue] == ["f2"]
    decide(state, over(1), NOW)
    assert state.turn is not None
    assert state.turn.follow_up.id == "f3"


def test_what_waits_can_be_promoted_to_interrupt():
    """The running turn is cancelled, and the promoted one runs next, without a hold."""
    state = SessionState("k")
    for number in (1, 2, 3):
        decide(state, Submit(follow_up(number)), NOW)
    effects = decide(state, Promote("f3", Lane.INTERRUPT), NOW)
    assert effects == [FollowUpMoved("k", NOW, "f3", 1, Lane.INTERRUPT), Cancel(1)]
    decide(state, over(1, State.CANCELLED), NOW)
    assert state.hold is None
    assert state.turn is not None
    assert state.turn.follow_up.id == "f3"


@pytest.mark.parametrize("n", [10, 10_000])
def test_a_decision_costs_the_same_however_many_wait(n: int):
    """A long queue is changed in place: the effects of an end do not grow with it."""
    state = SessionState("k", Limits(n))
    queue = state.queue
    for number in range(n):
        decide(state, Submit(follow_up(number)), NOW)
    assert len(decide(state, over(1), NOW)) == 3
    assert state.queue is queue
