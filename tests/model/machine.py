"""The engine and the reference, driven with the same operations by hypothesis.

After every operation the two must agree on all that a user can see. `Compared` has the
journal in memory; `machine_on_file.py` has the real one, with crashes and restarts.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent_shell import (
    AgentShellError,
    Engine,
    FollowUp,
    Journal,
    Lane,
    Limits,
    MemoryJournal,
    ModelUnreachable,
    OnFailure,
    Phase,
    RateLimited,
    Session,
)
from agent_shell.events import Receipt, TurnDelta, TurnStarted
from model.puppet import Puppet, Step, VirtualLoop
from model.reference import Reference

__all__ = ["Compared"]

LONGEST = 40
LANES = st.sampled_from([Lane.QUEUE, Lane.QUEUE, *Lane])
SENDERS = st.sampled_from(["ann", "bob"])
PLACES = st.integers(0, 4)
TEXTS = st.sampled_from(["hello", "make it so", "x" * (LONGEST + 1)])
ENDS: dict[str, tuple[Exception | None, str]] = {
    "answered": (None, ""),
    "failed": (RuntimeError("boom"), "RuntimeError: boom"),
    "rate_limited": (RateLimited("slow down", 5.0), "slow down"),
    "unreachable": (ModelUnreachable("nobody there"), "nobody there"),
    "breaks": (None, "RuntimeError: the clean-up broke"),
}


def _rows(follow_ups: Iterable[FollowUp | None]) -> list[FollowUp]:
    """All of them but their times, which the reference does not know."""
    return [replace(follow_up, accepted_at=0.0) for follow_up in follow_ups if follow_up]


class Compared(RuleBasedStateMachine):
    """One session with its journal in memory."""

    examples: ClassVar[int] = 0  # how many were begun, for who wants to know

    def __init__(self) -> None:
        super().__init__()
        type(self).examples += 1
        self.loop = VirtualLoop()
        self.count = 0
        self.end = "answered"
        self.deadlines: list[float] = []
        self.closes: list[asyncio.Task[list[FollowUp]]] = []
        self.receipts: list[tuple[Any, ...]] = []
        self.started: list[tuple[int, str]] = []
        self.shown = self.said = ""
        self.agrees = True

    @initialize(
        limit=st.sampled_from([2, 4, 100]),
        holds=st.booleans(),
        stubborn=st.booleans(),
        eager=st.booleans(),
    )
    def begin(self, limit: int, holds: bool, stubborn: bool, eager: bool) -> None:
        """A session without a past."""
        self.stubborn, self.limits = stubborn, Limits(limit, LONGEST)
        self.on_failure = OnFailure.HOLD if holds else OnFailure.CONTINUE
        self.model = Reference(limit, LONGEST, holds)
        if eager:
            self.loop.be_eager()
        self.loop.run_until_complete(self.open())

    def make_journal(self) -> Journal:
        """The journal of the next engine."""
        return MemoryJournal()

    async def open(self) -> None:
        """An engine with the session, as the journal has it."""
        self.agent, self.journal = Puppet(self.stubborn), self.make_journal()
        self.engine = Engine(
            self.agent,
            journal=self.journal,
            limits=self.limits,
            on_failure=self.on_failure,
            clock=self.loop.time,
        )
        self.observer = self.engine.observe()
        self.session: Session = await self.engine.open("s")

    # What is asked of both

    def both(self, real: Callable[[], Any], ours: Callable[[], Any]) -> None:
        """Does the same to both: it is refused by both, for the same reason, or by none."""
        self.agrees = False
        said = self.loop.run_until_complete(self.outcome(real))
        try:
            expected: object = ours()
        except AgentShellError as error:
            expected = type(error)
        refusals = [r for r in (said, expected) if isinstance(r, type)]
        assert not refusals or said is expected, f"{said} for {expected}"

    async def outcome(self, real: Callable[[], Any]) -> object:
        """What came of it, when nothing is left to do: the kind of a refusal, or nothing."""
        try:
            result = real()
            if inspect.iscoroutine(result):
                await asyncio.Task(result, loop=self.loop)
        except AgentShellError as error:
            return type(error)
        finally:
            await self.rest()
        return None

    async def rest(self) -> None:
        """Waits until all that was asked for is done and recorded."""
        await self.loop.quiet()

    def id_at(self, place: int) -> str:
        """Most often one that waits."""
        model = self.model
        ids = [f.id for f in [*model.queue, *model.steering]]
        return ids[place] if place < len(ids) else "f1"

    @property
    def step(self) -> Step:
        """The running turn, as the agent has it."""
        return self.agent.steps[-1]

    @rule(lane=LANES, sender=SENDERS, text=TEXTS)
    def submit(self, lane: Lane, sender: str, text: str) -> None:
        self.count += 1
        id = f"f{self.count}"
        self.both(
            lambda: self.session.submit(text, id=id, lane=lane, sender=sender),
            lambda: self.model.submit(FollowUp(id, text, lane, sender, 0.0)),
        )

    @precondition(lambda self: self.model.known)
    @rule(place=PLACES, text=TEXTS, lane=LANES)
    def submit_again(self, place: int, text: str, lane: Lane) -> None:
        """An id that was accepted before."""
        ids = list(self.model.known)
        id = ids[-1 - place % len(ids)]
        again = FollowUp(id, text, lane, "ann", 0.0)
        if len(text) <= LONGEST:
            self.both(
                lambda: self.session.submit(text, id=id, lane=lane, sender="ann"),
                lambda: self.model.submit(again),
            )

    @rule(place=PLACES, text=st.sampled_from(["hello", "edited"]))
    def edit(self, place: int, text: str) -> None:
        id = self.id_at(place)
        self.both(
            lambda: self.session.edit(id, text),
            lambda: setattr(self.model.waiting(id), "text", text),
        )

    @rule(place=PLACES)
    def remove(self, place: int) -> None:
        id = self.id_at(place)
        self.both(lambda: self.session.remove(id), lambda: self.model.remove(id))

    @rule(place=PLACES, position=st.integers(-1, 5))
    def move(self, place: int, position: int) -> None:
        id = self.id_at(place)
        self.both(lambda: self.session.move(id, position), lambda: self.model.move(id, position))

    @rule(place=PLACES)
    def hold_back(self, place: int) -> None:
        id = self.id_at(place)
        self.both(
            lambda: self.session.hold_back(id),
            lambda: setattr(self.model.waiting(id), "held_back", True),
        )

    @rule(place=PLACES)
    def let_go(self, place: int) -> None:
        self.let_run(self.id_at(place))

    def let_run(self, id: str) -> None:
        def ours() -> None:
            self.model.waiting(id).held_back = False
            self.model.loop()

        self.both(lambda: self.session.let_go(id), ours)

    @rule(place=PLACES, lane=st.sampled_from([Lane.STEER, Lane.INTERRUPT]))
    def promote(self, place: int, lane: Any) -> None:
        id = self.id_at(place)
        self.both(lambda: self.session.promote(id, lane), lambda: self.model.promote(id, lane))

    @rule(by=st.sampled_from(["user", "ann"]))
    def interrupt(self, by: str) -> None:
        self.both(
            lambda: self.session.interrupt(by), lambda: self.model.stop(by, hold="interrupted")
        )

    @rule()
    def put_on_hold(self) -> None:
        def ours() -> None:
            self.model.hold = self.model.hold if self.model.closing else ("user", None)

        self.both(self.session.put_on_hold, ours)

    @rule()
    def release(self) -> None:
        self.both(self.session.release, self.model.release)

    @rule(seconds=st.integers(1, 6))
    def time_passes(self, seconds: float) -> None:
        """Holds that end by themselves do, and those who close lose their patience."""
        self.loop.now += seconds
        self.both(lambda: None, self.look_at_the_clock)

    def look_at_the_clock(self) -> None:
        model, now = self.model, self.loop.now
        if model.hold and model.hold[1] is not None and model.hold[1] <= now:
            model.release()
        for deadline in [at for at in self.deadlines if at <= now]:
            self.deadlines.remove(deadline)
            if not model.closed:
                model.close(drain=False)
                if model.running:
                    model.answer = ""  # what it said is lost, as of now
                    model.over("given up")

    @precondition(lambda self: self.count > 3)
    @rule(drain=st.booleans(), timeout=st.sampled_from([None, 2.0]))
    def close(self, drain: bool, timeout: float | None) -> None:
        def real() -> None:
            closing = self.session.close(drain=drain, timeout=timeout)
            self.closes.append(asyncio.Task(closing, loop=self.loop))

        self.both(real, lambda: self.model.close(drain))
        if timeout is not None and not self.model.closed:
            self.deadlines.append(self.loop.now + timeout)

    # What the agent does

    @precondition(lambda self: self.model.running and not self.step.cleaning)
    @rule(word=st.sampled_from(["yes ", "no "]))
    def say(self, word: str) -> None:
        """A piece of the answer, or a ghost's word."""
        self.loop.now += 0.3
        self.both(lambda: None, self.look_at_the_clock)
        if not self.model.stopped_by:
            self.model.answer += word
            self.said += word
        self.both(lambda: self.step.orders.put_nowait(word), lambda: None)

    @precondition(lambda self: self.model.running and not self.step.cleaning)
    @rule(end=st.sampled_from([*ENDS, "answered", "answered"]), slowly=st.booleans())
    def ends(self, end: str, slowly: bool) -> None:
        """The agent has done its work; its clean-up may last."""
        self.end = end
        self.step.breaks = end == "breaks"
        self.both(lambda: self.step.orders.put_nowait(ENDS[end][0]), lambda: None)
        if not slowly:
            self.cleaned()

    @precondition(lambda self: self.model.running and self.step.cleaning)
    @rule()
    def cleaned(self) -> None:
        """The clean-up is done: the turn is over."""
        running, until = self.model.running, self.loop.now + 5.0
        reason = ENDS[self.end][1]
        if self.end == "answered" and running.lane == "steer":
            reason = "a turn of its own, the steered one had ended"
        until = until if self.end == "rate_limited" else None
        end, self.end = self.end, "answered"
        self.both(self.step.gate.set, lambda: self.model.over(end, reason, until))

    @precondition(lambda self: self.agent.steps)
    @rule(place=PLACES)
    def take_steers(self, place: int) -> None:
        """By the running turn, or by one that is over and gets nothing."""
        step = self.agent.steps[-1 - min(place, len(self.agent.steps) - 1)]
        current = self.model.running and step is self.step
        self.both(step.turn.take_steers, self.model.take_steers if current else lambda: None)

    # What they must agree on

    @invariant()
    def agree(self) -> None:
        self.agrees = False
        self.hear()
        model, session = self.model, self.session
        assert session.phase is self.phase()
        hold = session.hold
        assert (hold and (str(hold.reason), hold.until)) == model.hold
        assert _rows(session.waiting) == _rows(model.queue), "in-order"
        assert _rows([session.running]) == _rows([model.running]), "one-owner"
        turn = session._state.turn
        assert _rows(turn.inbox if turn else ()) == _rows(model.steering)
        assert (session.guard or 0) == model.guard, "guard-continuous"
        assert self.receipts == model.receipts, "nothing-lost"
        assert self.shown == self.said, "no-ghost-output"
        self.agree_on_turns()
        self.agree_on_ends()
        self.loop.run_until_complete(self.agree_on_record())
        self.agrees = True

    def phase(self) -> Phase:
        model = self.model
        if model.closed:
            return Phase.CLOSED
        if model.running:
            return Phase.STOPPING if model.stopped_by else Phase.RUNNING
        return Phase.HELD if model.hold or model.queue else Phase.IDLE

    def hear(self) -> None:
        """What the engine has told since the last time."""
        for event in self.observer.take():
            match event:
                case Receipt(id=id, state=state, reason=reason, turn=turn, answer=answer):
                    self.receipts.append((id, str(state), reason, turn, answer))
                case TurnStarted(turn=turn, id=id):
                    self.started.append((turn, id))
                case TurnDelta(text=text):
                    self.shown += text
                case _:
                    pass

    def agree_on_turns(self) -> None:
        agent, model = self.agent, self.model
        assert agent.most_at_once <= 1, "one-owner"
        assert len(agent.depths) <= 1, "flat"
        assert agent.inherited <= {0}, "flat: the context of an earlier turn"
        if model.running:
            assert self.started[-1] == (model.turn, model.running.id), "live"
            turn = self.step.turn
            assert (turn.number, turn.id) == self.started[-1], "live"
            assert turn.text == model.running.text
            assert turn.stopping == bool(model.stopped_by)
        numbers = [number for number, _ in self.started]
        assert numbers == list(range(1, model.turn + 1)), "one-owner"

    def agree_on_ends(self) -> None:
        """Who asked for a close has its answer when the session is closed, and not before."""
        for task in self.closes:
            assert task.done() == self.model.closed, "live"
            if task.done():
                assert [f.id for f in task.result()] == [f.id for f in self.model.queue]

    async def agree_on_record(self) -> None:
        """The journal knows every accepted follow-up, and the receipt of each that has one."""
        model = self.model
        entries = {entry.id: entry for entry in await self.journal.entries("s")}
        assert list(entries) == list(model.known), "nothing-lost"
        states = dict.fromkeys(entries, "queued")
        if model.running:
            states[model.running.id] = "running"
        for id, state, reason, turn, answer in model.receipts:
            states[id] = state
            entry = entries[id]
            assert entry.reason == reason
            if turn is not None and state != "steered":
                assert (entry.turn, entry.answer) == (turn, answer)
        assert {id: str(entry.state) for id, entry in entries.items()} == states
        for id, entry in entries.items():
            assert (entry.text, entry.lane) == (model.known[id].text, model.known[id].lane)

    def teardown(self) -> None:
        """At the end, all that can run does: each accepted follow-up has one receipt."""
        try:
            if self.agrees and self.count:
                self.drain()
        finally:
            if hasattr(self, "session"):
                self.loop.run_until_complete(self.let_go_of_all())
            self.loop.close()

    def drain(self) -> None:
        """Ends all turns until none waits, or the session is closed."""
        for item in list(self.model.queue):
            if item.held_back and not self.model.closed:
                self.let_run(item.id)
        while not self.model.closed and (self.model.running or self.model.queue):
            self.release()
            if not self.step.cleaning:
                self.ends("answered", slowly=True)
            self.cleaned()
            self.agree()
        ids = [id for id, *_ in self.receipts]
        assert sorted([*ids, *(f.id for f in self.model.queue)]) == sorted(self.model.known)

    async def let_go_of_all(self) -> None:
        """Ends all tasks, those too that start meanwhile, and the journal."""
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for step in self.agent.steps:
                step.stubborn = False
                step.gate.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.journal.close()
