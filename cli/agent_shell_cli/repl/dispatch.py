"""Who answers a turn: the model, or, for the prompt's own lines, the shell itself.

Lines such as `!make test` and `/model echo` wait in the queue in their place, as
follow-ups whose sender is the prompt; so they are journaled, interrupted and given a
receipt as all others are. Who can write the journal can make the shell run a line:
the file belongs to the user alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from agent_shell import Agent, AgentEvent, Delta, Exchange, Turn
from agent_shell.agents.base import WrappedTurn, finish
from agent_shell_cli.repl.router import PROMPT_SENDER

__all__ = ["Dispatch"]

# How much of a line's output a model is shown: the end of it, in characters.
_SHOWN = 8_000


class Dispatch:
    """Implements `Agent`: `agent`, which can be changed, answers what is for a model.

    `change_model` takes the name of another model, "" to ask which it is, and says
    what came of it.
    """

    def __init__(self, agent: Agent, change_model: Callable[[str], Awaitable[str]]) -> None:
        self.agent = agent
        self._change_model = change_model

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers the turn, or does what the line says."""
        if turn.sender != PROMPT_SENDER:
            events = self.agent.run(ForModel(turn))
        else:
            events = self._obey(turn.text)
        try:
            async for event in events:
                yield event
        finally:
            await finish(events)

    async def _obey(self, line: str) -> AsyncIterator[AgentEvent]:
        if line.startswith("!"):
            # Imported here: processes are loaded with the first of them.
            from agent_shell_cli.repl.shell_line import run_line

            async with contextlib.aclosing(run_line(line.lstrip("!"))) as output:
                async for piece in output:
                    yield Delta(piece)
        else:
            _, _, name = line.partition(" ")
            yield Delta(await self._change_model(name.strip()))


class ForModel(WrappedTurn):
    """A turn as a model sees it: lines for the shell are what the user did, and told."""

    async def history(self, limit: int = 1000) -> list[Exchange]:
        """The last turns, without those that were only between the user and the shell."""
        return for_model(await super().history(limit))


def for_model(history: list[Exchange]) -> list[Exchange]:
    """The exchanges that concern a model, a line's output as something that it was told."""
    return [
        shown
        for exchange in history
        if (shown := exchange if exchange.sender != PROMPT_SENDER else _told(exchange)) is not None
    ]


def _told(exchange: Exchange) -> Exchange | None:
    if not exchange.text.startswith("!") or exchange.text.startswith("!!"):
        return None
    output = exchange.answer[-_SHOWN:]
    cut = "the end of its output" if len(exchange.answer) > _SHOWN else "its output"
    text = f"I ran this in my shell: {exchange.text[1:].strip()}\nThis was {cut}:\n{output}"
    return Exchange(
        exchange.id, exchange.turn, text, "I have seen it.", exchange.state, exchange.sender
    )
