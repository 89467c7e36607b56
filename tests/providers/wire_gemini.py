"""Google's `generateContent`, as it goes over the wire; what it refuses of a history, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from providers.story import Call, Called, Returned, Said, Used
from providers.wire_events import Numbers, arguments_of, event, words

KINDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class GeminiAnswer:
    """One answer of `:streamGenerateContent` or `:generateContent`."""

    def __init__(self, body: dict[str, Any], numbers: Numbers) -> None:
        self._numbers = numbers
        self._head = {"modelVersion": "scripted", "responseId": numbers.id("resp")}
        self._parts: list[dict[str, Any]] = []

    def opening(self) -> Iterator[bytes]:
        return iter(())

    def text(self, text: str) -> Iterator[bytes]:
        self._parts.append({"text": text})
        for word in words(text):
            yield event(self._chunk([{"text": word}]))

    def call(self, call: Call) -> Iterator[bytes]:
        # A call comes whole: this format has no fragments.
        function = {"name": call.tool, "args": json.loads(arguments_of(call))}
        if call.id:
            function["id"] = call.id
        self._parts.append({"functionCall": function})
        yield event(self._chunk([{"functionCall": function}]))

    def failure(self, kind: str, message: str) -> Iterator[bytes]:
        yield event({"error": {"code": 500, "message": message, "status": kind}})

    def closing(self, used: Used, truncated: bool) -> Iterator[bytes]:
        yield event(self._last([{"text": ""}], used, truncated))

    def whole(self, used: Used, truncated: bool) -> dict[str, Any]:
        return self._last(self._parts, used, truncated)

    def _last(self, parts: list[dict[str, Any]], used: Used, truncated: bool) -> dict[str, Any]:
        counted = {
            "promptTokenCount": used.input,
            "candidatesTokenCount": used.output,
            "cachedContentTokenCount": used.cached,
            "totalTokenCount": used.input + used.output,
        }
        reason = "MAX_TOKENS" if truncated else "STOP"
        return {**self._chunk(parts, finishReason=reason), "usageMetadata": counted}

    def _chunk(self, parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": parts}
        return {"candidates": [{"content": content, "index": 0, **more}], **self._head}


class Gemini:
    """The format of Google's models."""

    name = "gemini"
    path = r"/v1beta/models/[^/:]+:(stream)?[gG]enerateContent"

    def read(self, body: dict[str, Any]) -> list[Said]:
        system = _text(body.get("systemInstruction") or {})
        said = [Said("system", system)] if system else []
        return said + [_said(content) for content in body["contents"]]

    def check(self, body: dict[str, Any], headers: dict[str, str]) -> list[str]:
        contents = body.get("contents")
        if not contents:
            return ["* GenerateContentRequest.contents: contents is not specified"]
        faults = [
            f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty."
            for at, content in enumerate(contents)
            if not content.get("parts")
        ]
        return faults + _unpaired(contents)

    def key(self, headers: dict[str, str]) -> str:
        return headers.get("x-goog-api-key", "")

    def answer(self, body: dict[str, Any], numbers: Numbers) -> GeminiAnswer:
        return GeminiAnswer(body, numbers)

    def error(self, status: int, message: str, kind: str) -> dict[str, Any]:
        named = kind or KINDS.get(status, "INTERNAL")
        return {"error": {"code": status, "message": message, "status": named}}


def _unpaired(contents: list[dict[str, Any]]) -> list[str]:
    """Calls whose results are not exactly those of the content behind them."""
    faults: list[str] = []
    for before, after in zip(contents, [*contents[1:], {}], strict=True):
        calls = [part["functionCall"]["name"] for part in _with(before, "functionCall")]
        results = [part["functionResponse"]["name"] for part in _with(after, "functionResponse")]
        if calls != results:
            faults.append(
                "Please ensure that the number of function response parts is equal to the number "
                f"of function call parts of the function call turn: {calls}, {results}"
            )
    return faults


def _with(content: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [part for part in content.get("parts") or () if kind in part]


def _text(content: dict[str, Any]) -> str:
    return "\n".join(part["text"] for part in _with(content, "text"))


def _said(content: dict[str, Any]) -> Said:
    calls = [part["functionCall"] for part in _with(content, "functionCall")]
    results = [part["functionResponse"] for part in _with(content, "functionResponse")]
    return Said(
        "assistant" if content.get("role") == "model" else "user",
        _text(content),
        tuple(
            Called(call.get("id") or call["name"], call["name"], json.dumps(call["args"]))
            for call in calls
        ),
        tuple(
            Returned(one.get("id") or one["name"], json.dumps(one["response"])) for one in results
        ),
    )
