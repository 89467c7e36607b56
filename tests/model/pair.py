"""The engine and the reference side by side, and all that they must agree on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from agent_shell import (
    AgentShellError,
    Engine,
    FollowUp,
    Journal,
    Limits,
    MemoryJournal,
    OnFailure,
    Phase,
    Session,
)
from agent_shell.events import Receipt, TurnDelta, TurnStarted
from model.puppet import Puppet, Step, VirtualLoop, be_eager
from model.reference import Reference

__all__ = ["LONGEST", "Pair"]

LONGEST = 40  # characters of a text, so that merges come up against it


def _rows(follow_ups: Iterable[FollowUp | None]) -> list[FollowUp]:
    """All of them but their times, which the reference does not know."""
    return [replace(follow_up, accepted_at=0.0) for follow_up in follow_ups if follow_up]


class Pair(RuleBasedStateMachine):
    """An engine with one session, its journal in memory, and the reference."""

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
        self.waits = True  # for all to be at rest, behind each operation

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
            be_eager(self.loop)
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
        self.result = self.loop.run_until_complete(self.outcome(real))
        try:
            expected: object = ours()
        except AgentShellError as error:
            expected = type(error)
        refusals = [r for r in (self.result, expected) if isinstance(r, type)]
        assert not refusals or self.result is expected, f"{self.result} for {expected}"

    async def outcome(self, real: Callable[[], Any]) -> object:
        """What came of it: its result, or the kind of its refusal."""
        try:
            result = real()
            return (await result) if inspect.iscoroutine(result) else result
        except AgentShellError as error:
            return type(error)
        finally:
            if self.waits:
                await self.rest()

    async def rest(self) -> None:
        """Waits until all that was asked for is done and recorded."""
        await self.loop.quiet()

    @property
    def step(self) -> Step:
        """The running turn, as the agent has it."""
        return self.agent.steps[-1]

    # What they must agree on

    @invariant()
    def agree(self) -> None:
        """After every operation."""
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
        assert not agent.stopped_at_start, "no-ghost-output"
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

    async def let_go_of_all(self) -> None:
        """Ends all tasks, those too that start meanwhile, and the journal."""
        await self.journal.close()  # first: what is recorded last may start one more
        await self.loop.quiet()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for step in self.agent.steps:
                step.stubborn = False
                step.gate.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
