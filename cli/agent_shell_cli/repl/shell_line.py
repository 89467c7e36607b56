"""A line that the user has their own shell run: its output as it comes, and an end in time.

It runs in a session of its own, so that all that it starts can be ended as a whole,
and with no input: the keys belong to the prompt.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator

from agent_shell import AgentError

__all__ = ["run_line"]

_PIECE = 1 << 16
# Of its output, in bytes: what comes later is read, counted and not kept.
_KEPT = 1 << 18
# Between "please end" and the end, in seconds.
_GRACE_S = 0.1


async def run_line(command: str) -> AsyncGenerator[str, None]:
    """The output of `command`, errors included, in pieces; the last says how it ended, if badly.

    Ends when the shell does, whatever it left in the background. Whoever stops
    listening ends all that it started. Raises `AgentError` where no shell can be run.
    """
    process, output = await _start(command)
    try:
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        room, dropped = _KEPT, 0
        async for piece in _pieces(process, output):
            kept, room = piece[:room], max(0, room - len(piece))
            dropped += len(piece) - len(kept)
            if text := decode(kept):
                yield text
        if end := decode(b"", final=True) + _ended(dropped, process.returncode or 0):
            yield end
    finally:
        os.close(output)
        await _stop(process)


async def _start(command: str) -> tuple[asyncio.subprocess.Process, int]:
    """The shell, and the descriptor that its output comes out of."""
    if sys.platform == "win32":
        raise AgentError("lines for the shell are not run on Windows")
    shell = os.environ.get("SHELL") or "/bin/sh"
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    try:
        process = await asyncio.create_subprocess_exec(
            shell,
            "-c",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
        )
    except OSError as error:
        os.close(reading)
        raise AgentError(f"{shell} can't be run: {error.strerror}; SHELL names another") from error
    finally:
        os.close(writing)
    return process, reading


async def _pieces(process: asyncio.subprocess.Process, output: int) -> AsyncIterator[bytes]:
    """What is written until the shell has ended, and what is in the pipe then."""
    ending = asyncio.ensure_future(process.wait())
    try:
        while True:
            over = ending.done()
            try:
                data = os.read(output, _PIECE)
            except BlockingIOError:
                if over:
                    return  # what it left in the background may still hold the pipe
                await _readable(output, ending)
                continue
            if not data:
                await ending
                return
            yield data
            await asyncio.sleep(0)  # what writes without end keeps nobody else from running
    finally:
        ending.cancel()


async def _readable(output: int, ending: asyncio.Future[int]) -> None:
    """Returns when there is something to read, or the shell has ended."""
    loop = asyncio.get_running_loop()
    news = loop.create_future()
    loop.add_reader(output, lambda: None if news.done() else news.set_result(None))
    try:
        await asyncio.wait([news, ending], return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(output)


def _ended(dropped: int, code: int) -> str:
    """How much was left out, and how it ended: "" where all went well."""
    said = [f"[{dropped:,} more bytes were left out]"] if dropped else []
    if code > 0:
        said.append(f"[exit status {code}]")
    elif code < 0:
        said.append(f"[ended by {signal.Signals(-code).name}]")
    return "".join(f"\n{line}" for line in said)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ends the shell and all that it started, if it has not ended by itself."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
        # The shell may have heeded that, and what it started may not.
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
