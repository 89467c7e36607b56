"""Anthropic's messages, as they go over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from providers.story import Call, Called, Returned, Said, Used
from providers.valid_messages import blocks_of, check_messages
from providers.wire_events import (
    Numbers,
    arguments_of,
    bearer,
    event,
    fragments,
    text_of,
    words,
)

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class MessagesAnswer:
    """One answer of `/v1/messages`."""

    def __init__(self, body: dict[str, Any], numbers: Numbers) -> None:
        self._numbers = numbers
        self._head: dict[str, Any] = {
            "id": numbers.id("msg"),
            "type": "message",
            "role": "assistant",
            "model": body.get("model"),
            "stop_sequence": None,
        }
        self._blocks: list[dict[str, Any]] = []
        self._texts: list[str] = []  # of the last block, joined at its end
        self._open = False  # whether the last block is a text that goes on
        self._pinged = False

    def opening(self) -> Iterator[bytes]:
        # The tokens that were read are known by now, but this server tells them at the end.
        usage = _usage(Used(0, 1))
        message: dict[str, Any] = {**self._head, "content": [], "stop_reason": None, "usage": usage}
        yield _event("message_start", message=message)

    def text(self, text: str) -> Iterator[bytes]:
        if not self._open:
            yield from self._begin({"type": "text", "text": ""})
            self._open = True
        self._texts.append(text)
        for word in words(text):
            yield self._delta({"type": "text_delta", "text": word})

    def call(self, call: Call) -> Iterator[bytes]:
        yield from self._end_text()
        id = call.id or self._numbers.id("toolu")
        yield from self._begin({"type": "tool_use", "id": id, "name": call.tool, "input": {}})
        for piece in ("", *fragments(arguments_of(call))):
            yield self._delta({"type": "input_json_delta", "partial_json": piece})
        self._blocks[-1]["input"] = _input(call)
        yield _event("content_block_stop", index=len(self._blocks) - 1)

    def failure(self, kind: str, message: str) -> Iterator[bytes]:
        yield _event("error", error={"type": kind, "message": message})

    def closing(self, used: Used, truncated: bool) -> Iterator[bytes]:
        yield from self._end_text()
        delta = {"stop_reason": self._reason(truncated), "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage=_usage(used))
        yield _event("message_stop")

    def whole(self, used: Used, truncated: bool) -> dict[str, Any]:
        self._close()
        head = {**self._head, "stop_reason": self._reason(truncated)}
        return {**head, "content": self._blocks, "usage": _usage(used)}

    def _begin(self, block: dict[str, Any]) -> Iterator[bytes]:
        self._blocks.append(block)
        index = len(self._blocks) - 1
        yield _event("content_block_start", index=index, content_block=dict(block))
        if not self._pinged:
            self._pinged = True
            yield _event("ping")

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=len(self._blocks) - 1, delta=delta)

    def _end_text(self) -> Iterator[bytes]:
        if self._open:
            self._close()
            yield _event("content_block_stop", index=len(self._blocks) - 1)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._blocks[-1]["text"] = "".join(self._texts)
            self._texts = []

    def _reason(self, truncated: bool) -> str:
        used = any(block["type"] == "tool_use" for block in self._blocks)
        return "max_tokens" if truncated else "tool_use" if used else "end_turn"


def _event(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


def _input(call: Call) -> Any:
    try:
        return json.loads(arguments_of(call) or "{}")
    except ValueError:
        return {}


def _usage(used: Used) -> dict[str, Any]:
    # Unlike OpenAI's, what was read from the cache is not counted among the input.
    return {
        "input_tokens": used.input - used.cached,
        "output_tokens": used.output,
        "cache_read_input_tokens": used.cached,
        "cache_creation_input_tokens": 0,
    }


class Messages:
    """The format of Anthropic's models."""

    name = "messages"
    path = "/v1/messages"

    def read(self, body: dict[str, Any]) -> list[Said]:
        said = [Said("system", text_of(body["system"]))] if body.get("system") else []
        return said + [_said(message) for message in body["messages"]]

    def check(self, body: dict[str, Any], headers: dict[str, str]) -> list[str]:
        return check_messages(body, headers)

    def key(self, headers: dict[str, str]) -> str:
        return headers.get("x-api-key") or bearer(headers)

    def answer(self, body: dict[str, Any], numbers: Numbers) -> MessagesAnswer:
        return MessagesAnswer(body, numbers)

    def error(self, status: int, message: str, kind: str) -> dict[str, Any]:
        named = {"type": kind or KINDS.get(status, "api_error"), "message": message}
        return {"type": "error", "error": named, "request_id": "req_000001"}


def _said(message: dict[str, Any]) -> Said:
    blocks = blocks_of(message)
    return Said(
        message["role"],
        "\n".join(block["text"] for block in blocks if block["type"] == "text"),
        tuple(
            Called(block["id"], block["name"], json.dumps(block["input"]))
            for block in blocks
            if block["type"] == "tool_use"
        ),
        tuple(
            Returned(block["tool_use_id"], text_of(block.get("content")))
            for block in blocks
            if block["type"] == "tool_result"
        ),
    )
