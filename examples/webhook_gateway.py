"""A webhook gateway: one message per HTTP request, any number of sessions, nothing lost.

python examples/webhook_gateway.py JOURNAL.sqlite [PORT]

    POST /sessions/KEY/messages  {"text": "hi", "id": "optional"}  ->  202, once it is recorded
    GET  /sessions/KEY/receipts/ID  ->  its receipt, when there is one

After a crash each session holds what waited; a new message to it lets it go on.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from agent_shell import AgentShellError, EchoAgent, Engine, NotWaiting, QueueFull, TooLarge
from agent_shell.errors import IdConflict, InvalidText, SessionClosed
from agent_shell.journal.sqlite import SqliteJournal

LIMIT = 1 << 20
STATUS: dict[type[AgentShellError], int] = {
    QueueFull: 429,
    TooLarge: 413,
    InvalidText: 400,
    IdConflict: 409,
    SessionClosed: 503,
}


class BadRequest(Exception):
    """What was asked for makes no sense."""


async def answer(engine: Engine, method: str, path: str, body: bytes) -> tuple[int, Any]:
    """The status and the JSON of one request."""
    match method, path.strip("/").split("/"):
        case "POST", ["sessions", key, "messages"]:
            try:
                message = json.loads(body)
                text, id = message["text"], message.get("id")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BadRequest('the body has to be {"text": …}') from error
            if not isinstance(text, str) or not isinstance(id, str | None):
                raise BadRequest("text and id have to be texts")
            session = await engine.open(key)
            accepted = await session.submit(text, id=id, sender="webhook")
            session.release("webhook")  # what a crash had left waits no longer
            return 202, {"id": accepted.id, "position": accepted.position}
        case "GET", ["sessions", key, "receipts", id]:
            receipt = await (await engine.open(key)).receipt(id)
            return 200, {"id": id, "state": receipt.state, "answer": receipt.answer}
        case _:
            return 404, {"error": f"there is no {method} {path}"}


async def serve(engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request, and closes."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        lengths = [line[15:] for line in head if line.lower().startswith("content-length:")]
        length = int(lengths[0]) if lengths else 0
        if not 0 <= length <= LIMIT:
            await pass_over(reader, min(length, 16 * LIMIT))
            raise TooLarge(f"a body has at most {LIMIT:,} bytes")
        status, found = await answer(engine, method, path, await reader.readexactly(length))
    except NotWaiting as error:
        status, found = 404, {"error": str(error)}
    except AgentShellError as error:
        status, found = STATUS.get(type(error), 503), {"error": str(error)}
    except (BadRequest, ValueError, EOFError, asyncio.LimitOverrunError) as error:
        status, found = 400, {"error": str(error)}
    body = json.dumps(found).encode()
    writer.write(
        f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    writer.close()


async def pass_over(reader: asyncio.StreamReader, length: int) -> None:
    """Reads what is refused: who is cut off while sending would not see the answer."""
    while length > 0 and (piece := await reader.read(min(length, 1 << 16))):
        length -= len(piece)


async def main(path: Path, port: int) -> None:
    """Serves on the loopback until it is killed; says on which port."""
    engine = Engine(EchoAgent(), journal=SqliteJournal(path))
    server = await asyncio.start_server(lambda r, w: serve(engine, r, w), "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
