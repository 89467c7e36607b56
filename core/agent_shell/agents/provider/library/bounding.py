"""A bound on what a server may send as one answer.

The libraries read a line of a stream, or the page that comes with an error, as a whole
before they look at it: without a bound, a server that never ends either fills our memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
from pydantic_ai.models import Model

__all__ = ["bound_answers"]

# Bytes: far more than the longest answer takes, with all that its format adds.
_MOST = 128 * 1024 * 1024


def bound_answers(model: Model) -> None:
    """Has the model's client leave an answer that is longer."""
    http = getattr(getattr(model, "client", None), "_client", None)
    if isinstance(http, httpx2.AsyncClient):
        hooks = http.event_hooks
        http.event_hooks = {**hooks, "response": [*hooks.get("response", ()), _bound]}


async def _bound(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """The stream, which breaks off where it is too long."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > _MOST:
                raise httpx2.ReadError(f"the answer has more than {_MOST:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
