"""A provider's agent before a scripted server, and a turn by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_shell import Delta, Exchange, FollowUp, Lane, Messages, Notice, State
from agent_shell.agents.base import AgentEvent
from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import parse
from agent_shell.agents.provider.toolset import NoTools
from agent_shell.state import Budget

KEY = "sk-test-0123456789abcdefghij"
MODELS = ["openai-chat:gpt-4o", "openai:gpt-4o", "anthropic:claude-sonnet-5-5"]


def settings(server: Any, model: str, **changes: Any) -> ProviderSettings:
    """How the model is used whose server that is; pauses and stalls are short."""
    url = server.anthropic_url if model.startswith("anthropic") else server.openai_url
    given = {"base_url": url, "stall_s": 5.0, **changes}
    return ProviderSettings(parse(model), **given)


class NoSleep:
    """A clock that only counts: what is slept is over at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def agent_for(server: Any, model: str, **changes: Any) -> ProviderAgent:
    """The agent before the server; `sleep` in `changes` is its clock."""
    sleep = changes.pop("sleep", None) or NoSleep()
    return ProviderAgent(settings(server, model, **changes), sleep=sleep)


@dataclass
class HandTurn:
    """A turn that a test makes; `steers` maps the place to what is taken there."""

    text: str = "hello"
    past: Sequence[Exchange] = ()
    steers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    id: str = "f1"
    number: int = 1
    session_key: str = "s"
    sender: str = "user"
    stopping: bool = False
    allowance: Budget = field(default_factory=Budget)
    taken: list[str] = field(default_factory=list[str])

    async def history(self, limit: int = 1000) -> list[Exchange]:
        return list(self.past)[-limit:]

    def take_steers(self, where: str = "", /) -> list[FollowUp]:
        self.taken.append(where)
        texts = self.steers.pop(where, [])
        return [FollowUp(f"steer-{t}", t, Lane.STEER, "user", 0.0) for t in texts]


@dataclass
class Run:
    """What a turn came to."""

    events: list[AgentEvent] = field(default_factory=list[AgentEvent])
    error: Exception | None = None

    @property
    def text(self) -> str:
        return "".join(e.text for e in self.events if isinstance(e, Delta))

    @property
    def messages(self) -> list[Any]:
        return [m for e in self.events if isinstance(e, Messages) for m in e.messages]

    @property
    def notices(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Notice)]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def exchange(self, turn: HandTurn, state: State = State.ANSWERED) -> Exchange:
        """How the turn stands in the history of a later one."""
        return Exchange(turn.id, turn.number, turn.text, self.text, state, messages=self.messages)


async def run(agent: ProviderAgent, turn: Any) -> Run:
    """Runs a turn to its end, whatever that is."""
    done = Run()
    try:
        async for event in agent.run(turn):
            done.events.append(event)
    except Exception as error:
        done.error = error
    return done


def past(text: str, answer: str, state: State = State.ANSWERED, **changes: Any) -> Exchange:
    """A turn of an agent that keeps no messages."""
    return dataclasses.replace(Exchange(f"id-{text}", 1, text, answer, state), **changes)


@dataclass(frozen=True)
class HandTool:
    """A tool's description."""

    name: str = "read"
    description: str = "Reads a file."
    parameters: dict[str, Any] = field(
        default_factory=lambda: {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
            "additionalProperties": False,
        }
    )


@dataclass(frozen=True)
class Outcome:
    """What a use of a tool came to."""

    text: str
    ok: bool = True
    shown: str = "shown"


class HandTools(NoTools):
    """Tools whose results a test gives, in order, or that have some; what is called is kept."""

    def __init__(self, *outcomes: Outcome, names: Sequence[str] = ("read",)) -> None:
        self._outcomes = list(outcomes)
        self._names = names
        self.called: list[tuple[str, object]] = []

    async def tools(self) -> list[HandTool]:
        return [HandTool(name) for name in self._names]

    async def call(
        self, name: str, arguments: object, *, session: str = "", call: str = ""
    ) -> Outcome:
        self.called.append((name, arguments))
        return self._outcomes.pop(0) if self._outcomes else Outcome(f"result {len(self.called)}")
