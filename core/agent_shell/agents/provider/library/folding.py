"""Has the model summarise older turns, at the start of a turn that would fill its window."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

from pydantic_ai.messages import InstructionPart, ModelMessage, ModelResponse
from pydantic_ai.models import ModelRequestParameters

from agent_shell.agents.base import AgentEvent, Delta, Exchange, Messages, Notice
from agent_shell.agents.provider.library.compaction import (
    TASK,
    Summary,
    estimated,
    fitting,
    marker,
    transcript,
)
from agent_shell.agents.provider.library.connected import Connection
from agent_shell.agents.provider.library.history import text_of, unicode, user
from agent_shell.agents.provider.library.request import Sleep, asked
from agent_shell.agents.provider.library.spending import Spending
from agent_shell.errors import AgentError

__all__ = ["Fold", "due"]


def due(connection: Connection, messages: Sequence[ModelMessage]) -> bool:
    """Whether older turns are to be summarised now: there is little room, and it is wanted."""
    window, settings = connection.window.tokens, connection.settings
    if window is None or not settings.compact:
        return False
    return estimated(messages) >= settings.compact_at * window


class Fold:
    """Summarises the turns `old`, and what `before` stands for; `summary` is what came of it.

    It fits a window of so many tokens, as `compaction` measures them.
    """

    def __init__(
        self,
        connection: Connection,
        before: Summary | None,
        old: Sequence[Exchange],
        window: int,
        spending: Spending,
        sleep: Sleep,
        *,
        how: str = "nearly full",
    ) -> None:
        self.summary = before
        self._how = how
        self._connection = connection
        self._before = before
        self._old = old
        self._window = window
        self._spending = spending
        self._sleep = sleep

    async def run(self) -> AsyncGenerator[AgentEvent]:
        """Asks for the summary, says so, and has it kept.

        Where the model gives none, the turn goes on with all turns as they are. Raises
        `WindowFull` where what is to be summarised is too long, too.
        """
        yield Notice(f"The model's window is {self._how}: older turns are being summarised.")
        response: ModelResponse | None = None
        try:
            async with contextlib.aclosing(self._asked()) as pieces:
                async for piece in pieces:
                    if isinstance(piece, ModelResponse):
                        response = piece
                    elif isinstance(piece, Notice):
                        yield piece
        except AgentError as error:
            if type(error) is not AgentError:
                raise  # an outage, a limit: the turn is to wait
            yield Notice(f"There is no summary: {error}")
            return
        text = ""
        if response is not None:
            yield self._spending.add(response)
            text = unicode(text_of(response)).strip()
        if not text:
            yield Notice("There is no summary: the model wrote none.")
            return
        self.summary = Summary(self._old[-1].turn, fitting(text, self._window))
        yield Messages([marker(self.summary)])
        yield Notice(
            f"The model is told a summary of the turns up to {self.summary.through} from here on. "
            "The session keeps them all: /compact off, or compact = false in the configuration, "
            "has it told them again."
        )

    def _asked(self) -> AsyncGenerator[Delta | Notice | ModelResponse]:
        text = transcript(self._old, self._before, self._window)
        parameters = ModelRequestParameters(instruction_parts=[InstructionPart(TASK)])
        return asked(self._connection, [user(text)], parameters, self._sleep)
