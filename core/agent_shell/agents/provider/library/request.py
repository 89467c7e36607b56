"""One request to the model: streamed, and tried again where that helps and nobody saw a thing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from pydantic_ai.models import ModelRequestParameters

from agent_shell.agents.base import Delta, Notice
from agent_shell.agents.provider.library.bounding import answers_closed
from agent_shell.agents.provider.library.connected import Connection
from agent_shell.agents.provider.library.failures import failure_of
from agent_shell.agents.provider.library.history import unicode
from agent_shell.errors import AgentError, ModelUnreachable

__all__ = ["asked"]

# Of one answer, in characters: twice as much as any model writes. A server that streams for
# ever must not fill our memory.
_LONGEST = 1_000_000

Sleep = Callable[[float], Awaitable[None]]


async def asked(
    connection: Connection,
    messages: Sequence[ModelMessage],
    parameters: ModelRequestParameters,
    sleep: Sleep = asyncio.sleep,
    *,
    most: int | None = None,
) -> AsyncGenerator[Delta | Notice | ModelResponse]:
    """The answer's text as it comes, and at the end the whole response.

    `most` tokens may be written, where the provider can be told so.

    An outage is waited out as often as the settings say, as long as no text of this request
    was yielded. Raises an `AgentError` that says what the failure means.
    """
    if most is not None:
        connection = connection.writing(most)
    settings = connection.settings
    pause_s, shown = settings.pause_s, False
    for attempt in range(1, settings.tries + 1):
        try:
            async with contextlib.aclosing(_once(connection, messages, parameters)) as events:
                async for event in events:
                    shown = shown or isinstance(event, Delta)
                    yield event
            return
        except Exception as error:
            failure = failure_of(error, connection)
        if shown or not failure.again or attempt == settings.tries:
            raise _final(failure.error, attempt) from None
        yield Notice(f"{failure.error}; trying again in {pause_s:g} s")
        await sleep(pause_s)
        pause_s *= 2


def _final(error: AgentError, attempts: int) -> AgentError:
    if attempts > 1 and type(error) is ModelUnreachable:
        error.args = (f"{error} (tried {attempts} times)",)
    return error


async def _once(
    connection: Connection, messages: Sequence[ModelMessage], parameters: ModelRequestParameters
) -> AsyncGenerator[Delta | ModelResponse]:
    async with (
        answers_closed(),
        model_request_stream(
            connection.model,
            messages,
            model_settings=connection.request_settings,
            model_request_parameters=parameters,
            instrument=False,
        ) as stream,
    ):
        size, half = 0, ""
        async for event in stream:
            size += _size_of(event)
            if size > _LONGEST:
                raise AgentError(
                    f"the answer was cut off: a model writes no more than {_LONGEST:,} characters"
                )
            text = half + _text_in(event)
            # The other half of a letter may come with the next piece.
            half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
            if text := unicode(text.removesuffix(half)):
                yield Delta(text)
        if half:
            yield Delta(unicode(half))
        response = stream.get()
    if not _ended(response) and response.state != "suspended":
        title = connection.settings.model.provider.title
        raise ModelUnreachable(f"{title} ended the answer before it was whole")
    yield response


def _ended(response: ModelResponse) -> bool:
    """Whether the server said that this is all: some do in words that the library does not know."""
    said = (response.provider_details or {}).get("finish_reason")
    return response.finish_reason is not None or bool(said)


def _size_of(event: ModelResponseStreamEvent) -> int:
    """How many characters it brings, seen or not; each event counts for one at least."""
    match event:
        case PartStartEvent(part=TextPart(content=text) | ThinkingPart(content=text)):
            return max(len(text), 1)
        case PartDeltaEvent(
            delta=TextPartDelta(content_delta=text)
            | ThinkingPartDelta(content_delta=str(text))
            | ToolCallPartDelta(args_delta=str(text))
        ):
            return max(len(text), 1)
        case _:
            return 1


def _text_in(event: ModelResponseStreamEvent) -> str:
    """What a person is to see of it: text, and no thoughts."""
    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _:
            return ""
