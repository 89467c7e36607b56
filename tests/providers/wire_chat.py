"""OpenAI's chat completions, as they go over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from providers.story import Call, Called, Returned, Said, Used
from providers.valid_chat import check_chat
from providers.wire_events import (
    Numbers,
    arguments_of,
    bearer,
    event,
    fragments,
    openai_error,
    text_of,
    words,
)


class ChatAnswer:
    """One answer of `/v1/chat/completions`."""

    def __init__(self, body: dict[str, Any], numbers: Numbers) -> None:
        self._numbers = numbers
        self._head = {
            "id": numbers.id("chatcmpl"),
            "created": 1_790_000_000,
            "model": body.get("model"),
            "system_fingerprint": "fp_0",
        }
        self._counts = bool((body.get("stream_options") or {}).get("include_usage"))
        self._texts: list[str] = []  # joined at the end: a stream may go on for ever
        self._calls: list[dict[str, Any]] = []

    def opening(self) -> Iterator[bytes]:
        yield self._delta({"role": "assistant", "content": "", "refusal": None})

    def text(self, text: str) -> Iterator[bytes]:
        self._texts.append(text)
        for word in words(text):
            yield self._delta({"content": word})

    def call(self, call: Call) -> Iterator[bytes]:
        id, arguments = call.id or self._numbers.id("call"), arguments_of(call)
        index = len(self._calls)
        function = {"name": call.tool, "arguments": arguments}
        self._calls.append({"id": id, "type": "function", "function": function})
        first = {"index": index, "id": id, "type": "function"}
        yield self._delta({"tool_calls": [{**first, "function": {**function, "arguments": ""}}]})
        for piece in fragments(arguments):
            yield self._delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def failure(self, kind: str, message: str) -> Iterator[bytes]:
        yield event({"error": {"message": message, "type": kind, "param": None, "code": kind}})

    def closing(self, used: Used, truncated: bool) -> Iterator[bytes]:
        yield self._delta({}, self._reason(truncated))
        if self._counts:
            yield self._chunk([], _usage(used))
        yield event("[DONE]")

    def whole(self, used: Used, truncated: bool) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._texts) or None,
            "refusal": None,
            "annotations": [],
        }
        if self._calls:
            message["tool_calls"] = self._calls
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self._reason(truncated),
        }
        head = {**self._head, "object": "chat.completion"}
        return {**head, "choices": [choice], "usage": _usage(used)}

    def _reason(self, truncated: bool) -> str:
        return "length" if truncated else "tool_calls" if self._calls else "stop"

    def _delta(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._chunk([choice], None)

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        body = {**self._head, "object": "chat.completion.chunk", "choices": choices}
        return event({**body, "usage": usage} if self._counts else body)


def _usage(used: Used) -> dict[str, Any]:
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


class Chat:
    """The format of OpenAI's chat completions, which most local servers speak too."""

    name = "chat"
    path = "/v1/chat/completions"

    def read(self, body: dict[str, Any]) -> list[Said]:
        return [_said(message) for message in body["messages"]]

    def check(self, body: dict[str, Any], headers: dict[str, str]) -> list[str]:
        return check_chat(body)

    def key(self, headers: dict[str, str]) -> str:
        return bearer(headers)

    def answer(self, body: dict[str, Any], numbers: Numbers) -> ChatAnswer:
        return ChatAnswer(body, numbers)

    def error(self, status: int, message: str, kind: str) -> dict[str, Any]:
        return openai_error(status, message, kind)


class GroqAnswer(ChatAnswer):
    """As `ChatAnswer`; what was used stands in a field of its own, whether asked for or not."""

    def closing(self, used: Used, truncated: bool) -> Iterator[bytes]:
        choice = {"index": 0, "delta": {}, "finish_reason": self._reason(truncated)}
        usage = {**_usage(used), "prompt_tokens_details": {"cached_tokens": used.cached}}
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        yield event({**chunk, "x_groq": {"id": "req_1", "usage": usage}})
        yield event("[DONE]")


class MistralAnswer(ChatAnswer):
    """As `ChatAnswer`; a call comes whole, and what was used with the last delta, always."""

    def call(self, call: Call) -> Iterator[bytes]:
        *_, held = super().call(call)  # what is kept of it for an answer that is not streamed
        del held
        whole = {**self._calls[-1], "index": len(self._calls) - 1}
        yield self._delta({"tool_calls": [whole]})

    def closing(self, used: Used, truncated: bool) -> Iterator[bytes]:
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": self._reason(truncated)}
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        yield event({**chunk, "usage": _usage(used)})
        yield event("[DONE]")


class Mistral(Chat):
    """The format of Mistral's service: much like OpenAI's; at a path of its own here."""

    path = "/mistral/v1/chat/completions"

    def answer(self, body: dict[str, Any], numbers: Numbers) -> MistralAnswer:
        return MistralAnswer(body, numbers)


class Groq(Chat):
    """The format of Groq's service: OpenAI's, at another path."""

    path = "/openai/v1/chat/completions"

    def answer(self, body: dict[str, Any], numbers: Numbers) -> GroqAnswer:
        return GroqAnswer(body, numbers)


def _said(message: dict[str, Any]) -> Said:
    role, text = message["role"], text_of(message.get("content"))
    if role == "tool":
        return Said("tool", results=(Returned(message["tool_call_id"], text),))
    calls = tuple(
        Called(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    return Said("system" if role == "developer" else role, text, calls)
