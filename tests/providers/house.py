"""An engine with a real provider's agent and real tools, before a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_shell import Engine, Lane, Session
from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import parse
from agent_shell.events import Event, Receipt
from agent_shell.tools import (
    Approval,
    ApprovalRequest,
    Gate,
    Mode,
    Policy,
    Result,
    Toolset,
    Workspace,
    builtin_tools,
)
from providers.wire_server import Point, WireServer

MODELS = {
    "chat": "openai-chat:gpt-4o",
    "responses": "openai:gpt-4o",
    "messages": "anthropic:claude-sonnet-5-5",
}

Act = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    """Where nothing is done."""


@dataclass
class Places:
    """The places of a turn, in the order in which it comes past; at one of them `act` is done.

    It runs as a task of its own, as what a person does would, and whoever stands at the
    place waits for it: what stands there may itself be what it cancels.
    """

    at: int = -1
    act: Act = _nothing
    names: list[str] = field(default_factory=list[str])
    acting: asyncio.Task[None] | None = None

    async def come_past(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) - 1 != self.at:
            return
        for _ in range(20):
            await asyncio.sleep(0)  # what was sent before is read by now
        self.acting = asyncio.ensure_future(self.act())
        await asyncio.shield(self.acting)


class WatchedTools(Toolset):
    """Real tools, with a place before and after each use."""

    def __init__(self, folder: Path, gate: Gate) -> None:
        self.workspace = Workspace(folder)
        super().__init__(builtin_tools(self.workspace), gate)
        self.places = Places()

    async def call(
        self, name: str, arguments: object, *, session: str = "", call: str = "", **more: Any
    ) -> Result:
        await self.places.come_past(f"before {name}")
        result = await super().call(name, arguments, session=session, call=call, **more)
        await self.places.come_past(f"after {name}")
        return result


class Person:
    """Somebody who answers questions: `answers` by the tool, yes to all others."""

    def __init__(self) -> None:
        self.places = Places()
        self.asked: list[ApprovalRequest] = []
        self.answers: Mapping[str, Approval] = {}

    async def ask(self, request: ApprovalRequest) -> Approval:
        self.asked.append(request)
        await self.places.come_past(f"asked for {request.tool}")
        return self.answers.get(request.tool, Approval.once())


class House:
    """One agent in one project before one server, for any number of sessions."""

    def __init__(self, server: WireServer, format: str, folder: Path, **settings: Any) -> None:
        self.server = server
        self.folder = folder
        self.person = Person()
        mode = settings.pop("mode", Mode.ASK)
        sleep = settings.pop("sleep", asyncio.sleep)
        self.tools = WatchedTools(folder, Gate(Policy(mode), self.person))
        url = server.anthropic_url if format == "messages" else server.openai_url
        named = parse(MODELS[format])
        self.agent = ProviderAgent(
            ProviderSettings(named, base_url=url, toolset=self.tools, **settings), sleep=sleep
        )
        self.places = Places()

    def watch(self, places: Places) -> None:
        """From here on these are the places."""
        self.places = self.tools.places = self.person.places = places

    async def on_point(self, point: Point) -> None:
        """What the server does at each of its points."""
        await self.places.come_past(f"request, event {point.event}")

    async def close(self) -> None:
        await self.agent.close()
        await self.tools.close()
        self.tools.workspace.close()


@dataclass
class Talk:
    """What was submitted to a session, and all that it told."""

    session: Session
    ids: list[str] = field(default_factory=list[str])
    events: list[Event] = field(default_factory=list[Event])

    def __post_init__(self) -> None:
        self._observer = self.session.observe()

    async def submit(self, text: str, lane: Lane = Lane.QUEUE) -> str:
        accepted = await self.session.submit(text, lane=lane)
        self.ids.append(accepted.id)
        return accepted.id

    def told(self) -> list[Event]:
        """All events until now."""
        self.events += self._observer.take()
        return self.events

    async def answered(self, id: str) -> Receipt:
        """The receipt of an input; fails where the session holds instead."""
        await self.session.settled()
        assert self.session.hold is None, f"{self.session!r} holds: {self.session.hold}"
        return await self.session.receipt(id)

    async def receipts(self, *, held: bool = False) -> dict[str, Receipt]:
        """The receipt of each input, once all have one; each has exactly one.

        With `held` the session may hold meanwhile, and go on by itself.
        """
        async with asyncio.timeout(30):
            for id in list(self.ids):
                await (self.session.receipt(id) if held else self.answered(id))
            await self.session.settled()
        receipts = [event for event in self.told() if isinstance(event, Receipt)]
        assert sorted(r.id for r in receipts) == sorted(self.ids), "each has exactly one receipt"
        return {receipt.id: receipt for receipt in receipts}


def open_engine(house: House, **settings: Any) -> Engine:
    """An engine over the house's agent."""
    return Engine(house.agent, **settings)
