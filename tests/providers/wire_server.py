"""A provider on loopback: real HTTP, the real formats, a scripted model, faults on request.

    async with WireServer(Story(say("hello"))) as server:
        ...  # a client at server.openai_url or server.anthropic_url, with server.key

It answers `/v1/chat/completions`, `/v1/responses`, `/v1/messages`, the paths of Groq,
Mistral and Google, and `/v1/models`. What the real server would refuse is refused with its
400, and kept in `violations`; so is what the story did not expect. Violations that are still
there in the end fail the test.

Written by hand over asyncio's streams, since no web framework lets a test cut a connection
inside a chunk, or says when exactly the client went.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from providers.story import (
    Asked,
    Brain,
    Call,
    Cut,
    ErrorEvent,
    Forever,
    Garble,
    Part,
    Refuse,
    Say,
    Stall,
    Truncated,
    Unexpected,
    Used,
    Wait,
)
from providers.wire_chat import Chat, Groq, Mistral
from providers.wire_events import Answer, Format, Numbers, event
from providers.wire_gemini import Gemini
from providers.wire_messages import Messages, MessagesAnswer
from providers.wire_responses import Responses

FORMATS: tuple[Format, ...] = (
    Chat(),
    Groq(),
    Mistral(),
    Responses(),
    Messages(),
    Gemini(),
)

Pieces = Callable[[], Iterator[int]]
"""The sizes in bytes of the pieces that an answer's stream is sent in, one after another."""


def every(size: int) -> Pieces:
    """All pieces have the same size, whatever events they cut."""

    def sizes() -> Iterator[int]:
        while True:
            yield size

    return sizes


def split_at(offset: int) -> Pieces:
    """Two pieces: up to that byte, and the rest."""
    return lambda: iter((offset,))


@dataclass(frozen=True)
class Point:
    """A place in an answer: before its event `event` (0: before anything of it is sent)."""

    request: int
    event: int


class _Cut(Exception):
    """The script wants the connection to end here."""


class WireServer:
    """See the module. `pieces` splits the streams; `on_point` is awaited at every `Point`.

    `window`, in tokens of four characters, is the most that a request may have.
    """

    def __init__(
        self,
        brain: Brain,
        *,
        pieces: Pieces | None = None,
        window: int | None = None,
        on_point: Callable[[Point], Awaitable[None]] | None = None,
    ) -> None:
        self.brain = brain
        self.key = "sk-test-0123456789abcdefghij"
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self.points: list[Point] = []
        self.news = asyncio.Condition()
        self._pieces = pieces
        self._window = window
        self.on_point = on_point
        self._numbers = Numbers()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self.violations and error == (None, None, None):
            raise AssertionError("\n".join(self.violations))

    @property
    def anthropic_url(self) -> str:
        """The base URL that Anthropic's clients take."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """The base URL that OpenAI's clients take."""
        return f"{self.anthropic_url}/v1"

    async def request(self, number: int) -> Asked:
        """The `number`-th request (from 1), once it is here."""
        return (await self.until(lambda: len(self.asked) >= number)).asked[number - 1]

    async def until(self, condition: Callable[[], bool]) -> WireServer:
        """Waits for something to be true of what the server saw."""
        async with asyncio.timeout(30), self.news:
            await self.news.wait_for(condition)
        return self

    async def tell(self) -> None:
        """Wakes those who wait for news."""
        async with self.news:
            self.news.notify_all()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await _Connection(self, reader, writer).serve()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went, or the test is over
        finally:
            self._connections.discard(task)
            writer.close()

    # What a connection asks of the server

    def judge(self, format: Format, asked: Asked) -> Sequence[Part]:
        """What the model answers, or the refusal of a request that is not right."""
        body, headers = asked.body, asked.headers
        if format.key(headers) != self.key:
            return [Refuse(401, f"Incorrect API key provided: {format.key(headers)}.")]
        asked.violations = format.check(body, headers)
        if asked.violations:
            self.violations += [f"request {asked.number}: {one}" for one in asked.violations]
            return [Refuse(400, asked.violations[0])]
        tokens = len(json.dumps(body)) // 4
        if self._window is not None and tokens > self._window:
            return [_too_long(format, tokens, self._window)]
        asked.said = format.read(body)
        try:
            return self.brain(asked)
        except Unexpected as error:
            self.violations.append(str(error))
            return [Refuse(400, str(error))]

    def answer(self, format: Format, asked: Asked) -> Answer:
        return format.answer(asked.body, self._numbers)

    def pieces(self) -> Iterator[int] | None:
        return self._pieces() if self._pieces is not None else None

    async def point(self, point: Point) -> None:
        self.points.append(point)
        await self.tell()
        if self.on_point is not None:
            await self.on_point(point)


def _too_long(format: Format, tokens: int, window: int) -> Refuse:
    if format.name == "messages":
        return Refuse(400, f"prompt is too long: {tokens} tokens > {window} maximum")
    return Refuse(
        400,
        f"This model's maximum context length is {window} tokens. However, your messages "
        f"resulted in {tokens} tokens.",
        kind="context_length_exceeded",
    )


class _Connection:
    """One client's connection: its requests one after another."""

    def __init__(
        self, server: WireServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._ahead = b""  # what came while an answer was being sent

    async def serve(self) -> None:
        while True:
            head = self._ahead + await self._reader.readuntil(b"\r\n\r\n")
            self._ahead = b""
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(_header(line) for line in lines if line)
            length = int(headers.get("content-length", "0"))
            body = await self._reader.readexactly(length)
            method, target, _ = first.split(" ")
            if not await self._route(method, target.partition("?")[0], headers, body):
                return

    async def _route(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bool:
        """Answers one request; false where the connection is over."""
        if method == "GET" and path == "/v1/models":
            models = {"object": "list", "data": [{"id": "scripted", "object": "model"}]}
            await self._plain(200, {}, json.dumps(models))
            return True
        format = next((one for one in FORMATS if re.fullmatch(one.path, path)), None)
        if format is None or method != "POST":
            await self._plain(404, {}, json.dumps({"error": {"message": f"no {path} here"}}))
            return True
        now = asyncio.get_running_loop().time()
        number = len(self._server.asked) + 1
        asked = Asked(format.name, json.loads(body), headers, [], number, now)
        if path.endswith(":streamGenerateContent"):  # Google's says it by the path alone
            asked.body["stream"] = True
        self._server.asked.append(asked)
        await self._server.tell()
        return await self._while_client_listens(format, asked)

    async def _while_client_listens(self, format: Format, asked: Asked) -> bool:
        answering = asyncio.create_task(self._answer(format, asked))
        watching = asyncio.create_task(self._reader.read(1))
        try:
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
            if watching.done() and not answering.done() and not _read(watching):
                asked.gone_at = asyncio.get_running_loop().time()
                return False
            await answering
            asked.complete = True
        except _Cut:
            return False
        except ConnectionError:
            asked.gone_at = asked.gone_at or asyncio.get_running_loop().time()
            return False
        finally:
            self._ahead = await _end(watching) or b""
            with contextlib.suppress(Exception):
                await _end(answering)
            await self._server.tell()
        return True

    async def _answer(self, format: Format, asked: Asked) -> None:
        parts = self._server.judge(format, asked)
        await self._server.point(Point(asked.number, 0))
        sending = _Sending(self._server, self._writer, asked)
        answer = self._server.answer(format, asked)
        refusal = next((part for part in parts if isinstance(part, Refuse)), None)
        for part in parts:
            if isinstance(part, Wait):
                await part.event.wait()
            elif refusal is not None:
                await self._refuse(format, asked, refusal)
                return
            elif asked.body.get("stream"):
                await sending.part(answer, part)
            else:
                await _tell_whole(answer, part)
        used, truncated = _ending(asked, parts)
        if asked.body.get("stream"):
            await sending.end(answer, used, truncated)
        else:
            await self._plain(200, {}, json.dumps(answer.whole(used, truncated)))

    async def _refuse(self, format: Format, asked: Asked, refusal: Refuse) -> None:
        message = refusal.message
        if refusal.echoes_key:
            message += f" (authorization: {format.key(asked.headers)})"
        body = refusal.body or json.dumps(format.error(refusal.status, message, refusal.kind))
        await self._plain(refusal.status, dict(refusal.headers), body)

    async def _plain(self, status: int, headers: dict[str, str], body: str) -> None:
        data = body.encode()
        headers = {"content-type": "application/json", **headers}
        headers["content-length"] = str(len(data))
        self._writer.write(_head(status, headers) + data)
        await self._writer.drain()


class _Sending:
    """An answer's stream on its way: events in, pieces of bytes out."""

    def __init__(self, server: WireServer, writer: asyncio.StreamWriter, asked: Asked) -> None:
        self._server = server
        self._writer = writer
        self._asked = asked
        self._sizes = server.pieces()
        self._size = next(self._sizes, None) if self._sizes is not None else None
        self._held = b""
        self._events = 0
        self._begun = False

    async def part(self, answer: Answer, part: Part) -> None:
        """Sends what that part of the script means."""
        if isinstance(part, Stall):
            await self._flush()
            await asyncio.Event().wait()
        elif isinstance(part, Cut):
            await self._cut(part)
        elif isinstance(part, Say | Call | Garble | Forever | ErrorEvent):
            await self._begin(answer)
            while True:
                await self._send(_events(answer, part))
                if not isinstance(part, Forever):
                    break
            if isinstance(part, ErrorEvent):
                await self._flush()
                await self._finish()
                raise _Cut

    async def end(self, answer: Answer, used: Used, truncated: bool) -> None:
        """Sends the end of the answer."""
        await self._begin(answer)
        await self._send(answer.closing(used, truncated))
        await self._flush()
        await self._finish()

    async def _begin(self, answer: Answer) -> None:
        if self._begun:
            return
        self._begun = True
        headers = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        self._writer.write(_head(200, headers))
        await self._send(answer.opening())

    async def _send(self, events: Iterator[bytes]) -> None:
        for data in events:
            self._events += 1
            await self._server.point(Point(self._asked.number, self._events))
            if self._sizes is None:
                await self._chunk(data)
                continue
            self._held += data
            while self._size is not None and len(self._held) >= self._size:
                piece, self._held = self._held[: self._size], self._held[self._size :]
                await self._chunk(piece)
                self._size = next(self._sizes, None)

    async def _flush(self) -> None:
        held, self._held = self._held, b""
        if held:
            await self._chunk(held)

    async def _chunk(self, data: bytes) -> None:
        self._asked.bytes_sent += len(data)
        if data:
            self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def _finish(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def _cut(self, cut: Cut) -> None:
        await self._flush()
        if cut.reset:
            self._writer.transport.abort()
        raise _Cut


def _events(answer: Answer, part: Say | Call | Garble | Forever | ErrorEvent) -> Iterator[bytes]:
    if isinstance(part, Say | Forever):
        return answer.text(part.text)
    if isinstance(part, Call):
        return answer.call(part)
    if isinstance(part, Garble):
        # Anthropic's clients look at nothing without a name, and Google's take none.
        name = "content_block_delta" if isinstance(answer, MessagesAnswer) else ""
        return iter((event(part.data, name),))
    return answer.failure(part.kind, part.message)


async def _tell_whole(answer: Answer, part: Part) -> None:
    """Of an answer that is not streamed: what it is made of, and how it may go wrong."""
    if isinstance(part, Stall | Forever):
        await asyncio.Event().wait()
    elif isinstance(part, Cut):
        raise _Cut
    elif isinstance(part, Say):
        list(answer.text(part.text))
    elif isinstance(part, Call):
        list(answer.call(part))


def _ending(asked: Asked, parts: Sequence[Part]) -> tuple[Used, bool]:
    said = sum(len(str(part)) for part in parts if isinstance(part, Say | Call))
    used = Used(len(json.dumps(asked.body)) // 4, said // 4 + 1)
    for part in parts:
        if isinstance(part, Used):
            used = part
    return used, any(isinstance(part, Truncated) for part in parts)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Scripted",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _read(watching: asyncio.Task[bytes]) -> bytes:
    """What the client sent meanwhile; nothing where it went."""
    return b"" if watching.exception() is not None else watching.result()


async def _end(task: asyncio.Task[Any]) -> Any:
    """Ends a task, and gives what it had by then."""
    task.cancel()
    await asyncio.wait({task})  # not awaited itself: our own cancellation must pass
    return None if task.cancelled() or task.exception() is not None else task.result()
