"""OpenAI's responses interface, as it goes over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from providers.story import Call, Called, Returned, Said, Used
from providers.valid_responses import check_responses
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


class ResponsesAnswer:
    """One answer of `/v1/responses`."""

    def __init__(self, body: dict[str, Any], numbers: Numbers) -> None:
        self._numbers = numbers
        self._head: dict[str, Any] = {
            "id": numbers.id("resp"),
            "object": "response",
            "created_at": 1_790_000_000,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": {},
            "model": body.get("model"),
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
        }
        self._sequence = 0
        self._items: list[dict[str, Any]] = []
        self._texts: list[str] = []  # of the last message, joined at its end
        self._open = False  # whether the last item is a message that goes on

    def opening(self) -> Iterator[bytes]:
        for kind in ("response.created", "response.in_progress"):
            yield self._event(kind, response=self._response("in_progress", None))

    def text(self, text: str) -> Iterator[bytes]:
        if not self._open:
            yield from self._begin_message()
        item = self._items[-1]
        self._texts.append(text)
        for word in words(text):
            yield self._event(
                "response.output_text.delta", **self._part_of(item), delta=word, logprobs=[]
            )

    def call(self, call: Call) -> Iterator[bytes]:
        yield from self._end_message()
        arguments = arguments_of(call)
        item = {
            "id": self._numbers.id("fc"),
            "type": "function_call",
            "status": "completed",
            "call_id": call.id or self._numbers.id("call"),
            "name": call.tool,
            "arguments": arguments,
        }
        self._items.append(item)
        place = {"item_id": item["id"], "output_index": len(self._items) - 1}
        begun = {**item, "status": "in_progress", "arguments": ""}
        index = place["output_index"]
        yield self._event("response.output_item.added", output_index=index, item=begun)
        for piece in fragments(arguments):
            yield self._event("response.function_call_arguments.delta", **place, delta=piece)
        yield self._event("response.function_call_arguments.done", **place, arguments=arguments)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def failure(self, kind: str, message: str) -> Iterator[bytes]:
        failed = self._response("failed", None)
        failed["error"] = {"code": kind, "message": message}
        yield self._event("response.failed", response=failed)

    def closing(self, used: Used, truncated: bool) -> Iterator[bytes]:
        yield from self._end_message()
        kind = "response.incomplete" if truncated else "response.completed"
        yield self._event(kind, response=self.whole(used, truncated))

    def whole(self, used: Used, truncated: bool) -> dict[str, Any]:
        self._close()
        response = self._response("incomplete" if truncated else "completed", used)
        if truncated:
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        return response

    def _begin_message(self) -> Iterator[bytes]:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        item: dict[str, Any] = {
            "id": self._numbers.id("msg"),
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [part],
        }
        self._items.append(item)
        self._open = True
        begun = {**item, "status": "in_progress", "content": []}
        index = len(self._items) - 1
        yield self._event("response.output_item.added", output_index=index, item=begun)
        yield self._event("response.content_part.added", **self._part_of(item), part=dict(part))

    def _end_message(self) -> Iterator[bytes]:
        if not self._open:
            return
        self._close()
        item = self._items[-1]
        part = item["content"][0]
        place = self._part_of(item)
        yield self._event("response.output_text.done", **place, text=part["text"], logprobs=[])
        yield self._event("response.content_part.done", **place, part=part)
        index = place["output_index"]
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._items[-1]["content"][0]["text"] = "".join(self._texts)
            self._texts = []

    def _part_of(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": len(self._items) - 1, "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._sequence += 1
        return event({"type": kind, "sequence_number": self._sequence - 1, **fields}, kind)

    def _response(self, status: str, used: Used | None) -> dict[str, Any]:
        usage = None if used is None else _usage(used)
        return {**self._head, "status": status, "output": list(self._items), "usage": usage}


def _usage(used: Used) -> dict[str, Any]:
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": 0},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.input + used.output,
    }


class Responses:
    """The format that OpenAI's own models are asked in."""

    name = "responses"
    path = "/v1/responses"

    def read(self, body: dict[str, Any]) -> list[Said]:
        asked = body["input"]
        items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        said = [Said("system", body["instructions"])] if body.get("instructions") else []
        return said + [_said(item) for item in items if item.get("type") != "reasoning"]

    def check(self, body: dict[str, Any], headers: dict[str, str]) -> list[str]:
        return check_responses(body)

    def key(self, headers: dict[str, str]) -> str:
        return bearer(headers)

    def answer(self, body: dict[str, Any], numbers: Numbers) -> ResponsesAnswer:
        return ResponsesAnswer(body, numbers)

    def error(self, status: int, message: str, kind: str) -> dict[str, Any]:
        return openai_error(status, message, kind)


def _said(item: dict[str, Any]) -> Said:
    kind = item.get("type", "message")
    if kind == "function_call":
        called = Called(item["call_id"], item["name"], item["arguments"])
        return Said("assistant", calls=(called,))
    if kind == "function_call_output":
        return Said("tool", results=(Returned(item["call_id"], text_of(item["output"])),))
    role = "system" if item["role"] == "developer" else item["role"]
    return Said(role, text_of(item.get("content")))
