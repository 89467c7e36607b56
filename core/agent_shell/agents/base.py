"""What an agent is, what it is given, and what it may yield.

An agent is whatever has `run(turn)`, an async iterator of agent events:

    class Shout:
        async def run(self, turn):
            yield Delta(turn.text.upper())

The engine cancels a turn by cancelling its task: an agent sees
`asyncio.CancelledError` where it waits, cleans up and lets it pass. Whatever it
yields after that is dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Protocol, runtime_checkable

from agent_shell.records import frozen, record
from agent_shell.state import Budget, FollowUp, State

__all__ = [
    "Agent",
    "AgentEvent",
    "Delta",
    "Exchange",
    "Loadable",
    "Messages",
    "Notice",
    "Progress",
    "ToolCall",
    "ToolResult",
    "Turn",
    "Usage",
    "WrappedTurn",
    "finish",
]


@record
class Delta:
    """A piece of the answer, as it comes."""

    text: str


@record
class Notice:
    """Something that the user should know about this turn, and that is no answer."""

    text: str


@record
class Usage:
    """What the turn used, in tokens; `extra` holds what is counted besides.

    Of `extra`, these names are known: `cached_tokens` (read from a cache), `cost_usd`
    (US dollars), `context_tokens` (of the last request and its answer) and `window`
    (the model's, in tokens). Yielded again, it replaces what was said before.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def cost_usd(self) -> float:
        """What it cost, in US dollars; 0 where nobody has said so."""
        cost = self.extra.get("cost_usd")
        return cost if isinstance(cost, int | float) and cost > 0 else 0.0


@record
class ToolCall:
    """The agent begins to use a tool; `call` names this use, once in its turn.

    `arguments` are what the model said, JSON-ready.
    """

    call: str
    tool: str
    arguments: Mapping[str, Any]


@record
class ToolResult:
    """The use `call` of a tool is over; `text` is what a person should see of the result.

    `ok` is false where it failed, was denied or was cut off.
    """

    call: str
    tool: str
    ok: bool
    text: str


@record
class Messages:
    """What the model's history has more since the turn began, or since the last of these.

    JSON-ready, in a form of the agent's own: the journal keeps it with the turn, and
    `Exchange.messages` gives it back. To be yielded as soon as a message is whole, so that
    a crash leaves what was done.
    """

    messages: Sequence[Mapping[str, Any]]


AgentEvent = Delta | Notice | Usage | ToolCall | ToolResult | Messages


@record
class Exchange:
    """One past turn: what was asked, what was answered, and how it ended.

    `answer` is a part only, where `state` is not `answered`. `messages` is what the agent
    said of it by `Messages`. A turn that could not go on, and whose follow-up was put back
    to the head of the queue, is here with what it had produced, as `queued` or
    `interrupted`: where the follow-up runs again, it is the last one and has its `id`.
    """

    id: str
    turn: int
    text: str
    answer: str
    state: State
    sender: str = "user"
    messages: Sequence[Mapping[str, Any]] = ()


class Turn(Protocol):
    """One run of an agent on one follow-up, as the agent sees it."""

    @property
    def session_key(self) -> str:
        """The conversation that this turn belongs to."""
        ...

    @property
    def number(self) -> int:
        """The turn's number: 1 for the first of a session, never used twice.

        0 is a question beside the session: it is answered, and nothing is done for it.
        """
        ...

    @property
    def id(self) -> str:
        """The id of the follow-up that is answered."""
        ...

    @property
    def text(self) -> str:
        """The follow-up's text."""
        ...

    @property
    def sender(self) -> str:
        """Who the follow-up came from, as `submit` was told."""
        ...

    @property
    def stopping(self) -> bool:
        """The cancel signal: true from the moment somebody stopped this turn."""
        ...

    @property
    def allowance(self) -> Budget:
        """What this turn may use of the session's budget; `None` is no bound.

        An agent that would go beyond it raises `BudgetSpent`.
        """
        ...

    async def history(self, limit: int = 1000) -> list[Exchange]:
        """The last `limit` turns of the session, oldest first, without this one."""
        ...

    def take_steers(self, where: str = "", /) -> list[FollowUp]:
        """Empties the steer inbox: inputs to be heeded from here on, in order.

        To be called at a safe point (before a model request, after a tool's
        result). What is taken has its receipt, `steered into turn N` and `where`
        in the turn that was ("before request 2"); what is not taken before the turn
        ends becomes the next turn.
        """
        ...


class WrappedTurn:
    """A turn for an agent behind another one: all of `turn`, but for what a subclass changes."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    @property
    def session_key(self) -> str:
        """See `Turn`."""
        return self._turn.session_key

    @property
    def number(self) -> int:
        """See `Turn`."""
        return self._turn.number

    @property
    def id(self) -> str:
        """See `Turn`."""
        return self._turn.id

    @property
    def text(self) -> str:
        """See `Turn`."""
        return self._turn.text

    @property
    def sender(self) -> str:
        """See `Turn`."""
        return self._turn.sender

    @property
    def stopping(self) -> bool:
        """See `Turn`."""
        return self._turn.stopping

    @property
    def allowance(self) -> Budget:
        """See `Turn`."""
        return self._turn.allowance

    async def history(self, limit: int = 1000) -> list[Exchange]:
        """See `Turn`."""
        return await self._turn.history(limit)

    def take_steers(self, where: str = "", /) -> list[FollowUp]:
        """See `Turn`."""
        return self._turn.take_steers(where)


@frozen
class Progress:
    """How far a model is that is being made ready; `total_bytes` is 0 where nobody can know."""

    stage: Literal["waiting", "downloading", "checking", "unpacking", "loading"]
    done_bytes: int = 0
    total_bytes: int = 0


@runtime_checkable
class Loadable(Protocol):
    """An agent with something heavy to make ready before its first turn."""

    on_progress: Callable[[Progress], None]

    async def load(self) -> None:
        """Makes it ready, once for all callers; raises `ModelUnreachable`."""
        ...

    async def close(self) -> None:
        """Lets go of it."""
        ...


@runtime_checkable
class Agent(Protocol):
    """Whatever answers a turn."""

    def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers the turn; raises an `AgentError` to say what a failure means."""
        ...


async def finish(events: object) -> None:
    """Ends an agent's iterator that may have been left in the middle, if it can be ended."""
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        await aclose()
