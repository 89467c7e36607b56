"""The session's turns as the model's history: pure functions.

Whatever cut a turn off, what comes out is a history that every provider accepts: it begins
with the user, user and assistant alternate, and every call of a tool has its one result,
right after it.

Messages are kept in the journal as the library writes them, one a dict. A result of a tool is
kept as soon as it is there, so what one request had may be several messages there.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_core import PydanticSerializationError

from agent_shell.agents.base import Exchange
from agent_shell.state import State

__all__ = [
    "SEPARATOR",
    "Opening",
    "dump",
    "normal",
    "opening",
    "sound",
    "text_of",
    "told",
    "unicode",
    "user",
]

SEPARATOR = "\n\n"
"""What stands in an answer between the texts of two responses of one turn."""

_CANCELLED = (
    "[The user cut your last turn off on purpose. It may have done part of its work: "
    "do not go on with it unless asked to.]"
)
_RUNNING = "[Your last turn is still at work; this is a question beside it.]"
_BROKEN = "[Your last turn broke off. It may have done part of its work.]"
_CONTINUE = (
    "[The turn broke off here. Go on with it where it stopped, and do not repeat what stands "
    "above. Whatever was running may have done part of its work.]"
)
_UNKNOWN = "[What stood here is not known any more.]"
_NOTES = {State.ANSWERED: "", State.CANCELLED: _CANCELLED, State.RUNNING: _RUNNING}
# What all providers take as a call's id and name.
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
_NAME = 64
_NO_RESULT = "[No result: this was cut off before it returned. It may have done part of its work.]"


@dataclass(frozen=True, slots=True)
class Opening:
    """What a turn begins with; `fresh` is what is new of it, for the journal."""

    messages: list[ModelMessage]
    fresh: list[ModelMessage]


def opening(history: Sequence[Exchange], id: str, text: str, beginning: str = "") -> Opening:
    """The history with the input `text` of the follow-up `id` at its end.

    `beginning` is told before it all, where there is one. Where the last turn was of the same
    follow-up and text, it is gone on with.
    """
    messages: list[ModelMessage] = [user(beginning)] if beginning else []
    messages += told(history)
    last = history[-1] if history else None
    if last is not None and last.id == id and last.text == text:
        if _produced(last):
            messages.append(user(_CONTINUE))
        return Opening(messages, [])
    if last is not None and (note := _note(last)):
        messages.append(user(note))
    fresh: list[ModelMessage] = [user(text)]
    return Opening(messages + fresh, fresh)


def told(history: Sequence[Exchange]) -> list[ModelMessage]:
    """The turns as messages, with notes where one was cut off; not `normal` yet."""
    messages: list[ModelMessage] = []
    before: Exchange | None = None
    for exchange in history:
        again = before is not None and before.id == exchange.id and before.text == exchange.text
        if before is not None and again and _produced(before):
            messages.append(user(_CONTINUE))
        elif before is not None and not again and (note := _note(before)):
            messages.append(user(note))
        messages += _of(exchange, again)
        before = exchange
    return messages


def _of(exchange: Exchange, again: bool) -> list[ModelMessage]:
    """One turn: as the agent kept it, or from its texts; with the part that was cut off."""
    messages = load(exchange.messages)
    if not messages and not again:
        messages.append(user(exchange.text))
    whole = SEPARATOR.join(text for m in messages if (text := text_of(m)))
    rest = exchange.answer[len(whole) :] if exchange.answer.startswith(whole) else ""
    if rest.strip():
        messages.append(ModelResponse([TextPart(rest.strip("\n"))]))
    return messages


def _produced(exchange: Exchange) -> bool:
    return bool(exchange.answer) or any(m.get("kind") == "response" for m in exchange.messages)


def _note(exchange: Exchange) -> str:
    return _NOTES.get(exchange.state, _BROKEN)


def user(text: str) -> ModelRequest:
    """A message of the user."""
    return ModelRequest([UserPromptPart(text)])


def text_of(message: ModelMessage) -> str:
    """What a person saw of a response; "" for a request."""
    if not isinstance(message, ModelResponse):
        return ""
    return "".join(part.content for part in message.parts if isinstance(part, TextPart))


def unicode(text: str) -> str:
    """The text with letters that came in two halves whole; a half alone fits no request."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def sound(response: ModelResponse, before: Iterable[ModelMessage]) -> ModelResponse:
    """The response as every provider takes it back, whatever the model's server sent.

    It is Unicode, and its calls have names and ids that may be; no id is one of those in the
    messages `before`. What is refused would be so in each request from then on.
    """
    taken = {call.tool_call_id for message in before for call in _calls(message)}
    parts: list[ModelResponsePart] = []
    for part in _in_unicode(response).parts:
        if isinstance(part, ToolCallPart):
            name = _NO_NAME.sub("_", part.tool_name)[:_NAME] or "_"
            id = part.tool_call_id
            if id in taken or not _ID.fullmatch(id):
                id = f"call_{uuid.uuid4().hex}"
            taken.add(id)
            mended: dict[str, Any] = {"tool_name": name, "tool_call_id": id}
            part = replace(part, **mended)
        parts.append(part)
    return replace(response, parts=parts)


def _in_unicode(response: ModelResponse) -> ModelResponse:
    try:
        ModelMessagesTypeAdapter.dump_json([response])
    except PydanticSerializationError:
        (whole,) = ModelMessagesTypeAdapter.validate_python(_texts_in_unicode(dump([response])))
        assert isinstance(whole, ModelResponse)
        return whole
    return response


def _texts_in_unicode(plain: Any) -> Any:
    match plain:
        case str():
            return unicode(plain)
        case list():
            return [_texts_in_unicode(one) for one in cast("Iterable[Any]", plain)]
        case dict():
            pairs = cast("dict[str, Any]", plain).items()
            return {unicode(name): _texts_in_unicode(value) for name, value in pairs}
        case _:
            return plain


def dump(messages: Iterable[ModelMessage]) -> list[dict[str, Any]]:
    """The messages as the journal keeps them."""
    plain: list[dict[str, Any]] = ModelMessagesTypeAdapter.dump_python(
        list(messages), mode="json", exclude_none=True
    )
    return plain


def load(plain: Iterable[Mapping[str, Any]]) -> list[ModelMessage]:
    """What `dump` wrote.

    What can't be read, as another agent or version may have written it, is left out: the
    texts of the turn stand for it.
    """
    kept = [m for m in plain if m.get("kind") in ("request", "response")]
    try:
        return ModelMessagesTypeAdapter.validate_python(kept)
    except ValidationError:
        return []


def normal(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """The messages as providers accept them: alternating, calls and results paired."""
    result: list[ModelMessage] = []
    for message in _joined(messages):
        before = result[-1] if result else None
        calls = _calls(before)
        if isinstance(message, ModelRequest):
            message = _answering(message, calls)
            if message.parts:
                result.append(message)
        else:
            if not isinstance(before, ModelRequest):
                # What was asked is not here: the history was cut, or held results alone.
                asked = _answering(user(_UNKNOWN), calls)
                result.append(asked)
            result.append(message)
    if calls := _calls(result[-1] if result else None):
        result.append(_answering(ModelRequest([]), calls))
    return result


def _joined(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """Neighbours of one kind as one message; without what is empty."""
    joined: list[ModelMessage] = []
    for message in messages:
        before = joined[-1] if joined else None
        if isinstance(message, ModelRequest):
            if isinstance(before, ModelRequest):
                joined[-1] = replace(before, parts=[*before.parts, *message.parts])
            elif message.parts:
                joined.append(message)
        elif parts := _worth(message.parts):
            if isinstance(before, ModelResponse):
                joined[-1] = replace(before, parts=[*before.parts, *parts])
            else:
                joined.append(replace(message, parts=parts))
    return joined


def _worth(parts: Sequence[ModelResponsePart]) -> list[ModelResponsePart]:
    kept = [p for p in parts if not (isinstance(p, TextPart) and not p.content.strip())]
    # Thoughts that led to nothing can't stand alone.
    return [] if all(isinstance(part, ThinkingPart) for part in kept) else kept


def _calls(message: ModelMessage | None) -> list[ToolCallPart]:
    if not isinstance(message, ModelResponse):
        return []
    return [part for part in message.parts if isinstance(part, ToolCallPart)]


def _answering(request: ModelRequest, calls: Sequence[ToolCallPart]) -> ModelRequest:
    """The request with one result for each of `calls`, in their order, and no other result."""
    given: dict[str, ToolReturnPart] = {}
    rest: list[ModelRequestPart] = []
    for part in request.parts:
        if isinstance(part, ToolReturnPart):
            given.setdefault(part.tool_call_id, part)
        else:
            rest.append(part)
    results = [given.get(call.tool_call_id) or _closing(call) for call in calls]
    return replace(request, parts=[*results, *rest])


def _closing(call: ToolCallPart) -> ToolReturnPart:
    return ToolReturnPart(call.tool_name, _NO_RESULT, call.tool_call_id, outcome="interrupted")
