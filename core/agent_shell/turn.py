"""One turn while it runs: what the agent sees, and how its end is understood."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agent_shell import errors
from agent_shell.agents.base import (
    Agent,
    AgentEvent,
    Delta,
    Exchange,
    Messages,
    Notice,
    ToolCall,
    ToolResult,
    Usage,
    finish,
)
from agent_shell.commands import TurnOver
from agent_shell.events import Event, ToolCalled, ToolReturned, TurnDelta, TurnNotice
from agent_shell.state import Budget, FollowUp, Hold, HoldReason, State, TurnState

__all__ = ["RunningTurn"]

# How long, in seconds, what an agent has said may be without a record.
PARTIAL_S = 0.25


class _Session(Protocol):
    """As much of a session as its turn talks to."""

    key: str

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        ...

    def tell(self, event: Event) -> None:
        """Tells every observer of a passing event, at once."""
        ...

    @property
    def agent(self) -> Agent:
        """The agent that answers."""
        ...

    @property
    def allowance(self) -> Budget:
        """What is left of the session's budget."""
        ...

    async def history(self, limit: int) -> list[Exchange]:
        """The last `limit` turns that are over, oldest first."""
        ...

    def take_steers(self, turn: TurnState, where: str) -> list[FollowUp]:
        """Hands the inbox over to the turn, with its receipts that say where it went in."""
        ...

    def keep_partial(self, turn: int, id: str, text: str) -> None:
        """Records a piece of the answer, for the case of a crash."""
        ...

    def keep_messages(self, turn: int, id: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Records what the model's history has more of this turn."""
        ...


class RunningTurn:
    """Implements `agents.base.Turn`, and drives the agent over it."""

    __slots__ = ("_kept", "_kept_at", "_parts", "_session", "_started", "_state", "_usage")

    def __init__(self, session: _Session, state: TurnState) -> None:
        self._session = session
        self._state = state
        self._parts: list[str] = []
        self._usage: Usage | None = None
        self._started = time.perf_counter()
        self._kept = 0  # how many parts the journal has
        self._kept_at = session.now()

    # What the agent sees

    @property
    def session_key(self) -> str:
        """The conversation that this turn belongs to."""
        return self._session.key

    @property
    def number(self) -> int:
        """The turn's number."""
        return self._state.number

    @property
    def id(self) -> str:
        """The id of the follow-up that is answered."""
        return self._state.follow_up.id

    @property
    def text(self) -> str:
        """The follow-up's text."""
        return self._state.follow_up.text

    @property
    def sender(self) -> str:
        """Who the follow-up came from."""
        return self._state.follow_up.sender

    @property
    def stopping(self) -> bool:
        """The cancel signal."""
        return self._state.stopped_by is not None

    @property
    def allowance(self) -> Budget:
        """What this turn may use of the session's budget."""
        return self._session.allowance

    async def history(self, limit: int = 1000) -> list[Exchange]:
        """The last `limit` turns of the session, oldest first."""
        return await self._session.history(limit)

    def take_steers(self, where: str = "", /) -> list[FollowUp]:
        """Empties the steer inbox."""
        return self._session.take_steers(self._state, where)

    # How it runs

    async def run(self) -> TurnOver:
        """Runs the agent to its end, whatever that is."""
        state = self._state
        if state.stopped_by is not None:
            return self.over(State.CANCELLED, "")
        try:
            stream = self._session.agent.run(self)
            try:
                async for event in stream:
                    if state.stopped_by is not None:
                        break  # the agent did not heed its cancellation: no ghost output
                    self._take(event)
                else:
                    return self.over(State.ANSWERED, "")
            except GeneratorExit:
                raise  # thrown away with its loop: nothing can be waited for any more
            except BaseException:
                await finish(stream)
                raise
            await finish(stream)
        except asyncio.CancelledError:
            return self._cancelled()
        except errors.AgentError as error:
            return self._failed(error)
        except Exception as error:
            return self.over(State.FAILED, errors.reason_of(error))
        return self.over(State.CANCELLED, "")

    def _take(self, event: AgentEvent) -> None:
        session, state = self._session, self._state
        now, id = session.now(), state.follow_up.id
        if type(event) is Delta:
            self._parts.append(event.text)
            if abs(now - self._kept_at) > PARTIAL_S:  # a clock may be put back
                self._keep_partial(now)
            session.tell(TurnDelta(session.key, now, state.number, id, event.text))
        elif type(event) is Notice:
            session.tell(TurnNotice(session.key, now, state.number, id, event.text))
        elif type(event) is Usage:
            self._usage = event
        elif type(event) is Messages:
            self._keep_partial(now)  # what was said comes before what was done then
            session.keep_messages(state.number, id, event.messages)
        elif type(event) is ToolCall:
            called = (event.call, event.tool, event.arguments)
            session.tell(ToolCalled(session.key, now, state.number, id, *called))
        elif type(event) is ToolResult:
            returned = (event.call, event.tool, event.ok, event.text)
            session.tell(ToolReturned(session.key, now, state.number, id, *returned))
        else:
            raise TypeError(f"an agent yields agent events, not {type(event).__name__}")

    def _keep_partial(self, now: float) -> None:
        self._kept_at = now
        if self._kept == len(self._parts):
            return
        said = "".join(self._parts[self._kept :])
        self._kept = len(self._parts)
        self._session.keep_partial(self._state.number, self.id, said)

    def _cancelled(self) -> TurnOver:
        task = asyncio.current_task()
        if self._state.stopped_by is None and task is not None and not task.cancelling():
            return self.over(State.FAILED, "the agent cancelled itself")
        return self.over(State.CANCELLED, "a cancelled task")

    def _failed(self, error: errors.AgentError) -> TurnOver:
        """A failure of a known kind consumes nothing: the follow-up is to run again."""
        reason, now = errors.reason_of(error), self._session.now()
        over = self.over(State.FAILED, reason)
        if isinstance(error, errors.RateLimited):
            over.hold = Hold(HoldReason.RATE_LIMITED, reason, now + error.retry_after_s)
        elif isinstance(error, errors.ModelUnreachable):
            over.hold = Hold(HoldReason.UNREACHABLE, reason)
        elif isinstance(error, errors.BudgetSpent):
            over.hold = Hold(HoldReason.BUDGET, reason)
        if over.hold is not None:
            self._keep_partial(now)
        return over

    def over(self, state: State, reason: str) -> TurnOver:
        """The end of this turn, as the decisions take it."""
        elapsed_s = time.perf_counter() - self._started
        answer = "".join(self._parts)
        return TurnOver(self._state.number, state, reason, answer, self._usage, elapsed_s)
