"""The engine and the reference, driven with the same operations by hypothesis."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from agent_shell import FollowUp, Lane, ModelUnreachable, RateLimited
from agent_shell.events import FollowUpAccepted
from model.pair import LONGEST, Pair

__all__ = ["Compared"]

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


class Compared(Pair):
    """Whatever can be asked of one session, in any order."""

    def id_at(self, place: int) -> str:
        """Most often one that waits."""
        model = self.model
        ids = [f.id for f in [*model.queue, *model.steering]]
        return ids[place] if place < len(ids) else next(iter(model.known), "none")

    @rule(lane=LANES, sender=SENDERS, text=TEXTS, named=st.booleans())
    def submit(self, lane: Lane, sender: str, text: str, named: bool) -> None:
        """With an id of the caller's, or without."""
        self.count += 1
        id = f"f{self.count}" if named else None
        self.both(
            lambda: self.session.submit(text, id=id, lane=lane, sender=sender),
            lambda: self.model.submit(FollowUp(self.accepted_id(), text, lane, sender, 0.0)),
        )

    def accepted_id(self) -> str:
        """The id that the engine has given to what it accepted last."""
        return self.result.id if isinstance(self.result, FollowUpAccepted) else "refused"

    @rule(lane=LANES, sender=SENDERS)
    def submit_and_interrupt(self, lane: Lane, sender: str) -> None:
        """Where a turn starts, it is stopped before its task has made a step."""
        self.count += 1

        async def real() -> object:
            accepted = await self.session.submit("stop!", lane=lane, sender=sender)
            self.session.interrupt()
            return accepted

        def ours() -> None:
            self.model.submit(FollowUp(self.accepted_id(), "stop!", lane, sender, 0.0))
            self.model.stop("user", hold="interrupted")

        self.both(real, ours)
        if self.model.running and self.model.turn not in (s.turn.number for s in self.agent.steps):
            # Nothing of it was given to the agent: there is nothing to clean up.
            self.both(lambda: None, lambda: self.model.over("cancelled"))

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
        running = self.model.running
        reason = ENDS[self.end][1]
        if self.end == "answered" and running.lane == "steer":
            reason = "a turn of its own, the steered one had ended"
        until = self.loop.now + 5.0 if self.end == "rate_limited" else None
        end, self.end = self.end, "answered"
        self.both(self.step.gate.set, lambda: self.model.over(end, reason, until))

    @precondition(lambda self: self.agent.steps)
    @rule(place=PLACES)
    def take_steers(self, place: int) -> None:
        """By the running turn, or by one that is over and gets nothing."""
        step = self.agent.steps[-1 - min(place, len(self.agent.steps) - 1)]
        current = self.model.running and step is self.step
        self.both(step.turn.take_steers, self.model.take_steers if current else lambda: None)

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
