"""One turn with the model: request, answer, tools, and again, until it has no more to do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncGenerator, Sequence

from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from agent_shell.agents.base import (
    AgentEvent,
    Delta,
    Exchange,
    Messages,
    Notice,
    ToolCall,
    ToolResult,
    Turn,
)
from agent_shell.agents.provider.library.compaction import (
    Summary,
    beginning,
    estimated,
    foldable,
    latest,
    measure,
    measured,
    rest,
)
from agent_shell.agents.provider.library.connected import Connection
from agent_shell.agents.provider.library.failures import WindowFull
from agent_shell.agents.provider.library.folding import Fold, due
from agent_shell.agents.provider.library.history import (
    SEPARATOR,
    Opening,
    dump,
    normal,
    opening,
    sound,
    text_of,
    user,
)
from agent_shell.agents.provider.library.request import Sleep, asked
from agent_shell.agents.provider.library.spending import Spending
from agent_shell.agents.provider.toolset import Beside, Tool, Toolset
from agent_shell.errors import AgentError, BudgetSpent

__all__ = ["Conversation"]

_REFITS = 3  # tries to find out how much a model reads at once
_OF_LENGTH = re.compile(r"max\w*tokens", re.IGNORECASE)
_NO_JSON = "the arguments are no JSON object; nothing was done"
_CUT_OFF = (
    "the arguments were cut off: the answer was as long as it may be; nothing was done. "
    "Write less at once, in several steps"
)


class Conversation:
    """One turn's conversation with the model; `run` is called once."""

    def __init__(self, connection: Connection, turn: Turn, sleep: Sleep = asyncio.sleep) -> None:
        self._connection = connection
        self._turn = turn
        self._sleep = sleep
        toolset = connection.settings.toolset
        self._toolset: Toolset = toolset if turn.number else Beside(toolset)
        self._spending = Spending(connection.window)
        self._messages: list[ModelMessage] = []
        self._parameters = ModelRequestParameters()
        self._said = False  # whether a person has seen text of an earlier request
        self._history: list[Exchange] = []  # without what the summary stands for
        self._summary: Summary | None = None
        self._begun = 0  # how many of the messages were there when the turn began
        self._refitted = False
        self._most: int | None = None  # tokens that the answer may have, by the budget

    async def run(self) -> AsyncGenerator[AgentEvent]:
        """The turn's events; raises an `AgentError` that says what a failure means."""
        async with contextlib.aclosing(self._opened()) as events:
            async for event in events:
                yield event
        tools = await self._toolset.tools()
        self._parameters = _parameters(self._connection, tools, self._messages)
        for problem in self._toolset.take_problems():
            yield Notice(problem)
        for number in itertools.count(1):
            async with contextlib.aclosing(self._round(number)) as events:
                async for event in events:
                    yield event
            last = self._messages[-1]
            if isinstance(last, ModelResponse) and last.state != "suspended":
                if notice := _ending(last, number, by_budget=self._most is not None):
                    yield notice
                return

    async def _opened(self) -> AsyncGenerator[AgentEvent]:
        """What the model is told first; older turns are summarised where that is due."""
        connection = self._connection
        history = await self._turn.history()
        self._summary = latest(history) if connection.settings.compact else None
        self._history = rest(history, self._summary)
        begun = self._opening()
        if (tokens := connection.window.tokens) and due(connection, begun.messages):
            window = measure(tokens, begun.messages)
            # Where it is refused as too long, the turn's request will be, and that is mended then.
            with contextlib.suppress(WindowFull):
                async with contextlib.aclosing(self._folded(window, "nearly full")) as events:
                    async for event in events:
                        yield event
            begun = self._opening()
        self._messages = begun.messages
        self._begun = len(begun.messages)
        if begun.fresh:
            yield Messages(dump(begun.fresh))

    def _opening(self) -> Opening:
        turn = self._turn
        return opening(self._history, turn.id, turn.text, beginning(self._summary))

    async def _folded(self, window: int, how: str) -> AsyncGenerator[AgentEvent]:
        """Has the oldest turns summarised, if there are any that may be."""
        old = foldable(self._history, self._turn.id, window)
        if not old:
            return
        connection, before = self._connection, self._summary
        fold = Fold(connection, before, old, window, self._spending, self._sleep, how=how)
        async with contextlib.aclosing(fold.run()) as events:
            async for event in events:
                yield event
        self._summary = fold.summary
        self._history = rest(self._history, fold.summary)

    async def _refit(self, full: WindowFull) -> AsyncGenerator[AgentEvent]:
        """Has older turns summarised since the provider refused; raises `full` if that is no help.

        Its window is what it says, or half of what it has refused: also where that is less by
        our measure, for then the provider counts more than we do.
        """
        refused, size = estimated(self._messages), measured(self._messages)
        window = min(full.window or size, size // 2)
        for _ in range(_REFITS):
            before = self._summary
            try:
                async with contextlib.aclosing(self._folded(window, "full")) as events:
                    async for event in events:
                        yield event
            except WindowFull:
                window //= 2
                continue
            if self._summary is before:
                raise full  # there is none, which was said, or nothing that one could stand for
            self._connection.window.learn(full.window or refused)
            of_turn = self._messages[self._begun :]
            begun = self._opening().messages
            self._messages, self._begun = [*begun, *of_turn], len(begun)
            return
        raise full

    async def _round(self, number: int) -> AsyncGenerator[AgentEvent]:
        """One request with its answer, and the use of the tools that it asks for."""
        for steer in self._turn.take_steers(f"before request {number}"):
            yield self._kept(user(steer.text))
        self._spending.check(self._turn.allowance)
        response: ModelResponse | None = None
        async with contextlib.aclosing(self._answered()) as pieces:
            async for piece in pieces:
                if isinstance(piece, ModelResponse):
                    response = piece
                else:
                    yield piece
        assert response is not None
        response = sound(response, self._messages)
        yield self._kept(response)
        yield self._spending.add(response)
        if number == 1 and (unheld := self._spending.unheld(self._turn.allowance)):
            yield Notice(unheld)
        no_json = _CUT_OFF if response.finish_reason == "length" else _NO_JSON
        async with contextlib.aclosing(self._used(_calls(response), no_json)) as uses:
            async for event in uses:
                yield event

    async def _answered(self) -> AsyncGenerator[AgentEvent | ModelResponse]:
        """The answer; asked for again, once each, where a request was refused and can be mended."""
        allowance, capped = self._turn.allowance, True
        while True:
            room = self._spending.room(allowance, estimated(normal(self._messages)))
            self._most = room if capped else None
            try:
                async with contextlib.aclosing(self._asked()) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except WindowFull as full:
                if self._refitted or not self._connection.settings.compact:
                    raise
                self._refitted = True
                async with contextlib.aclosing(self._refit(full)) as events:
                    async for event in events:
                        yield event
            except AgentError as error:
                # Some refuse to be told of more than their models can write.
                if self._most is None or not _OF_LENGTH.search(str(error)):
                    raise
                capped = False

    async def _asked(self) -> AsyncGenerator[Delta | Notice | ModelResponse]:
        said = False
        messages = normal(self._messages)
        request = asked(self._connection, messages, self._parameters, self._sleep, most=self._most)
        async with contextlib.aclosing(request) as events:
            async for event in events:
                if isinstance(event, Delta):
                    if self._said and not said:
                        yield Delta(SEPARATOR)
                    said = True
                yield event
        self._said = self._said or said

    async def _used(
        self, calls: Sequence[ToolCallPart], no_json: str
    ) -> AsyncGenerator[AgentEvent]:
        """Uses the tools that were asked for, one after the other.

        A later one may need an earlier one's effect, and a question to the user comes alone.
        `no_json` is told of arguments that can't be read.
        """
        for call in calls:
            name, id = call.tool_name, call.tool_call_id
            try:
                arguments = call.args_as_dict(raise_if_invalid=True)
            except (ValueError, AssertionError):
                yield ToolCall(id, name, {})
                yield self._returned(call, no_json, ok=False)
                yield ToolResult(id, name, False, no_json)
                continue
            yield ToolCall(id, name, arguments)
            session = self._turn.session_key
            outcome = await self._toolset.call(name, arguments, session=session, call=id)
            yield self._returned(call, outcome.text, ok=outcome.ok)
            yield ToolResult(id, name, outcome.ok, outcome.shown)

    def _returned(self, call: ToolCallPart, text: str, *, ok: bool) -> Messages:
        part = ToolReturnPart(
            call.tool_name, text, call.tool_call_id, outcome="success" if ok else "failed"
        )
        return self._kept(ModelRequest([part]))

    def _kept(self, message: ModelMessage) -> Messages:
        self._messages.append(message)
        return Messages(dump([message]))


def _parameters(
    connection: Connection, tools: Sequence[Tool], messages: Sequence[ModelMessage]
) -> ModelRequestParameters:
    texts = [connection.settings.instructions, connection.settings.toolset.instructions()]
    return ModelRequestParameters(
        function_tools=[_defined(tool) for tool in tools] or _gone(messages),
        instruction_parts=[InstructionPart(text) for text in texts if text.strip()],
    )


def _defined(tool: Tool) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=dict(tool.parameters),
        strict=False,
    )


def _gone(messages: Sequence[ModelMessage]) -> list[ToolDefinition]:
    """The tools that only the history has: calls of none at all are refused by Anthropic."""
    calls = (call for m in messages if isinstance(m, ModelResponse) for call in _calls(m))
    names = dict.fromkeys(call.tool_name for call in calls)
    return [ToolDefinition(name=name, description="Not to be had any more.") for name in names]


def _calls(response: ModelResponse) -> list[ToolCallPart]:
    return [part for part in response.parts if isinstance(part, ToolCallPart)]


def _ending(response: ModelResponse, requests: int, *, by_budget: bool) -> Notice | None:
    """What is to be said of the last response; raises where it is no answer."""
    text = text_of(response).strip()
    if response.finish_reason == "length" and by_budget:
        raise BudgetSpent("the budget is spent: it let the answer be no longer")
    if response.finish_reason == "length":
        return Notice("The answer was cut off: it is as long as the model may write.")
    if response.finish_reason == "content_filter":
        if text:
            return Notice("The provider's content filter cut the answer off.")
        raise AgentError("the provider's content filter let no answer through")
    if not text and requests == 1:
        raise AgentError("the model gave an empty answer")
    return None
