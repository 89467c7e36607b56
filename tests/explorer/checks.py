"""The invariants of the engine, each as a check of its own.

A check is told of everything that can be seen, step by step, and raises `Broken`. It
counts by itself (see `witness.py`); `guard-continuous` alone looks at the engine, for
the guard can be seen nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_shell import Lane, State
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
    TurnNotice,
    TurnPartial,
    TurnStarted,
)
from explorer.agent import Run
from explorer.witness import Broken, View, Witness

if TYPE_CHECKING:
    from explorer.world import Process, World

__all__ = ["CHECKS", "Check"]


class Check:
    """What a check can hear of; `w` is the bookkeeping, already up to date."""

    name = ""

    def __init__(self, w: Witness) -> None:
        self.w = w

    def broken(self, seen: str) -> Broken:
        """The error to raise."""
        return Broken(self.name, seen)

    def decided(self, view: View, fact: Fact) -> None:
        """The engine has decided so: the journal is given it for the first time."""

    def before_record(self, view: View, fact: Fact) -> None:
        """The journal is about to record it."""

    def told(self, view: View, event: Event) -> None:
        """Observers are told."""

    def begun(self, view: View, run: Run) -> None:
        """The agent has begun a turn."""

    def step(self, world: World) -> None:
        """One step was made."""

    def rest(self, world: World) -> None:
        """Nothing is left that would go on by itself but agents and time."""

    def end(self, world: World) -> None:
        """All that could be done was done, every hold released."""


class OneOwner(Check):
    """At most one turn of a session runs, over tasks and processes.

    A process that was stopped cannot know that another has taken its session over: what
    it still runs is void and does not count, but nothing it starts is recorded.
    """

    name = "one-owner"

    def step(self, world: World) -> None:
        running: dict[str, str] = {}
        for process in world.processes:
            for run in process.agent.runs:
                view = self.w.view(process.name, run.key)
                if run.over or process.dead or run.number in view.given_up:
                    continue
                if not world.owns(process, run.key):
                    continue
                what = f"turn {run.number} ({run.text}) in {process.name}"
                if run.key in running:
                    raise self.broken(f"{what} runs beside {running[run.key]}")
                running[run.key] = what

    def decided(self, view: View, fact: Fact) -> None:
        if type(fact) is TurnEnded and not view.closing:
            run = self.w.run_of(view.process, view.key, fact.turn)
            if run is not None and not run.over:
                raise self.broken(f"turn {fact.turn} is over while its agent cleans up")

    def before_record(self, view: View, fact: Fact) -> None:
        if type(fact) is TurnStarted:
            fold = self.w.fold(view.key)
            if fold.running is not None:
                raise self.broken(f"turn {fact.turn} is recorded while {fold.running} runs")
            if fact.turn <= fold.turns:
                raise self.broken(f"turn {fact.turn} comes after turn {fold.turns}")


class NothingLost(Check):
    """Every accepted follow-up reaches exactly one receipt."""

    name = "nothing-lost"

    def before_record(self, view: View, fact: Fact) -> None:
        if type(fact) is Receipt:
            known = self.w.known.get(fact.id)
            if known is None or not known.recorded:
                raise self.broken(f"a receipt for {fact.id}, which was never accepted")
            if known.receipts:
                raise self.broken(f"a second receipt for {known.name}: {fact}")
        if type(fact) is TurnStarted and self.w.known[fact.id].receipts:
            raise self.broken(f"{self.w.known[fact.id].name} runs again after its receipt")

    def told(self, view: View, event: Event) -> None:
        if type(event) is Receipt and self.w.known[event.id].told > 1:
            raise self.broken(f"the receipt of {self.w.known[event.id].name} is told twice")

    def rest(self, world: World) -> None:
        for process, view in world.owned():
            fold, session = self.w.fold(view.key), process.session(view.key)
            if view.unclean or session is None or view.closed:
                continue
            waits = [f.id for f in session.waiting]
            names = [self.w.known[id].name for id in fold.queue]
            if waits != fold.queue[: len(waits)] or session.waiting_count != len(fold.queue):
                raise self.broken(f"{names} wait by the record, and {session!r} has {waits}")

    def end(self, world: World) -> None:
        for known in self.w.known.values():
            if known.recorded and not known.receipts:
                raise self.broken(f"{known.name} was accepted and has no receipt at the end")
            if known.receipts and not known.told and not world.crashed and not world.overtaken:
                raise self.broken(f"nobody was told the receipt of {known.name}")


class InOrder(Check):
    """Turns start in queue order, as the user last arranged it."""

    name = "in-order"

    def decided(self, view: View, fact: Fact) -> None:
        if type(fact) is FollowUpMoved and view.asked_place is not None:
            # The last of them counts: before it, places that were refused are told anew.
            view.came_to = (view.asked_place, fact.position)

    def step(self, world: World) -> None:
        for view in self.w.views.values():
            (asked, place), view.came_to = view.came_to or (1, 1), None
            if place > asked or (asked == 1 and place != 1):
                raise self.broken(f"moved to place {asked}, it is at place {place}")

    def before_record(self, view: View, fact: Fact) -> None:
        if type(fact) is not TurnStarted:
            return
        fold, held_back = self.w.fold(view.key), self.w.held_at[id(fact)]
        started = self.w.known[fact.id]
        ready = [id for id in fold.queue if id not in held_back]
        at_once = fact.id in fold.steering and (
            not ready or self.w.known[fact.id].lane is Lane.INTERRUPT
        )
        if not at_once and ready[:1] != [fact.id]:
            names = [self.w.known[id].name for id in fold.queue]
            raise self.broken(f"{started.name} starts, and {names} wait in this order")
        for other in self.w.known.values():
            if other.key != view.key or other is started or other.id in held_back:
                continue
            if other.started or other.receipts or not other.recorded or other.arranged:
                continue
            if started.arranged or started.put_back:
                continue
            if other.lane is Lane.QUEUE and other.order < started.order:
                if started.lane is Lane.QUEUE:
                    raise self.broken(f"{started.name} starts before {other.name}")
            elif other.lane is Lane.INTERRUPT and started.lane is Lane.QUEUE:
                raise self.broken(f"{started.name} starts before the interrupt {other.name}")


class Flat(Check):
    """Frames, tasks and contexts do not grow with the number of handoffs."""

    name = "flat"

    def begun(self, view: View, run: Run) -> None:
        depths = {r.depth for _, r in self.w.runs}
        if len(depths) > 1:
            raise self.broken(f"turns start at depths {sorted(depths)}")
        if run.inherited:
            raise self.broken(f"turn {run.number} has the context of turn {run.inherited}")

    def step(self, world: World) -> None:
        for process in world.processes:
            names = [t.get_name() for t in process.loop.tasks if not t.done()]
            for key in world.keys:
                if names.count(key) > 2:
                    raise self.broken(f"session {key} has {names.count(key)} tasks")


class GuardContinuous(Check):
    """Nobody sees the session idle from the first follow-up to the last; one guard a chain."""

    name = "guard-continuous"

    def step(self, world: World) -> None:
        for process, view in world.owned():
            session = process.session(view.key)
            if session is None or view.closed or view.lost:
                continue
            before, view.guard = view.guard, session.guard
            if view.unclean:
                continue
            left = self.w.open(view)
            if left and session.guard is None and not process.journal_ahead(view.key):
                raise self.broken(f"{left[0].name} is not done, and nobody owns {session!r}")
            if before is not None and session.guard not in (None, before) and left:
                raise self.broken(f"guard {session.guard} follows {before} in one chain")
            if not left and session.guard is not None:
                raise self.broken(f"all is done, and somebody owns {session!r}")


class NoGhostOutput(Check):
    """After a turn was cancelled, none of its output appears.

    Nor of a turn whose process was overtaken, from its first refused write on.
    """

    name = "no-ghost-output"

    def step(self, world: World) -> None:
        for process, view in world.views():
            view.silent = view.silent or (view.lost and process.works and not process.loop.ready)

    def decided(self, view: View, fact: Fact) -> None:
        if type(fact) is TurnPartial and fact.turn in view.stopped:
            raise self.broken(f"a piece of turn {fact.turn} is recorded after its stop")
        ends = (State.CANCELLED, State.STEERED)
        if type(fact) is Receipt and fact.turn in view.stopped and fact.state not in ends:
            raise self.broken(f"turn {fact.turn} was stopped and ended {fact}")
        if type(fact) is Receipt and fact.turn and fact.state is not State.STEERED:
            shown = view.shown.get(fact.turn, "")
            if fact.answer != shown:
                raise self.broken(f"{shown!r} was shown and the receipt says {fact.answer!r}")

    def told(self, view: View, event: Event) -> None:
        if type(event) not in (TurnDelta, TurnNotice):
            return
        turn: int = event.turn  # type: ignore[attr-defined]
        if turn in view.stopped:
            raise self.broken(f"turn {turn} says {event!r} after its stop")
        if view.silent:
            raise self.broken(f"turn {turn} says {event!r} and another process has the session")
        if turn in view.ended_before:
            raise self.broken(f"turn {turn} says {event!r} after its end")


class SaysNo(Check):
    """A queue that is full refuses aloud; of what was refused nothing remains."""

    name = "says-no"

    def decided(self, view: View, fact: Fact) -> None:
        known = self.w.known.get(fact.id) if type(fact) is FollowUpAccepted else None
        if known is not None and known.refused:
            raise self.broken(f"{known.name} was refused, and is to be recorded after all")

    def before_record(self, view: View, fact: Fact) -> None:
        name = getattr(fact, "id", None)
        known = self.w.known.get(name) if name else None
        if known is not None and known.refused:
            raise self.broken(f"{known.name} was refused, and {fact.type} of it is recorded")

    def begun(self, view: View, run: Run) -> None:
        if self.w.known[run.id].refused:
            raise self.broken(f"{run.text} was refused, and runs")

    def step(self, world: World) -> None:
        for _, run in self.w.runs:
            for steer in map(self.w.known.__getitem__, run.took):
                if steer.refused or not (steer.recorded or steer.decided_by):
                    raise self.broken(f"{steer.name} was refused, and the agent has it")

    def rest(self, world: World) -> None:
        for call in world.calls:
            if call.verb == "submit" and not call.task.done() and not world.gone(call):
                raise self.broken(f"{call.label}: neither accepted nor refused")


class Live(Check):
    """What waits runs, unless the session holds, and says why, or is closed."""

    name = "live"

    def rest(self, world: World) -> None:
        for process, view in world.owned():
            until = view.held.until if view.held and not view.closed else None
            if until is not None and not any(t.when() <= until for t in process.loop.timers):
                raise self.broken(f"the hold is to end at {until}, and no timer will end it")
            if view.closed or view.held or view.lost or process.asleep(view.key):
                continue
            waits = [k for k in self.w.waits(view) if k.id not in view.held_back]
            if waits and not process.runs_turn(view.key):
                raise self.broken(f"{waits[0].name} waits, and nothing runs and nothing holds")

    def told(self, view: View, event: Event) -> None:
        if type(event) is SessionHeld and event.reason not in view.causes:
            raise self.broken(f"the session holds ({event.reason}) without a cause")

    def step(self, world: World) -> None:
        for process in world.processes:
            if process.loop.faults:
                raise self.broken(f"an error that nobody caught: {process.loop.faults[0]}")

    def end(self, world: World) -> None:
        for call in world.calls:
            if not call.task.done() and not world.gone(call) and call.verb != "watch":
                raise self.broken(f"{call.label}: never returns")


class Holds(Check):
    """A held session starts no turn before it is released, and each hold has its cause."""

    name = "live"

    def decided(self, view: View, fact: Fact) -> None:
        if type(fact) is TurnStarted and view.hold_due:
            raise self.broken(f"turn {fact.turn} starts though {view.hold_due}")
        if type(fact) is TurnStarted and view.closed:
            raise self.broken(f"turn {fact.turn} starts in a closed session")
        early = view.until is None or self.w.now < view.until
        if type(fact) is SessionReleased and fact.by == "timer" and early:
            raise self.broken("the hold ends before its time")
        if type(fact) is SessionReleased and fact.by == "user" and not view.released:
            raise self.broken("nobody has released the session")


class Attributed(Check):
    """Each answer carries the id of the follow-up it answers."""

    name = "attributed"

    def begun(self, view: View, run: Run) -> None:
        text = self.w.recorded_starts.get((view.process, view.key, run.number))
        if text is not None and run.text != text:
            raise self.broken(f"the agent is given {run.text!r} for {text!r}")

    def told(self, view: View, event: Event) -> None:
        if type(event) is not TurnDelta:
            return
        run = self.w.run_of(view.process, view.key, event.turn)
        if run is None or run.id != event.id:
            raise self.broken(f"{event!r} is of no turn of that follow-up")
        if view.shown[event.turn] != "".join(run.said):
            raise self.broken(f"{view.shown[event.turn]!r} is shown, {run.said} was said")

    def decided(self, view: View, fact: Fact) -> None:
        if type(fact) is Receipt and fact.state is State.ANSWERED:
            run = self.w.run_of(view.process, view.key, fact.turn or 0)
            if run is None or run.id != fact.id or fact.answer != "".join(run.said):
                raise self.broken(f"{fact!r} is not what the agent said to it")
        if type(fact) is Receipt and fact.state is State.STEERED:
            run = self.w.run_of(view.process, view.key, fact.turn or 0)
            if run is None or run.over or fact.turn in view.stopped:
                raise self.broken(f"{fact!r}: that turn does not run")


class CrashSafe(Check):
    """Nothing is told or run that a crash could take back; a restart finds all the rest."""

    name = "crash-safe"

    def told(self, view: View, event: Event) -> None:
        if not isinstance(event, FollowUpAccepted | TurnStarted | TurnEnded | Receipt):
            return
        if id(event) not in self.w.recorded_facts:
            raise self.broken(f"{event.type} of {event.id} is told and not recorded")

    def begun(self, view: View, run: Run) -> None:
        # Also of a process that was overtaken meanwhile: while it had the session.
        if (view.process, view.key, run.number) not in self.w.recorded_starts:
            raise self.broken(f"turn {run.number} runs, and its start is not recorded")

    def step(self, world: World) -> None:
        for call in world.calls:
            if call.verb == "submit" and call.accepted and not call.seen:
                call.seen = True
                known = self.w.known.get(call.accepted)  # none: the journal was not even given it
                if known is None or not known.recorded:
                    raise self.broken(f"{call.label}: acknowledged and not recorded")

    def opened(self, process: Process, key: str, waiting: list[str], cut_off: object) -> None:
        """A process has taken the session up and found these."""
        fold = self.w.fold(key)
        exchange = fold.restore()
        names = [self.w.known[id].name for id in fold.queue]
        if waiting != fold.queue[: len(waiting)] or (process.whole and waiting != fold.queue):
            raise self.broken(f"{names} had no receipt, and {waiting} was found")
        if exchange is not None:
            self.w.known[exchange.id].put_back = True
            if fold.queue[0] != exchange.id:
                exchange = None  # its user has put something before it
        if cut_off != exchange:
            raise self.broken(f"{exchange} was cut off, and {cut_off} was found")
        left = {k.id for k in self.w.known.values() if k.key == key and k.recorded}
        left -= {k.id for k in self.w.known.values() if k.receipts}
        if left != set(fold.queue):
            raise self.broken(f"{left} were left, and the record has {fold.queue}")


class Fair(Check):
    """No session waits for another one's queue: each that could run, runs."""

    name = "fair"

    def rest(self, world: World) -> None:
        if len(world.keys) < 2:
            return
        busy = {key for p in world.processes for key in world.keys if p.runs_turn(key)}
        for process, view in world.owned():
            if view.closed or view.held or process.asleep(view.key):
                continue
            ready = [k for k in self.w.waits(view) if k.id not in view.held_back]
            if ready and busy and view.key not in busy:
                raise self.broken(f"session {view.key} waits while only {sorted(busy)} run")


class Closes(Check):
    """A closed session says what it leaves, and leaves it in the journal."""

    name = "nothing-lost"

    def told(self, view: View, event: Event) -> None:
        if type(event) is SessionClosed and not view.closing and not view.lost:
            raise self.broken("nobody has closed the session")

    def step(self, world: World) -> None:
        for call in world.calls:
            if call.verb != "close" or call.left is None or call.seen:
                continue
            call.seen = True
            view = self.w.view(call.process.name, call.key)
            fold = self.w.fold(call.key)
            if view.unclean or view.lost:
                continue
            waits = [*fold.steering, *fold.queue]
            if call.left != waits:
                raise self.broken(f"{call.label}: returns {call.left}, and {waits} wait")


CHECKS: tuple[type[Check], ...] = (
    Fair,
    OneOwner,
    NothingLost,
    InOrder,
    Flat,
    GuardContinuous,
    NoGhostOutput,
    SaysNo,
    Holds,
    Live,
    Attributed,
    CrashSafe,
    Closes,
)
