"""Standard output and error, written by a thread of its own, in one order.

The thread is given one batch at a time: a single word at the end of the event
loop's round, and in a flood all that has come since the last batch, so that it
costs few writes. A reader who is slow makes the program wait (`drained`), never
the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import queue
import select
import sys
import threading
from collections.abc import Callable

__all__ = ["STDERR", "STDOUT", "Writer"]

STDOUT, STDERR = 1, 2
# Characters that may wait to be written before the program waits for them.
_FULL = 1 << 20
# In a flood, the pause between two batches, in seconds: each costs both threads a switch.
_PAUSE_S = 0.005

_Batch = list[tuple[int, str]]


class Writer:
    """Writes text to file descriptors; `on_failure` is called once where one fails.

    What goes to one that failed is dropped. Standard output is UTF-8 whatever
    the locale; half of a surrogate pair is written as its escape, which in JSON
    is right too. Where both are a terminal, what is said on standard error begins
    on a line of its own.
    """

    def __init__(self, on_failure: Callable[[int, OSError], None]) -> None:
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._parts: _Batch = []
        self._size = 0  # of what is not written yet, in characters
        self._bounded = True
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        self._one_screen = os.isatty(STDOUT) and os.isatty(STDERR)
        self._in_a_line = False  # what stands last on that screen has no end of line
        threading.Thread(target=self._write_all, name="write the output", daemon=True).start()

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that `drained` would wait."""
        return not self._has_room.is_set()

    def write(self, fd: int, text: str) -> None:
        """Has `text` written, after all that came before it."""
        if not text:
            return
        if self._idle.is_set():
            self._idle.clear()
            self._loop.call_soon(self._hand_over)
        self._parts.append((fd, text))
        self._size += len(text)
        if self._bounded and self._size > _FULL:
            self._has_room.clear()

    async def drained(self) -> None:
        """Returns when there is room again."""
        await self._has_room.wait()

    def let_go(self) -> None:
        """From here on nobody waits for a slow reader."""
        self._bounded = False
        self._has_room.set()

    async def close(self) -> None:
        """Returns when all is written."""
        await self._idle.wait()
        self._batches.put(None)

    def _hand_over(self) -> None:
        batch, self._parts = self._parts, []
        self._batches.put(batch)

    def _written(self, count: int) -> None:
        self._size -= count
        if self._size <= _FULL // 2:
            self._has_room.set()
        if self._parts:
            self._loop.call_later(_PAUSE_S, self._hand_over)
        else:
            self._idle.set()

    def _write_all(self) -> None:
        failed: set[int] = set()
        # The loop may be closed: the program does not wait for a thread that it has given up.
        with contextlib.suppress(RuntimeError):
            while (batch := self._batches.get()) is not None:
                for fd, parts in itertools.groupby(batch, key=lambda part: part[0]):
                    text = "".join(part[1] for part in parts)
                    if fd not in failed and (error := self._write(fd, text)) is not None:
                        failed.add(fd)
                        self._loop.call_soon_threadsafe(self._on_failure, fd, error)
                count = sum(len(text) for _, text in batch)
                self._loop.call_soon_threadsafe(self._written, count)

    def _write(self, fd: int, text: str) -> OSError | None:
        if self._one_screen:
            if fd == STDERR and self._in_a_line:
                text = f"\n{text}"
            self._in_a_line = fd == STDOUT and not text.endswith("\n")
        encoding = "utf-8" if fd == STDOUT else self._encoding
        data = memoryview(text.encode(encoding, "backslashreplace"))
        while data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:  # a parent made it non-blocking
                select.select([], [fd], [])
            except OSError as error:
                return error
        return None
