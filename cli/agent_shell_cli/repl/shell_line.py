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
from collections.abc import AsyncGenerator

from agent_shell import AgentError
from agent_shell.tools.process import pieces

__all__ = ["run_line"]

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
        async for piece in pieces(process, output):
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


def _ended(dropped: int, code: int) -> str:
    """How much was left out, and how it ended: "" where all went well."""
    said = [f"[{dropped:,} more bytes were left out]"] if dropped else []
    if code > 0:
        said.append(f"[exit status {code}]")
    elif code < 0:
        names = {one.value: one.name for one in signal.Signals}  # a real-time signal has none
        said.append(f"[ended by {names.get(-code, f'signal {-code}')}]")
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
