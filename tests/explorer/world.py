"""One run of a scene: engines as they ship, and all that could happen next."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_shell import (
    AgentShellError,
    Budget,
    Engine,
    FollowUp,
    HoldReason,
    Lane,
    Limits,
    OnFailure,
    Phase,
    QueueFull,
    Session,
)
from agent_shell.events import Fact, FollowUpAccepted
from explorer.agent import Play, PuppetAgent, Run
from explorer.checks import CHECKS, Check, CrashSafe
from explorer.loop import Clock, SteppedLoop, owner, place
from explorer.store import Batch, PuppetJournal, Store
from explorer.witness import Broken, View, Witness
from model.puppet import be_eager

__all__ = ["Action", "Call", "Process", "Scene", "World"]

_LANES = {
    "submit": Lane.QUEUE,
    "steer": Lane.STEER,
    "interrupt": Lane.INTERRUPT,
    "merge": Lane.MERGE,
}
_SAYS = {
    "submit": 'submits "{0}"',
    "steer": 'steers with "{0}"',
    "interrupt": 'interrupts with "{0}"',
    "merge": 'joins "{0}" to the last one',
    "named": 'submits "{0}" under the id {1}',
    "stop": "stops the turn",
    "edit": 'edits "{0}"',
    "remove": 'withdraws "{0}"',
    "move": 'moves "{0}" to place {1}',
    "promote": 'has "{0}" {1} the turn',
    "back": 'holds "{0}" back',
    "let": 'lets "{0}" go',
    "hold": "holds the session",
    "release": "releases the session",
    "close": "closes the session {0}",
    "receipt": 'waits for the receipt of "{0}"',
    "watch": "watches the session, and looks no more after {0} events",
}


_BY_ID = ("edit", "remove", "move", "promote", "back", "let", "receipt")


@functools.cache
def _parsed(user: str, op: str, many: bool) -> tuple[str, str, list[str], bool, str]:
    """Of an operation the session, verb and words, whether it is of the first process, a line."""
    words = op.split()
    key, words = ("t", words[1:]) if words[0] == "t:" else ("s", words)
    first = words[-1] == "@1"
    verb, args = words[0], words[1:-1] if first else words[1:]
    where = f" in session {key}" if many else ""
    where += " of process 1" if first else ""
    return key, verb, args, first, f"{user} {_SAYS[verb].format(*args, '', '').strip()}{where}"


@dataclass(frozen=True)
class Scene:
    """Who does what, what may go wrong and how often, and how far to look.

    An operation is a verb of `_SAYS` with its words; `t:` before it means a second
    session, `@1` behind it the first process, whoever has the session by then.
    """

    name: str
    users: Mapping[str, Sequence[str]]
    plays: Mapping[str, Play] = field(default_factory=dict[str, Play])
    instant: bool = False  # the journal records in the call
    free: bool = True  # the order of tasks is free; else it is the loop's own
    refusals: int = 0  # of the journal, one batch each
    breaks: int = 0  # the journal raises from its call, until it is mended
    kills: int = 0
    freezes: int = 0  # a process is stopped, and may come back
    cancels: Sequence[str] = ()  # of what tasks, one each: "turn", "submit", "close"
    slow_reads: bool = False
    eager: bool = False  # the loop has an eager task factory
    window: int | None = None
    limit: int = 100
    goes_on: bool = False  # after a failed turn
    turns: int | None = None  # the budget
    word_s: float = 0.0  # how long a word takes
    depth: int = 60  # steps of a schedule, at most


@dataclass(slots=True)
class Action:
    """Something that could happen now."""

    label: str
    do: Callable[[], None]
    note: Callable[[], str] = str


@dataclass(eq=False)
class Call:
    """What a user has asked of a session and waits for."""

    label: str
    verb: str
    process: Process
    key: str
    task: asyncio.Task[Any]
    accepted: str | None = None
    left: list[str] | None = None
    seen: bool = False


class Process:
    """One process: its loop, its engine, and what it has of the sessions."""

    def __init__(self, world: World, number: int) -> None:
        scene = world.scene
        self.name = f"process {number}"
        self.loop = SteppedLoop(world.clock)
        if scene.eager:
            be_eager(self.loop)
        self.dead = self.frozen = False
        self.whole = scene.window is None
        self.journal = PuppetJournal(world.store, self.name, world, scene.window)
        self.agent = PuppetAgent(self.name, scene.plays, world, world.clock, scene.word_s)
        self.sessions: dict[str, Session] = {}
        with self.loop.entered():
            self.engine = Engine(
                self.agent,
                journal=self.journal,
                limits=Limits(queue=scene.limit),
                on_failure=OnFailure.CONTINUE if scene.goes_on else OnFailure.HOLD,
                clock=world.clock.time,
                budget=Budget(turns=scene.turns),
            )
            self.engine._prefix = f"p{number}"
            self.observer = self.engine.observe()

    @property
    def works(self) -> bool:
        """Whether anything of it can run."""
        return not self.dead and not self.frozen

    def session(self, key: str) -> Session | None:
        """The session, if it was opened here."""
        return self.sessions.get(key)

    def runs_turn(self, key: str) -> bool:
        """Whether its agent is at work for that session."""
        return self.works and any(not r.over and r.key == key for r in self.agent.runs)

    def asleep(self, key: str) -> bool:
        """Whether it has yet to take the session up."""
        return key not in self.sessions

    def journal_ahead(self, key: str) -> bool:
        """Whether it has yet to hear that the journal refused something."""
        return bool(self.loop.ready)


class World:
    """A scene on its way; it is also told what journal and agents do."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.clock, self.store = scene, Clock(), Store()
        self.store.lives = self._lives
        self.witness = Witness()
        self.witness.holds_on_failure = not scene.goes_on
        self.witness.budget = scene.turns
        self.checks: list[Check] = [check(self.witness) for check in CHECKS]
        self.hooks = {name: _hooks(self.checks, name) for name in _HOOKS}
        self.found: Exception | None = None
        self.processes: list[Process] = []
        self.calls: list[Call] = []
        self.submits: set[str] = set()  # the names of their tasks
        self.scripts = {user: deque(ops) for user, ops in scene.users.items()}
        ops = [op for ops in scene.users.values() for op in ops]
        self.keys = ["s", "t"] if any(op.startswith("t:") for op in ops) else ["s"]
        self.refusals, self.breaks = scene.refusals, scene.breaks
        self.kills, self.freezes = scene.kills, scene.freezes
        self.cancels = list(scene.cancels)
        self.crashed = self.overtaken = False
        self.steps = 0
        first = self.start()
        for key in self.keys:
            self.open(first, key)
        self.run()
        first.journal.instant, first.journal.slow_reads = scene.instant, scene.slow_reads

    # Who has what

    def _lives(self, name: str) -> bool:
        return any(p.name == name and p.works for p in self.processes)

    def owns(self, process: Process, key: str) -> bool:
        """Whether the record says that this process has the session."""
        lease = process.journal.leases.get(key)
        return not process.dead and lease is not None and lease == self.store.fences.get(key)

    def owned(self) -> Generator[tuple[Process, View]]:
        """Who has what, of the processes that work."""
        for process, view in self.views():
            if process.works and self.owns(process, view.key):
                yield process, view

    def views(self) -> Generator[tuple[Process, View]]:
        """Every session in every process."""
        for process in self.processes:
            for key in self.keys:
                yield process, self.witness.view(process.name, key)

    def gone(self, call: Call) -> bool:
        """Whether nobody waits for it any more."""
        return not call.process.works

    @property
    def newest(self) -> Process:
        """The process that users talk to."""
        return self.processes[-1]

    # What it is told

    def _check(self, hook: str, *args: Any) -> None:
        for check in self.hooks[hook]:
            try:
                check(*args)
            except Exception as broken:
                # Not raised here: engines catch what journals and agents raise.
                self.found = self.found or broken

    def appended(self, process: str, key: str, facts: Sequence[Fact]) -> None:
        """The engine wants these recorded."""
        view = self.witness.view(process, key)
        try:
            self._hear(next(p for p in self.processes if p.name == process))
            for fact in facts:
                self.witness.given_at[id(fact)] = view.refusals
                if id(fact) not in self.witness.facts:
                    self._check("decided", view, fact)
                    self.witness.new_fact(view, fact)
        except Exception as error:
            self.found = self.found or error

    def recorded(self, process: str, key: str, facts: Sequence[Fact]) -> None:
        """They are recorded."""
        view = self.witness.view(process, key)
        for fact in facts:
            self._check("before_record", view, fact)
            try:
                self.witness.recorded(process, key, [fact])
            except Exception as error:  # of facts that contradict each other
                self.found = self.found or error

    def refused(self, process: str, key: str, facts: Sequence[Fact]) -> None:
        """They are not."""
        owner = self.store.owners.get(key)
        self.witness.refused(process, key, facts, lost=owner != process)

    def begun(self, process: str, run: Run) -> None:
        """An agent begins a turn."""
        self.witness.runs.append((process, run))
        self._check("begun", self.witness.view(process, run.key), run)

    def said(self, process: str, run: Run) -> None:
        """An agent says a word."""

    # What could happen

    def actions(self) -> list[Action]:
        """All that could happen now, what a loop would do by itself first."""
        for process in self.processes:
            if process.works and (action := self._unseen(process)) is not None:
                return [action]
        found = [action for p in self.processes if p.works for action in self._goes_on(p)]
        for user, script in self.scripts.items():
            if script and (action := self._asks(user, script)) is not None:
                found.append(action)
        return [*found, *self._time(), *self._faults()]

    def _goes_on(self, process: Process) -> Generator[Action]:
        yield from self._loop_steps(process)
        where = "" if len(self.processes) == 1 else f" of {process.name}"
        journal = process.journal
        if journal.jobs:
            job = journal.jobs[0]
            if isinstance(job, Batch):
                yield Action(f"the journal{where} records", journal.work, lambda: _facts(job.facts))
            else:
                yield Action(f"the journal{where} {job.what}", journal.work)
        if journal.reads:
            yield Action(f"the journal{where} answers a question", journal.read)
        for run in process.agent.runs:
            if run.gate is not None and not run.gate.done():
                label = f"turn {run.number}{where} goes on: {run.doing}"
                yield Action(label, lambda run=run: self._open_gate(process, run))  # type: ignore[misc]

    def _unseen(self, process: Process) -> Action | None:
        """A step that changes nothing for anybody else: its order does not matter.

        What `shield` does is to make a task ready, whose step can come late all the same;
        a submit that is answered returns.
        """
        heads = process.loop.heads()
        for handle in heads:
            task = owner(handle)
            if task is None:
                unseen = "shield.<locals>" in _handle(handle)
            else:
                name = task.get_name()
                unseen = name in self.submits and "submit" not in self.scene.cancels
            if unseen:
                return Action("a callback takes a step", lambda h=handle: process.loop.step(h))  # type: ignore[misc]
        return None

    def _loop_steps(self, process: Process) -> Generator[Action]:
        names: list[str] = []
        heads = process.loop.heads()
        for handle in heads if self.scene.free else heads[:1]:
            task = owner(handle)
            what = "a callback" if task is None else _name(task, self.keys)
            names.append(what)
            again = f" ({names.count(what)})" if names.count(what) > 1 else ""
            where = "" if len(self.processes) == 1 else f" of {process.name}"
            yield Action(
                f"{what}{again}{where} takes a step",
                lambda handle=handle: process.loop.step(handle),  # type: ignore[misc]
            )

    def _open_gate(self, process: Process, run: Run) -> None:
        with process.loop.entered():
            assert run.gate is not None
            run.gate.set_result(None)

    def _time(self) -> Generator[Action]:
        timers = [t for p in self.processes if p.works for t in p.loop.timers]
        if timers:
            until = min(timer.when() for timer in timers)
            yield Action("time passes until the next timer", lambda: self._pass(until))

    def _pass(self, until: float) -> None:
        self.clock.now = max(self.clock.now, until)
        for process in self.processes:
            if not process.dead:
                process.loop.due()

    def _faults(self) -> Generator[Action]:
        for process in self.processes:
            if process.frozen:
                yield Action(f"{process.name} goes on", lambda p=process: self._thaw(p))  # type: ignore[misc]
        newest = self.newest
        if newest.works:
            yield from self._faults_of(newest)
        elif len(self.processes) <= self.scene.kills + self.scene.freezes:
            yield Action("another process takes the session up", self.take_up)

    def _faults_of(self, process: Process) -> Generator[Action]:
        journal = process.journal
        if self.refusals and journal.jobs:
            yield Action("the journal refuses", self._refuse)
        if self.breaks and not journal.broken:
            yield Action("the journal breaks", lambda: self._break(True))
        if journal.broken:
            yield Action("the journal is mended", lambda: self._break(False))
        if self.kills:
            yield Action(f"{process.name} is killed", self.kill)
        if self.freezes:
            yield Action(f"{process.name} is stopped", self._freeze)
        for kind in dict.fromkeys(self.cancels):
            for task in process.loop.tasks:
                name = _name(task, self.keys)
                if not task.done() and _kind(task, self.keys) == kind:
                    yield Action(
                        f"{name} is cancelled",
                        lambda task=task, kind=kind: self._cancel(task, kind),  # type: ignore[misc]
                    )

    def _refuse(self) -> None:
        self.refusals -= 1
        for key in self.keys:
            self.witness.view(self.newest.name, key).causes.add(HoldReason.JOURNAL)
        self.newest.journal.refuse()

    def _break(self, broken: bool) -> None:
        self.breaks -= broken
        self.newest.journal.broken = broken

    def kill(self) -> None:
        """The newest process dies as by SIGKILL."""
        self.kills, self.crashed, process = self.kills - 1, True, self.newest
        process.dead = True
        process.loop.throw_away()

    def _freeze(self) -> None:
        self.freezes -= 1
        self.newest.frozen = True

    def _thaw(self, process: Process) -> None:
        process.frozen = False
        process.loop.due()

    def _cancel(self, task: asyncio.Task[Any], kind: str) -> None:
        self.cancels.remove(kind)
        for key in self.keys:
            self.witness.view(self.newest.name, key).causes.add(HoldReason.INTERRUPTED)
        with self.newest.loop.entered():
            task.cancel()

    def start(self) -> Process:
        """A new process."""
        self.processes.append(Process(self, len(self.processes) + 1))
        return self.newest

    def take_up(self) -> None:
        """Another process is started, and opens the sessions."""
        self.overtaken = self.overtaken or any(p.frozen for p in self.processes)
        process = self.start()
        for key in self.keys:
            self.open(process, key)

    def open(self, process: Process, key: str) -> None:
        """Has a process open a session."""

        async def open() -> None:
            session = process.sessions[key] = await process.engine.open(key)
            view = self.witness.view(process.name, key)
            if session.waiting_count:
                view.hold_due, view.causes = "it was restored", {HoldReason.RESTORED}
            if not self.owns(process, key):
                return  # it was stopped meanwhile, and another has it
            found = [f.id for f in session.waiting]
            for check in self.checks:
                if isinstance(check, CrashSafe):
                    try:
                        check.opened(process, key, found, session.cut_off)
                    except Broken as broken:
                        self.found = self.found or broken

        self._call(process, key, "open", f"the opening of {key} in {process.name}", open())

    # What users do

    def _asks(self, user: str, script: deque[str]) -> Action | None:
        key, verb, args, first, label = _parsed(user, script[0], len(self.keys) > 1)
        process = self.processes[0] if first else self.newest
        session = process.session(key)
        if session is None or not process.works:
            return None
        if verb in _BY_ID and self.witness.id_of(args[0]) is None:
            return None

        def ask() -> None:
            script.popleft()
            self.ask(process, key, session, user, verb, args, label)

        return Action(label, ask)

    def ask(
        self,
        process: Process,
        key: str,
        session: Session,
        user: str,
        verb: str,
        args: Sequence[str],
        label: str,
    ) -> None:
        """Has a user ask this of a session, and notes what must follow."""
        view = self.witness.view(process.name, key)
        if verb in _LANES or verb == "named":
            self._submit(process, session, view, user, verb, args, label)
        elif verb == "close":
            self._close(process, session, view, args, label)
        elif verb == "receipt":
            waits = session.receipt(self.witness.id_of(args[0]) or "")
            self._call(process, key, verb, label, waits)
        elif verb == "watch":
            self._call(process, key, verb, label, _watch(session, int(args[0])))
        else:
            # What it was about may be over: that is an answer too.
            with process.loop.entered(), contextlib.suppress(AgentShellError):
                self._at_once(session, view, verb, args)

    def _at_once(self, session: Session, view: View, verb: str, args: Sequence[str]) -> None:
        id = self.witness.id_of(args[0]) or "" if args else ""
        turn = view.turn
        match verb:
            case "stop":
                if turn is not None:
                    view.causes.add(HoldReason.INTERRUPTED)
                    session.interrupt()
                    view.stopped.add(turn[0])
                    view.hold_due = "its user stopped the turn"
                else:
                    session.interrupt()
            case "edit":
                session.edit(id, f"{args[0]}*")
            case "remove":
                session.remove(id)
            case "move":
                view.asked_place = int(args[1])
                try:
                    session.move(id, view.asked_place)
                finally:
                    view.asked_place = None
            case "promote":
                lane = Lane(args[1])
                session.promote(id, lane)  # type: ignore[arg-type]
                view.held_back.discard(id)
                if lane is Lane.INTERRUPT and turn is not None:
                    view.stopped.add(turn[0])
            case "back":
                session.hold_back(id)
                view.held_back.add(id)
                self.witness.known[id].arranged = True
            case "let":
                view.held_back.discard(id)
                session.let_go(id)
            case "hold":
                view.causes.add(HoldReason.USER)
                if not view.closing and not view.closed:
                    view.hold_due = "its user holds it"
                session.put_on_hold()
            case _:
                view.released += 1
                session.release()
                view.released -= 1

    def _submit(
        self,
        process: Process,
        session: Session,
        view: View,
        user: str,
        verb: str,
        args: Sequence[str],
        label: str,
    ) -> None:
        turn, text = view.turn, args[0]
        waiting = len(self.witness.waits(view))
        lane = _LANES.get(verb, Lane.QUEUE)
        asked = session.submit(text, lane=lane, sender=user, id=args[1] if args[1:] else None)
        count = len(self.witness.known)
        call = self._call(process, view.key, "submit", label, asked)
        accepted = len(self.witness.known) > count
        full = call.task.done() and isinstance(call.task.exception(), QueueFull)
        if full and waiting < self.scene.limit and not view.unclean:
            raise Broken("says-no", f"{waiting} wait, and {label} is refused")
        if accepted and waiting >= self.scene.limit and verb != "merge":
            raise Broken("says-no", f"{waiting} wait, and {label} is accepted")
        if accepted and verb == "interrupt" and turn is not None:
            view.stopped.add(turn[0])

    def _close(
        self, process: Process, session: Session, view: View, args: Sequence[str], label: str
    ) -> None:
        now = args[:1] == ["now"]
        view.closing = True
        turn = view.turn
        closes = session.close(drain=not now, timeout=2.0 if args[:1] == ["soon"] else None)
        if now:
            view.hold_due = "it is closing"
        self._call(process, view.key, "close", label, closes)
        if now and turn is not None:
            view.stopped.add(turn[0])

    def _call(self, process: Process, key: str, verb: str, label: str, what: Any) -> Call:
        """Makes a task of it and takes its first step."""
        with process.loop.entered():
            task = asyncio.Task(what, loop=process.loop, name=label)
        call = Call(label, verb, process, key, task)
        if verb == "submit":
            self.submits.add(label)
        self.calls.append(call)
        process.loop.step(process.loop.ready[-1])
        return call

    # One step

    def do(self, action: Action) -> None:
        """Lets it happen, then checks; raises `Broken`."""
        self.steps += 1
        action.do()
        self.look()

    def look(self) -> None:
        """Hears what there is to hear, and checks."""
        self.witness.now = self.clock.now
        for process in self.processes:
            if not process.dead:
                self._hear(process)
        for call in self.calls:
            self._settle(call)
        self._check("step", self)
        if self.at_rest():
            self._check("rest", self)
        for _, view in self.views():
            view.ended_before = set(view.ended)
        if self.found is not None:
            raise self.found

    def _hear(self, process: Process) -> None:
        for event in process.observer.take():
            self.witness.heard(process.name, event)
            self._check("told", self.witness.view(process.name, event.session), event)

    def _settle(self, call: Call) -> None:
        if not call.task.done() or call.task.cancelled() or call.task.exception() is not None:
            return
        result = call.task.result()
        if isinstance(result, FollowUpAccepted):
            call.accepted = result.id
        elif isinstance(result, list):
            call.left = [f.id for f in result if isinstance(f, FollowUp)]

    def at_rest(self) -> bool:
        """Whether only agents, users, time and faults could change anything."""
        works = [p for p in self.processes if p.works]
        return not any(p.loop.ready or p.journal.jobs or p.journal.reads for p in works)

    def run(self, *, agents: bool = False) -> None:
        """Lets all go on that goes on by itself, in the loop's own order."""
        for _ in range(5000):
            actions = [a for p in self.processes if p.works for a in self._goes_on(p)]
            actions = [a for a in actions if agents or not a.label.startswith("turn ")]
            if not actions:
                return
            self.do(actions[0])
        raise Broken("live", "it never comes to rest")

    # The end

    def finish(self) -> None:
        """Nothing goes wrong any more, and every hold is released: all must end well."""
        self.refusals = self.breaks = self.kills = self.freezes = 0
        for process in self.processes:
            process.journal.broken = False
            process.agent.finishing = True
            if process.frozen:
                self._thaw(process)
        for _ in range(8):
            self._finish_once()
            if not any(self.store.fold(key).queue for key in self.keys) and self.at_rest():
                break
        self._check("end", self)
        if self.found is not None:
            raise self.found

    def _finish_once(self) -> None:
        self.run(agents=True)
        while timers := list(self._time()):
            self.do(timers[0])
            self.run(agents=True)
        self._end_leases()
        if any(self._is_left(key) for key in self.keys):
            self.take_up()
            self.newest.agent.finishing = True
            self.look()
            self.run(agents=True)
        for process, view in list(self.owned()):
            session = process.session(view.key)
            if session is None:
                continue
            for id in list(view.held_back):
                self.ask(process, view.key, session, "", "let", [self.witness.known[id].name], "")
            self.ask(process, view.key, session, "", "release", [], "")
            self.look()
        self.run(agents=True)

    def _end_leases(self) -> None:
        """What a process could not let go of, for the journal refused, ends with the process."""
        for process in self.processes:
            for key in self.keys:
                if process.works and self.store.owners.get(key) == process.name:
                    session = process.session(key)
                    closed = session is not None and session.phase is Phase.CLOSED
                    if closed and key not in process.journal.leases:
                        del self.store.owners[key]

    def _is_left(self, key: str) -> bool:
        """Whether something waits in a session that nobody has."""
        fold, owner = self.store.fold(key), self.store.owners.get(key)
        waits = bool(fold.queue or fold.steering or fold.running)
        return waits and not (owner is not None and self._lives(owner))

    def dispose(self) -> None:
        """Lets go of everything."""
        for process in self.processes:
            process.loop.throw_away()

    # What it is like now

    def fingerprint(self) -> int:
        """Two worlds with the same one have the same future."""
        return hash(
            repr(
                (
                    [list(script) for script in self.scripts.values()],
                    (self.refusals, self.breaks, self.kills, self.freezes, self.cancels),
                    [(c.label, c.task.done(), c.accepted, c.left) for c in self.calls],
                    self.witness.digest(),
                    [self._fingerprint(p) for p in self.processes if not p.dead],
                    [(k, vars(f)) for k, f in self.store.folds.items()],
                    self.store.fences,
                    self.store.owners,
                )
            )
        )

    def _fingerprint(self, process: Process) -> tuple[Any, ...]:
        loop, journal = process.loop, process.journal
        return (
            process.frozen,
            [_handle(handle) for handle in loop.ready],
            [(round(t.when() - self.clock.now, 3), _handle(t)) for t in loop.timers],
            [place(task) for task in loop.tasks if not task.done()],
            [_facts(j.facts) if isinstance(j, Batch) else j.what for j in journal.jobs],
            (len(journal.reads), journal.broken, journal.leases),
            [
                (r.number, r.id, r.steps, r.said, r.took, r.doing, r.cancelled, r.over, _open(r))
                for r in process.agent.runs
            ],
            [_session(s) for s in process.sessions.values()],
        )


def _open(run: Run) -> bool:
    return run.gate is not None and run.gate.done()


_HOOKS = ("decided", "before_record", "told", "begun", "step", "rest", "end")


def _hooks(checks: list[Check], name: str) -> list[Callable[..., None]]:
    """The checks that look at this at all."""
    heeds = (c for c in checks if getattr(type(c), name) is not getattr(Check, name))
    return [getattr(check, name) for check in heeds]


async def _watch(session: Session, count: int) -> None:
    with session.observe(capacity=2) as observer:
        async for _ in observer:
            count -= 1
            if count == 0:
                raise AgentShellError("the observer breaks")


def _name(task: asyncio.Task[Any], keys: list[str]) -> str:
    name = task.get_name()
    if name in keys:
        return "the turn's task" if len(keys) == 1 else f"the task of {name}'s turn"
    return "a helper" if name.startswith("Task-") else f"[{name}]"


def _kind(task: asyncio.Task[Any], keys: list[str]) -> str:
    name = task.get_name()
    if name in keys:
        return "turn"
    return "close" if " closes " in name else "submit" if '"' in name else ""


def _handle(handle: asyncio.Handle) -> str:
    task = owner(handle)
    if task is not None:
        return task.get_name()
    callback = handle._callback  # type: ignore[attr-defined]
    return getattr(callback, "__qualname__", None) or type(callback).__name__


def _session(session: Session) -> tuple[Any, ...]:
    recorder, running = session._recorder, session._running
    backlog = [_facts(recorder._backlog or ()), _facts(recorder._untold or ())]
    return (
        repr(session._state),
        backlog,
        recorder.under_way,
        bool(recorder.lost),
        running and (running.number, running._kept),
        session._cut_off,
        sorted(session._submitting or ()),
    )


def _facts(facts: Sequence[Fact]) -> str:
    """What a batch says, without its times."""
    return "; ".join(_fact(fact) for fact in facts) or "nothing new"


def _fact(fact: Fact) -> str:
    said = [fact.type]
    for name in ("id", "turn", "state", "reason", "lane", "position", "text"):
        value = getattr(fact, name, None)
        if value not in (None, ""):
            said.append(str(value))
    return " ".join(said)
