"""A bound on what a server may send as one answer, and an end to each answer that is left.

The libraries read a line of a stream, or the page that comes with an error, as a whole
before they look at it: without a bound, a server that never ends either fills our memory.
And some leave an answer that nobody reads any more open until the garbage collector comes by.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Protocol

import httpx2
from pydantic_ai.models import Model

__all__ = ["answers_closed", "bound_answers", "http_of"]

# Bytes: far more than the longest answer takes, with all that its format adds.
_MOST = 128 * 1024 * 1024


class _Http(Protocol):
    """A client of httpx2, or of httpx, which some providers' libraries bring."""

    event_hooks: dict[str, list[Any]]

    async def aclose(self) -> None: ...


_opened: ContextVar[list[Any] | None] = ContextVar("opened", default=None)


def http_of(model: Model) -> _Http | None:
    """The client that the model's requests go through; `None` where there is none of the kind."""
    own = getattr(model.provider, "_own_http_client", None)
    # Looked up, not asked for: some make their client only when it is, for the loop that runs.
    http: _Http | None = own or getattr(vars(model).get("client"), "_client", None)
    return http if isinstance(getattr(http, "event_hooks", None), dict) else None


def bound_answers(model: Model) -> None:
    """Has the model's client leave an answer that is longer, and tell `answers_closed` of each."""
    if (http := http_of(model)) is not None:
        hooks = http.event_hooks
        http.event_hooks = {**hooks, "response": [*hooks.get("response", ()), _bound]}


@contextlib.asynccontextmanager
async def answers_closed() -> AsyncGenerator[None]:
    """Closes, at its end, every answer to a request that was made within."""
    answers: list[Any] = []
    _opened.set(answers)
    try:
        yield
    finally:
        for answer in answers:
            with contextlib.suppress(Exception):  # It is left; how that goes is nobody's concern.
                await answer.aclose()


async def _bound(response: Any) -> None:
    if (answers := _opened.get()) is not None:
        answers.append(response)
    for library in (httpx2, sys.modules.get("httpx")):
        if library is not None and isinstance(response.stream, library.AsyncByteStream):
            response.stream = _bounded_in(library)(response.stream, library.ReadError)


@functools.cache
def _bounded_in(library: ModuleType) -> type[Any]:
    """What the library takes for a stream of its own kind."""
    return type("_BoundedStream", (_Bounded, library.AsyncByteStream), {})


class _Bounded:
    """A stream, which breaks off where it is too long. Its library wants a class of its own."""

    def __init__(self, stream: Any, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > _MOST:
                raise self._error(f"the answer has more than {_MOST:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
