"""The connection to one MCP server: the one place that uses the library for it.

It lives in a task of its own, since the library's connections belong to the task
that opened them. A server that has ended is started again at the next use.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import logging
import os
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

import httpx2
import mcp_types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from agent_shell.errors import reason_of
from agent_shell.tools.base import Result, ToolError
from agent_shell.tools.mcp_config import McpConfig, Offer
from agent_shell.tools.proxies import proxy_for

__all__ = ["McpConnection"]

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
# In seconds: until it is there, until it answers a question, and until a tool has done its work.
_CONNECT_S = 20.0
_ANSWER_S = 30.0
_CALL_S = 120.0
_CLOSE_S = 6.0
_PAGES = 20
_ANSWER = 8 << 20  # of one answer, or message in a stream, in bytes
_WORDS = 2_000  # of what a server says on its way out, in bytes
_SHOWN = 300
_FIRST = asyncio.FIRST_COMPLETED
# What the library itself says, by code and words: servers have the same codes for errors of
# their own, -32000 the most.
_CLOSED = (mcp_types.CONNECTION_CLOSED, re.compile("Connection closed"))
_TIMED_OUT = (mcp_types.REQUEST_TIMEOUT, re.compile("Request .* timed out"))
_T = TypeVar("_T")

# Nobody has asked for the library's log, which would go to the terminal.
for _logger in ("mcp", "client", "httpx2"):
    logging.getLogger(_logger).addHandler(logging.NullHandler())


class McpConnection:
    """Implements what `mcp_servers` uses; whatever goes wrong is a `ToolError`."""

    def __init__(self, config: McpConfig) -> None:
        self._config = config
        self._task: asyncio.Task[None] | None = None
        self._client: asyncio.Future[Client] | None = None
        self._closing = asyncio.Event()
        self._words = _LastWords()
        self._calls: set[asyncio.Task[Any]] = set()

    async def offers(self) -> list[Offer]:
        """What the server offers, some pages of it."""
        client = await self._connected()
        found: list[Offer] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._asked(client.list_tools(cursor=cursor), _ANSWER_S)
            found += [
                Offer(tool.name, tool.description or "", tool.input_schema) for tool in page.tools
            ]
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Result:
        """What the tool gives back, as text."""
        client = await self._connected()
        made = client.call_tool(tool, dict(arguments), read_timeout_seconds=_CALL_S)
        result = await self._asked(made, _CALL_S)
        return Result(_text(result), ok=not result.is_error)

    async def close(self) -> None:
        """Ends the connection, and the server where we have started it."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_CLOSE_S)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CLOSE_S)

    async def _connected(self) -> Client:
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._client = loop.create_future()
            # A context of its own: it outlives the turn that has need of it first.
            self._task = loop.create_task(self._run(self._client), context=contextvars.Context())
        assert self._client is not None
        waiting = asyncio.shield(self._client)
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await waiting
        except TimeoutError:
            # It may still be on its way, as one that is fetched at its first start.
            raise self._fault(f"did not answer in {_CONNECT_S:g} s") from None

    async def _run(self, ready: asyncio.Future[Client]) -> None:
        try:
            async with self._opened() as client:
                ready.set_result(client)
                await self._closing.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if not ready.done():
                said = error if isinstance(error, ToolError) else self._fault(_reason(error))
                ready.set_exception(said)
        finally:
            if not ready.done():
                ready.cancel()

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Client]:
        config = self._config
        async with contextlib.AsyncExitStack() as stack:
            if config.url:
                headers = config.filled_headers()
                http = await stack.enter_async_context(_http(config.url, headers))
                transport = streamable_http_client(
                    config.url, http_client=http, max_sse_event_size=_ANSWER
                )
            else:
                words = stack.enter_context(self._words.heard())
                transport = stdio_client(_command(config), errlog=words)
            client = Client(transport, read_timeout_seconds=_ANSWER_S, cache=None)
            await stack.enter_async_context(client)
            # The schema of a result is the server's: one can be made that takes for ever to check.
            client.session.validate_tool_result = _unchecked  # type: ignore[method-assign]
            yield client

    async def _asked(self, question: Coroutine[Any, Any, _T], time_s: float) -> _T:
        """The answer; a cancellation does not wait until the server has heard of it."""
        asked = asyncio.ensure_future(question)
        self._calls.add(asked)
        asked.add_done_callback(self._calls.discard)
        assert self._task is not None
        try:
            await asyncio.wait([asked, self._task], timeout=time_s, return_when=_FIRST)
            if not asked.done():
                ended = self._task.done()
                raise self._fault("has ended" if ended else f"did not answer in {time_s:g} s")
            return asked.result()
        except (MCPError, httpx2.HTTPError, OSError, ValueError, RuntimeError) as error:
            if not isinstance(error, MCPError) or _is(error, _CLOSED):
                self._task.cancel()  # the next use starts another one
                await asyncio.wait([self._task], timeout=_CLOSE_S)
            raise self._fault(_reason(error)) from error
        finally:
            asked.cancel()

    def _fault(self, what: str) -> ToolError:
        words = self._words.text()
        said = f"; it said: {words}" if words else ""
        return ToolError(f"the MCP server {self._config.name} {what}{said}")


def _command(config: McpConfig) -> StdioServerParameters:
    """Under a supervisor: all that it starts ends with it, and it ends with us.

    The library reads a line to its end, however long it is; the supervisor does not.
    """
    return StdioServerParameters(
        command=sys.executable,
        args=["-I", "-S", str(_SUPERVISOR), f"lines={_ANSWER}", config.command, *config.args],
        env=config.filled(config.env),
    )


async def _unchecked(name: str, result: mcp_types.CallToolResult) -> None:
    """Takes the result as it is."""


def _reason(error: BaseException) -> str:
    inner = _first(error)
    if _is(inner, _CLOSED):
        return "has ended"
    if _is(inner, _TIMED_OUT):
        return "did not answer in time"
    return f"failed: {reason_of(inner)[:_SHOWN]}"


def _is(error: BaseException, kind: tuple[int, re.Pattern[str]]) -> bool:
    code, words = kind
    if not isinstance(error, MCPError) or error.code != code:
        return False
    return words.fullmatch(error.message) is not None


def _first(error: BaseException) -> BaseException:
    """The first of those that came together."""
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error


def _text(result: mcp_types.CallToolResult) -> str:
    """What it gave back, as text; what is none is named."""
    said = [_part(part) for part in result.content]
    if not said and result.structured_content is not None:
        said = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n".join(said) or "[nothing]"


def _part(part: mcp_types.ContentBlock) -> str:
    match part:
        case mcp_types.TextContent():
            return part.text
        case mcp_types.EmbeddedResource(resource=mcp_types.TextResourceContents() as resource):
            return resource.text
        case mcp_types.ResourceLink():
            return f"[a link to {part.uri}]"
        case _:
            return f"[{part.type}: not shown]"


def _http(url: str, headers: Mapping[str, str]) -> httpx2.AsyncClient:
    # A transport of one's own makes the client blind to the environment's proxies.
    transport = _Bounded(proxy=proxy_for(url) or None)
    timeout = httpx2.Timeout(_ANSWER_S, read=_CALL_S)
    plain = {**headers, "Accept-Encoding": "identity"}
    return httpx2.AsyncClient(headers=plain, timeout=timeout, transport=transport)


class _Bounded(httpx2.AsyncHTTPTransport):
    """Answers have a bound; a stream of events has one for each, in the library."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, which ends where it becomes too large."""
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.ReadError("the answer is packed, which was not asked for")
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Cut(response.stream)
        return response


class _Cut(httpx2.AsyncByteStream):
    """A stream that fails where it becomes too long."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = _ANSWER
        async for piece in self._stream:
            room -= len(piece)
            if room < 0:
                raise httpx2.ReadError(f"the answer is longer than {_ANSWER:,} bytes")
            yield piece

    async def aclose(self) -> None:
        """Lets go of it."""
        await self._stream.aclose()


class _LastWords:
    """The end of what a server writes to its standard error, which is not for the terminal."""

    def __init__(self) -> None:
        self._kept = bytearray()

    @contextlib.contextmanager
    def heard(self) -> Generator[TextIO]:
        """A file for the server to write to."""
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._kept.clear()
        loop.add_reader(reading, self._read, reading, loop)
        with os.fdopen(writing, "w") as file:
            try:
                yield file
            finally:
                self._read(reading, loop)
                loop.remove_reader(reading)
                os.close(reading)

    def text(self) -> str:
        """What it said last, as one line, from the start of a word on."""
        said = " ".join(self._kept.decode("utf-8", "replace").split())
        return said if len(said) <= _SHOWN else f"… {said[-_SHOWN:].partition(' ')[2]}"

    def _read(self, reading: int, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(BlockingIOError):
            piece = os.read(reading, 65_536)
            if not piece:
                loop.remove_reader(reading)
            self._kept += piece
            del self._kept[:-_WORDS]
