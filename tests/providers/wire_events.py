"""What the three formats share: how events are written, and how a text falls into pieces."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, Protocol

from providers.story import Call, Said, Used

FRAGMENT = 7  # characters of a tool call's arguments in one event
MOST_FRAGMENTS = 500  # of one call: a long one comes in longer pieces


def event(data: dict[str, Any] | str, name: str = "") -> bytes:
    """One server-sent event; text is sent as UTF-8, so that a split may fall inside a letter."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()


def words(text: str) -> list[str]:
    """The pieces in which a text is streamed."""
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+$", text)


def fragments(text: str) -> list[str]:
    """The pieces in which a tool call's arguments are streamed."""
    size = max(FRAGMENT, len(text) // MOST_FRAGMENTS)
    return [text[at : at + size] for at in range(0, len(text), size)]


def arguments_of(call: Call) -> str:
    """The arguments as they are sent."""
    if isinstance(call.arguments, str):
        return call.arguments
    return json.dumps(call.arguments, ensure_ascii=False)


class Numbers:
    """Ids that no other answer of the same server has."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._count):06}"


class Answer(Protocol):
    """An answer in one format, while it is streamed: each method gives the next events."""

    def opening(self) -> Iterator[bytes]: ...
    def text(self, text: str) -> Iterator[bytes]: ...
    def call(self, call: Call) -> Iterator[bytes]: ...
    def failure(self, kind: str, message: str) -> Iterator[bytes]: ...
    def closing(self, used: Used, truncated: bool) -> Iterator[bytes]: ...
    def whole(self, used: Used, truncated: bool) -> dict[str, Any]:
        """The answer that is not streamed: of what `text` and `call` were told."""
        ...


class Format(Protocol):
    """One provider's way to ask and to answer."""

    name: str
    path: str

    def read(self, body: dict[str, Any]) -> list[Said]:
        """The messages of a request; only for bodies that `check` finds right."""
        ...

    def check(self, body: dict[str, Any], headers: dict[str, str]) -> list[str]:
        """What the real interface refuses of this request, in its words."""
        ...

    def key(self, headers: dict[str, str]) -> str:
        """The key that came with a request."""
        ...

    def answer(self, body: dict[str, Any], numbers: Numbers) -> Answer: ...

    def error(self, status: int, message: str, kind: str) -> dict[str, Any]: ...


def text_of(content: Any) -> str:
    """The text of a content that may be a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(text_of(part) for part in content)
    if isinstance(content, dict):
        return str(content.get("text", ""))
    return ""


def bearer(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


def openai_error(status: int, message: str, kind: str) -> dict[str, Any]:
    """The body of an error, as both formats of OpenAI have it."""
    kinds = {
        400: "invalid_request_error",
        401: "invalid_request_error",
        402: "insufficient_quota",
        404: "invalid_request_error",
        429: "requests",
        500: "server_error",
    }
    codes = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
    return {
        "error": {
            "message": message,
            "type": kind or kinds.get(status, "server_error"),
            "param": None,
            "code": kind or codes.get(status),
        }
    }
