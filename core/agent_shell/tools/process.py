"""A command that is run to its end, or ended with all that it has started."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from agent_shell.records import frozen, record

__all__ = ["Ended", "pieces", "run"]

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_PIECE = 1 << 16
# Of the output, in bytes: as much of its beginning and of its end is kept.
_KEPT = 24_000
# Of it, in characters, is told as it comes; a program may write without end.
_LIVE = 1 << 20
# How long the supervisor may take to end everything, in seconds, before it is killed.
_PATIENCE_S = 6.0


@frozen
class Ended:
    """How it went: `code` is 128 and the signal's number where one ended it."""

    code: int
    output: str
    late: bool = False


async def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit_s: float,
    on_output: Callable[[str], None],
) -> Ended:
    """Runs it without input; its output and errors are one stream.

    When it ends, is late or is cancelled, all that it has started has ended, too:
    first asked to, then, a tenth of a second later, killed. Raises `OSError` where
    nothing can be started.
    """
    async with _started(command, folder, environment) as (process, output):
        kept, live = _HeadAndTail(), _Live(on_output)
        try:
            async with asyncio.timeout(limit_s):
                async for piece in pieces(process, output):
                    kept.add(piece)
                    live.add(piece)
            late = False
        except TimeoutError:
            late = True
        code = process.returncode or 0
        # Below zero it is how the supervisor ended, which the command may have killed.
        return Ended(code if code >= 0 else 128 - code, kept.text(), late)


@contextlib.asynccontextmanager
async def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, int]]:
    """The supervisor with the command, and the descriptor that the output comes out of."""
    with contextlib.ExitStack() as ours:
        with contextlib.ExitStack() as theirs:
            output, writing = _pipe(ours, theirs)
            control, held = _pipe(theirs, ours)
            os.set_blocking(output, False)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(_SUPERVISOR),
                str(control),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=(control,),
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        try:
            yield process, output
        finally:
            os.set_blocking(held, False)
            # To be closed is what it waits for; a byte says the same, if something holds the pipe.
            with contextlib.suppress(OSError):
                os.write(held, b"\0")
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)  # the command may have stopped it
            await _gone(process)


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    reading.callback(os.close, ends[0])
    writing.callback(os.close, ends[1])
    return ends


async def _gone(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            await process.wait()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def pieces(process: asyncio.subprocess.Process, output: int) -> AsyncGenerator[bytes]:
    """What is written until it has ended, and what is in the pipe then.

    `output` is the pipe's descriptor, and does not block.
    """
    ending = asyncio.ensure_future(process.wait())
    try:
        while True:
            over = ending.done()
            try:
                data = os.read(output, _PIECE)
            except BlockingIOError:
                if over:
                    return  # what got away may still hold the pipe
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
    """Returns when there is something to read, or the process has ended."""
    loop = asyncio.get_running_loop()
    news = loop.create_future()
    loop.add_reader(output, lambda: None if news.done() else news.set_result(None))
    try:
        await asyncio.wait([news, ending], return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(output)


@record
class _HeadAndTail:
    """The beginning and the end of what may be endless."""

    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)
    _dropped: int = 0

    def add(self, piece: bytes) -> None:
        """Takes it in."""
        room = _KEPT - len(self._head)
        self._head += piece[:room]
        self._tail += piece[max(0, room) :]
        over = len(self._tail) - _KEPT
        if over > 0:
            del self._tail[:over]
            self._dropped += over

    def text(self) -> str:
        """What was kept, and how much was not."""
        if not self._dropped:
            return (self._head + self._tail).decode("utf-8", "replace")
        head, tail = (part.decode("utf-8", "replace") for part in (self._head, self._tail))
        return f"{head}\n[{self._dropped:,} bytes were left out]\n{tail}"


class _Live:
    """Tells the output as it comes, until it is a great deal."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._room = _LIVE

    def add(self, piece: bytes) -> None:
        """Tells it."""
        if self._room > 0 and (text := self._decode(piece)[: self._room]):
            self._room -= len(text)
            self._tell(text)
