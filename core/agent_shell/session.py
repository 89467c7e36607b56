"""One session on an event loop: carries out what the decisions ask for.

The state is changed by `transitions.decide` alone, which never waits. Here is
the other half: facts go to the journal and are told once they are recorded. A
turn begins when its start is told, in a task of its own, and the last synchronous
act of that task, after all of its clean-up, is the decision that it is over. Where
that decision starts the next turn, the session is that turn's there and then, and
the old task returns: the stack stays flat, and there is no moment in which nobody
owns the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import types
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from agent_shell import errors
from agent_shell.agents.base import Agent, Exchange
from agent_shell.audience import Audience
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
    Restore,
    Submit,
    TakeSteers,
    TurnOver,
    Unwritten,
    WakeAt,
)
from agent_shell.events import (
    Event,
    Fact,
    FollowUpAccepted,
    FollowUpRejected,
    Receipt,
    TurnMessages,
    TurnPartial,
    TurnStarted,
)
from agent_shell.journal import Entry, Journal, Restored
from agent_shell.observer import Observer
from agent_shell.recorder import Recorder, Ticket
from agent_shell.state import (
    Budget,
    FollowUp,
    Hold,
    HoldReason,
    Lane,
    Phase,
    SessionState,
    State,
    TurnState,
)
from agent_shell.transitions import decide
from agent_shell.turn import RunningTurn

__all__ = ["House", "Session"]


class House(Protocol):
    """What a session is given: the engine, as far as a session needs it."""

    agent: Agent
    journal: Journal
    observers: list[Observer]
    clock: Callable[[], float]

    def new_id(self) -> str:
        """A follow-up id that nobody else makes."""
        ...

    def leaving(self, session: Session) -> AbstractContextManager[None]:
        """Inside, `session` closes; behind it, it is forgotten."""
        ...


class Session:
    """One conversation: a key, a queue, at most one turn at a time.

    Made by `Engine.session`. `key` names it. What is no coroutine decides at
    once, without waiting.
    """

    __slots__ = (
        "_audience",
        "_context",
        "_cut_off",
        "_fetching",
        "_house",
        "_owner",
        "_recorder",
        "_running",
        "_state",
        "_submitting",
        "_wake_up",
        "key",
    )

    def __init__(self, house: House, state: SessionState) -> None:
        self.key = state.key
        self._audience = Audience(house.observers)
        self._recorder = Recorder(house.journal, self)
        self._house = house
        self._state = state
        # Every turn starts from this context, not from its predecessor's.
        self._context = contextvars.copy_context()
        self._owner: asyncio.Task[None] | None = None
        self._running: RunningTurn | None = None
        self._wake_up: asyncio.TimerHandle | None = None
        self._cut_off: Exchange | None = None
        self._fetching: asyncio.Future[None] | None = None  # kept, for tasks are held weakly
        self._submitting: dict[str, asyncio.Task[FollowUpAccepted]] | None = None

    # What it is

    @property
    def phase(self) -> Phase:
        """Idle, running, stopping, held or closed."""
        return self._state.phase

    @property
    def hold(self) -> Hold | None:
        """Why no turn starts, if none does."""
        return self._state.hold

    @property
    def waiting(self) -> Sequence[FollowUp]:
        """What waits, in the order in which it will run (not a copy: only read it).

        Of a queue that is longer than the journal's window these are the next ones.
        """
        return self._state.queue

    @property
    def waiting_count(self) -> int:
        """How many wait: more than `waiting` shows, where the queue is very long."""
        return self._state.waiting

    @property
    def running(self) -> FollowUp | None:
        """The follow-up that the running turn answers."""
        return None if self._state.turn is None else self._state.turn.follow_up

    @property
    def guard(self) -> int | None:
        """The guard's number while somebody owns the session or something waits."""
        return self._state.guard

    def __repr__(self) -> str:
        """The state in one line: `<Session 'a' [running turn 2: a-2 | 1 queued | guard 1]>`."""
        state = self._state
        parts = [state.phase.name.lower()]
        if state.turn is not None:
            parts[0] += f" turn {state.turn.number}: {state.turn.follow_up.id}"
            if state.turn.inbox:
                parts.append(f"{len(state.turn.inbox)} steering")
        parts.append(f"{state.waiting} queued")
        if state.hold is not None:
            parts.append(f"hold: {state.hold.reason}")
        if state.closing and state.phase is not Phase.CLOSED:
            parts.append("closing")
        if state.guard is not None:
            parts.append(f"guard {state.guard}")
        return f"<Session {state.key!r} [{' | '.join(parts)}]>"

    @property
    def cut_off(self) -> Exchange | None:
        """The turn that a crash cut off, with what it had produced, while it is the next to run."""
        cut_off, waiting = self._cut_off, self._state.queue
        return cut_off if cut_off and waiting and waiting[0].id == cut_off.id else None

    # What can be asked of it

    async def submit(
        self,
        text: str,
        *,
        lane: Lane = Lane.QUEUE,
        id: str | None = None,
        sender: str = "user",
    ) -> FollowUpAccepted:
        """Has an input accepted; returns when it is in the journal.

        With an `id` of the caller's, the same id and text again are acknowledged
        again and not run twice. Raises `QueueFull`, `TooLarge`, `InvalidText`,
        `SessionClosed`, `IdConflict` or `JournalError`; then nothing of it
        remains. Who cancels the call does not learn whether it was accepted.
        """
        try:
            limits = self._state.limits
            limits.check(text)
            if id is not None:
                limits.check(id)
                return await self._accept_once(FollowUp(id, text, lane, sender, self.now()))
            return await self._accept(
                FollowUp(self._house.new_id(), text, lane, sender, self.now())
            )
        except errors.Refused as error:
            self.tell(FollowUpRejected(self.key, self.now(), id or "", error.kind, str(error)))
            raise

    def restore(self, restored: Restored) -> None:
        """Takes up what the journal has; called once, by the engine."""
        self._cut_off = restored.cut_off
        waiting = len(restored.queue) + restored.beyond
        detail = f"{waiting:,} follow-up{'s' if waiting > 1 else ''} from before"
        if restored.cut_off is not None:
            detail += f"; turn {restored.cut_off.turn} was cut off"
        self._perform(Restore(restored.queue, restored.beyond, restored.turns, detail))

    def skip_cut_off(self, by: str = "a crash") -> None:
        """Gives the follow-up whose turn was cut off its receipt, `cancelled by a crash`."""
        if (cut_off := self.cut_off) is not None:
            self._perform(Remove(cut_off.id, by, State.CANCELLED))

    def interrupt(self, by: str = "user") -> bool:
        """Stops the running turn and holds the queue; false where nothing runs."""
        self._perform(Interrupt(by))
        return self._state.turn is not None

    def put_on_hold(self, detail: str = "") -> None:
        """Lets the running turn end and starts no other until `release`."""
        self._perform(PutOnHold(Hold(HoldReason.USER, detail)))

    def release(self, by: str = "user") -> None:
        """Ends the hold."""
        self._perform(Release(by))

    def edit(self, id: str, text: str) -> None:
        """Gives a waiting follow-up another text; `NotWaiting`, `TooLarge`, `InvalidText`."""
        self._state.limits.check(text)
        self._perform(Edit(id, text))

    def remove(self, id: str, by: str = "user") -> None:
        """Withdraws a waiting follow-up; raises `NotWaiting`."""
        self._perform(Remove(id, by))

    def move(self, id: str, position: int) -> None:
        """Moves a waiting follow-up to `position` (1 is the next to run); `NotWaiting`."""
        self._perform(Move(id, position))

    def hold_back(self, id: str) -> None:
        """Keeps a waiting follow-up from running, and nothing else; raises `NotWaiting`.

        For the time in which somebody edits it: `let_go` ends that.
        """
        self._perform(HoldBack(id, True))

    def let_go(self, id: str) -> None:
        """A waiting follow-up that was held back may run; raises `NotWaiting`."""
        self._perform(HoldBack(id, False))

    def promote(self, id: str, lane: Literal[Lane.STEER, Lane.INTERRUPT]) -> None:
        """Has a waiting follow-up steer or interrupt the running turn; raises `NotWaiting`.

        Where no turn can be steered any more, it runs next, behind such as came before it.
        """
        self._perform(Promote(id, lane))

    async def receipt(self, id: str) -> Receipt:
        """The receipt of a follow-up, when it has one; raises `NotWaiting` if it never will."""
        # First in line, then the look: a receipt that comes in between is not missed.
        waiter = self._audience.expect(id)
        try:
            entry = await self._house.journal.entry(self.key, id)
            if entry is None:
                raise errors.NotWaiting(f"session {self.key!r} never accepted a follow-up {id!r}")
            if entry.ended_at is not None:
                return _receipt_of(self.key, entry)
            if self._recorder.lost is not None:
                raise self._recorder.lost
            return await waiter
        finally:
            self._audience.forget(id, waiter)

    async def settled(self) -> None:
        """Returns when no turn runs, none will start by itself, and all is recorded."""
        while not self._is_settled():
            await self._audience.rest()

    async def close(self, *, drain: bool = True, timeout: float | None = None) -> list[FollowUp]:
        """Takes no more input; returns the follow-ups that are left in `waiting`.

        With `drain` the queue is finished first, unless it is held. Without, the
        running turn is cancelled; one that has not ended after `timeout` seconds
        is given up: what it still says is dropped.
        """
        with self._house.leaving(self):
            self._perform(Close(drain))
            try:
                async with asyncio.timeout(timeout):
                    await self.settled()
            except TimeoutError:
                self._perform(Close(drain=False))
                self._give_up("close")
                await self.settled()
            self._recorder.retry()
            await self.settled()
            with contextlib.suppress(errors.JournalError):
                # Not to be told: without it the lease ends with this process.
                await self._house.journal.release(self.key)
        return list(self._state.queue)

    def observe(self, capacity: int = 10_000) -> Observer:
        """Watches this session from here on."""
        return self._audience.observe(capacity)

    async def _accept(self, follow_up: FollowUp) -> FollowUpAccepted:
        effects, ticket = self._perform(Submit(follow_up), follow_up.accepted_at)
        if ticket is not None:
            await asyncio.shield(ticket)
        accepted = effects[0]
        assert isinstance(accepted, FollowUpAccepted)
        return accepted

    async def _accept_once(self, follow_up: FollowUp) -> FollowUpAccepted:
        """Accepts an id of the caller's: who comes with it at the same time finds the first."""
        if self._submitting is None:
            self._submitting = {}
        submitting, id = self._submitting, follow_up.id
        while (first := submitting.get(id)) is not None:
            await asyncio.wait([first])
        # A task of its own: a caller that gives up leaves no half of it behind.
        task = submitting[id] = asyncio.ensure_future(self._accept_if_new(follow_up))
        task.add_done_callback(lambda _: submitting.pop(id))
        return await asyncio.shield(task)

    async def _accept_if_new(self, follow_up: FollowUp) -> FollowUpAccepted:
        known = await self._known(follow_up.id, follow_up.text)
        return await self._accept(follow_up) if known is None else known

    async def _known(self, id: str, text: str) -> FollowUpAccepted | None:
        """The acknowledgement of an id that was accepted before; `IdConflict`."""
        entry = await self._house.journal.entry(self.key, id)
        if entry is None:
            return None
        if entry.text != text:
            raise errors.IdConflict(f"id {id!r} was accepted before, with another text")
        place = next((i for i, f in enumerate(self._state.queue, 1) if f.id == id), 0)
        return FollowUpAccepted(
            self.key, entry.accepted_at, id, text, entry.lane, entry.sender, place
        )

    # What a turn asks of it

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        return self._house.clock()

    @property
    def agent(self) -> Agent:
        """The agent that answers."""
        return self._house.agent

    @property
    def allowance(self) -> Budget:
        """What is left of the budget; `None` is no bound."""
        return self._state.budget.left(self._state.spent)

    async def history(self, limit: int) -> list[Exchange]:
        """The last `limit` turns that are over, oldest first."""
        return await self._house.journal.history(self.key, limit)

    def keep_partial(self, turn: int, id: str, text: str) -> None:
        """Records a piece of the answer, for the case of a crash."""
        self._recorder.keep(TurnPartial(self.key, self.now(), turn, id, text))

    def keep_messages(self, turn: int, id: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Records what the model's history has more of this turn."""
        if messages:
            self._recorder.keep(TurnMessages(self.key, self.now(), turn, id, messages))

    def take_steers(self, turn: TurnState, where: str) -> list[FollowUp]:
        """Hands the inbox over to the running turn `turn`, with receipts that say `where`."""
        if not turn.inbox:
            return []
        pending = self._recorder.pending()
        taken = [follow_up for follow_up in turn.inbox if follow_up.id not in pending]
        if taken:
            self._perform(TakeSteers(turn.number, where, pending))
        return taken

    # Carrying out

    def _perform(self, command: Command, now: float | None = None) -> tuple[list[Effect], Ticket]:
        """Decides and carries out; the only way to do either."""
        self._recorder.hear()  # what was refused comes before what is decided now
        effects = decide(self._state, command, self.now() if now is None else now)
        return effects, self._carry_out(effects)

    def _carry_out(self, effects: list[Effect]) -> Ticket:
        facts: list[Fact] = []
        fetch: Fetch | None = None
        for effect in effects:
            if isinstance(effect, Fact):
                facts.append(effect)
            elif type(effect) is Cancel:
                if self._owner is not None:
                    self._owner.cancel()
            elif type(effect) is WakeAt:
                self._wake_at(effect.until)
            elif type(effect) is Fetch:
                fetch = effect
        ticket = self._recorder.record(facts) if facts else None
        if fetch is not None:
            # Asked in this very step, between its facts and the next ones: `after` is a
            # place in the queue of this moment.
            asked = self._house.journal.fetch(self.key, fetch.after, fetch.limit)
            self._fetching = asyncio.ensure_future(self._fetched(fetch.number, asked))
        return ticket

    async def _fetched(self, number: int, asked: Awaitable[list[FollowUp]]) -> None:
        try:
            follow_ups = await asked
        except Exception as error:
            self._perform(Unwritten(frozenset(), None, errors.reason_of(error)))
        else:
            self._perform(Fetched(number, follow_ups))

    def tell(self, event: Event) -> None:
        """Tells everybody of a passing event, at once; facts go by the recorder."""
        self._audience.tell(event)

    def told(self, facts: Sequence[Fact]) -> None:
        """These are recorded: tells everybody, and a turn begins (for the recorder)."""
        self._audience.tell_all(facts)
        turn = self._state.turn
        for fact in facts:
            if type(fact) is TurnStarted and turn is not None and fact.turn == turn.number:
                self._start(turn)
        if self._audience.awaits_rest and self._is_settled():
            self._audience.at_rest()

    def unwritten(self, command: Unwritten) -> list[Fact]:
        """Undoes what was not recorded; says what follows from it (for the recorder)."""
        running = self._state.turn
        if running is not None and running.follow_up.id in command.ids:
            # Its start stands in a later batch, refused like this one.
            command.turn = running.number
        effects = decide(self._state, command, self.now())
        return [effect for effect in effects if isinstance(effect, Fact)]

    def lose(self, error: errors.SessionLost) -> None:
        """Another process owns the session: ends here, without a word (for the recorder)."""
        self._perform(Close(drain=False))
        self._audience.disappoint(error)

    def _is_settled(self) -> bool:
        state = self._state
        if state.turn is not None or self._recorder.under_way:
            return False
        if state.phase is not Phase.HELD or not state.waiting:
            return True
        # A hold that ends by itself is a pause, and so is a look into the journal.
        return state.hold is not None and state.hold.until is None

    def _wake_at(self, until: float) -> None:
        if self._wake_up is not None:
            self._wake_up.cancel()
        delay = max(0.0, until - self.now())
        self._wake_up = asyncio.get_running_loop().call_later(
            delay, lambda: self._perform(Release("timer", until))
        )

    # The owner

    def _start(self, turn: TurnState) -> None:
        owner = self._own(turn)
        # Taken to its first wait already: a task that is cancelled before its
        # first step would otherwise end without its hand-off.
        owner.send(None)
        # Not `loop.create_task`: where the loop has an eager task factory that
        # would run the successor inside the frame of its predecessor.
        self._owner = asyncio.Task(
            owner,
            loop=asyncio.get_running_loop(),
            name=self._state.key,
            context=self._context.copy(),
        )

    async def _own(self, turn: TurnState) -> None:
        """Runs one turn, then hands the session on: the last synchronous act."""
        running = self._running = RunningTurn(self, turn)
        try:
            await _begin()
            over = await running.run()
        except asyncio.CancelledError:
            over = running.over(State.CANCELLED, "a cancelled task")
        except GeneratorExit:
            raise  # the task is thrown away unfinished: its loop has gone, and so has all else
        except BaseException as error:
            # KeyboardInterrupt or SystemExit: it passes, and the session is not stuck.
            self._end(running, running.over(State.CANCELLED, errors.reason_of(error)))
            raise
        self._end(running, over)

    def _end(self, running: RunningTurn, over: TurnOver) -> None:
        if self._running is running:
            self._running = None  # before the next one is there
        self._perform(over)

    def _give_up(self, by: str) -> None:
        """Ends, for the session, a turn whose task does not say that it is over."""
        if (running := self._running) is not None:
            self._end(running, running.over(State.CANCELLED, by))


@types.coroutine
def _begin() -> Generator[None, None, None]:
    """Waits for the first step of the task."""
    yield


def _receipt_of(key: str, entry: Entry) -> Receipt:
    assert entry.ended_at is not None
    return Receipt(
        key, entry.ended_at, entry.id, entry.state, entry.reason, entry.turn, entry.answer
    )
