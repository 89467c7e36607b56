"""What a failed request means: whose fault it is, and what it does to the queue."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic_ai import exceptions as wrong

from agent_shell.agents.provider.library.connected import Connection
from agent_shell.errors import AgentError, ModelUnreachable, ModelUnusable, RateLimited

__all__ = ["Failure", "WindowFull", "failure_of"]

_LONGEST = 300  # characters of what a server said
_LONGEST_S = 86_400.0  # a pause; after one that is meant to be longer it is asked once more
_MODEL_MISSING = re.compile(
    r"model\b.{0,80}\b(not found|does ?n[o']t exist|not exist|unknown|invalid|not available)"
    r"|(unknown|invalid|no such|unsupported) model",
    re.IGNORECASE | re.DOTALL,
)
# Servers of one's own say it in words of their own.
_TOO_LONG = re.compile(
    r"exceeds? .{0,40}\bcontext (size|length|window)|context (size|length|window) .{0,40}exceeded"
    r"|(prompt|input|request) is too (long|large)",
    re.IGNORECASE,
)
_WINDOW = re.compile(
    r"(?:maximum context length is|maximum(?: number of tokens)?(?: allowed)? ?\(|"
    r"context (?:size|length|window)(?: of| is)? ?\(?|tokens? > )\s*(\d[\d,]{2,11})",
    re.IGNORECASE,
)
_PAGE = re.compile(r"\s*<(!doctype|html|head|body)", re.IGNORECASE)
_RESETS = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-reset")


class WindowFull(AgentError):
    """The conversation is longer than what the model reads at once.

    `window` is how much that is, in tokens, where the provider said so.
    """

    def __init__(self, text: str, window: int | None = None) -> None:
        super().__init__(text)
        self.window = window


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as the engine takes it; `again` says that the same request may well succeed."""

    error: AgentError
    again: bool = False


def failure_of(error: Exception, connection: Connection) -> Failure:
    """What an exception of the library, of a provider's SDK or of ours means.

    No key is in the text, whatever the server echoed.
    """
    if isinstance(error, AgentError):
        return Failure(error)
    failure = _of_api(error, connection) if _is_api(error) else _of_other(error, connection)
    failure.error.args = (connection.secrets.redact(str(failure.error)), *failure.error.args[1:])
    return failure


def _is_api(error: Exception) -> bool:
    return isinstance(error, wrong.ModelAPIError)


def _of_api(error: Exception, connection: Connection) -> Failure:
    assert isinstance(error, wrong.ModelAPIError)
    title, said = connection.settings.model.provider.title, _said(error)
    match error:
        case wrong.ModelQuotaExceededError():
            return Failure(ModelUnusable(f"{title} has no credit left for you: {said}"))
        case wrong.ModelRateLimitError():
            wait_s = _wait_s(error, connection)
            return Failure(RateLimited(f"{title} wants a pause: {said}", wait_s))
        case wrong.ModelAuthenticationError():
            return Failure(ModelUnusable(_refused_key(connection, said)))
        case wrong.ModelNotFoundError():
            return Failure(ModelUnusable(_no_model(connection, error, said)))
        case wrong.ModelContextWindowExceededError():
            return Failure(_too_long(title, said))
        case wrong.ModelTimeoutError() | wrong.ModelRequestTimeout():
            seconds = f"{connection.settings.stall_s:g} s"
            return _outage(f"{title} stalls: not a byte came for {seconds}")
        case wrong.ModelConnectionError(phase="connect" | "pool"):
            where = _where(connection)
            return _outage(f"{title} can't be reached{where}: {_cause(error)}")
        case wrong.ModelConnectionError():
            return _outage(f"the connection to {title} was cut: {_cause(error)}")
        case wrong.ModelHTTPError(status_code=400 | 413 | 422 | 500) if _TOO_LONG.search(said):
            return Failure(_too_long(title, said))
        case wrong.ModelRequestRejectedError():
            if _MODEL_MISSING.search(said):
                return Failure(ModelUnusable(_no_model(connection, error, said)))
            return Failure(AgentError(f"{title} refused the request: {said}"))
        case wrong.ModelHTTPError() if not _passes(error.status_code):
            status = error.status_code
            return Failure(AgentError(f"{title} refused the request (status {status}): {said}"))
        case _:
            return _outage(f"{title} fails: {said}")


def _passes(status: int) -> bool:
    return status >= 500 or status in (408, 409, 425)


def _of_other(error: Exception, connection: Connection) -> Failure:
    title = connection.settings.model.provider.title
    said = _one_line(f"{type(error).__name__}: {error}")
    match error:
        case wrong.ContentFilterError():
            return Failure(AgentError(f"{title} did not answer this, by its content filter"))
        case wrong.UserError() | ValueError() if type(error) in (wrong.UserError, ValueError):
            # What a library refuses to send; what it can't read has an error of its own kind.
            return Failure(ModelUnusable(f"{title} can't be used: {_one_line(str(error))}"))
        case TypeError() | AttributeError() | AssertionError() | LookupError():
            # What a stream of the wrong shape looks like to an SDK, or a fault of our own.
            return _outage(f"what {title} sent can't be understood: {said}")
        case _:
            return _outage(f"what {title} sent can't be read: {said}")


def _outage(text: str) -> Failure:
    return Failure(ModelUnreachable(text), again=True)


def _refused_key(connection: Connection, said: str) -> str:
    provider = connection.settings.model.provider
    ways = f"set {provider.keys[0]}" if provider.keys else provider.sign_in
    if provider.account:
        ways += f", or: agent-shell models key {provider.name}"
    return f"{provider.title} does not accept the key: {said}; {ways}"


def _no_model(connection: Connection, error: wrong.ModelAPIError, said: str) -> str:
    model = connection.settings.model
    near = getattr(error, "suggested_model_id", None)
    hint = f"; did you mean {near!r}?" if near else "; choose another with /model or --model"
    if _is_page(getattr(error, "body", None)):
        hint = f"; check the base URL{_where(connection)}"
    return f"{model.provider.title} has no model {model.model!r}: {said}{hint}"


def _too_long(title: str, said: str) -> WindowFull:
    text = (
        f"the conversation is longer than what the model of {title} reads at once: {said}; "
        "go on in a new session, or with a model that has a longer window"
    )
    found = _WINDOW.search(said)
    return WindowFull(text, int(found[1].replace(",", "")) if found else None)


def _where(connection: Connection) -> str:
    try:
        url: str | None = connection.model.base_url
    except (AttributeError, wrong.UserError):
        return ""
    return f" at {url}" if url else ""


def _cause(error: BaseException) -> str:
    """The innermost cause that has something to say."""
    said = _one_line(str(error))
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
        said = _one_line(str(error)) or said
    return said or type(error).__name__


def _said(error: wrong.ModelAPIError) -> str:
    """What the server said, as one line of a bounded length."""
    body = error.body
    status = getattr(error, "status_code", None)
    text = _message_in(body)
    if _is_page(body):
        text = "the server sent a web page, not an answer of the interface"
    if not text:
        text = _one_line(error.message) if status is None else ""
    if status is None:
        return text or type(error).__name__
    return f"{text} (status {status})" if text else f"status {status}"


def _is_page(body: object) -> bool:
    return isinstance(body, str) and bool(
        re.match(r"\s*<(!doctype|html|head|body)", body, re.IGNORECASE)
    )


def _message_in(body: object) -> str:
    """The message in an error's body, wherever the providers put it."""
    if isinstance(body, str):
        return _one_line(body)
    if not isinstance(body, Mapping):
        return ""
    fields = cast("Mapping[str, Any]", body)
    for name in ("message", "error", "detail", "msg"):
        found = fields.get(name)
        text = _one_line(found) if isinstance(found, str) else _message_in(found)
        if text:
            return text
    return ""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _wait_s(error: wrong.ModelAPIError, connection: Connection) -> float:
    """How long the provider wants us to wait, in seconds."""
    wait_s = error.retry_after
    if wait_s is None:
        wait_s = _reset_s(getattr(error, "headers", None) or {})
    if wait_s is None or not math.isfinite(wait_s):
        return connection.settings.rate_limit_s
    return min(max(wait_s, 1.0), _LONGEST_S)


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """The wait by headers that only some providers send, or a `Retry-After` with a fraction."""
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        pass
    waits = [_duration_s(headers[name]) for name in _RESETS if name in headers]
    waits += [
        _until_s(value)
        for name, value in headers.items()
        if name.startswith("anthropic-ratelimit-")
        and name.endswith("-reset")
        and headers.get(name.replace("-reset", "-remaining")) == "0"
    ]
    known = [wait for wait in waits if wait is not None and 0 <= wait <= _LONGEST_S]
    return max(known) if known else None


def _duration_s(text: str) -> float | None:
    """Of "6m0s", "1.5s" or "20ms"."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if not parts or "".join(a + b for a, b in parts) != text.strip():
        return None
    return sum(float(number) * units[unit] for number, unit in parts)


def _until_s(text: str) -> float | None:
    """From now until a time as RFC 3339 writes it."""
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        return None
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())
