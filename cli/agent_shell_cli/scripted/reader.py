"""Standard input, read by a thread of its own so that nothing ever waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from typing import Self

from agent_shell_cli.scripted.lines import BadLine, Cutter, Item

__all__ = ["Reader"]

_CHUNK = 65_536
# How many chunks' items may wait: with more, the thread stops reading.
_AHEAD = 2


class Reader:
    """An async iterator over the items of a file descriptor, a list a chunk.

    The thread is a daemon that waits in `read` and in nothing else: it keeps
    neither the event loop nor the end of the program.
    """

    def __init__(self, fd: int, cutter: Cutter) -> None:
        self._fd = fd
        self._cutter = cutter
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[list[Item] | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        threading.Thread(target=self._read_all, name="read the input", daemon=True).start()

    def __aiter__(self) -> Self:
        """The items from here on."""
        return self

    async def __anext__(self) -> list[Item]:
        """The next items; a failure to read is the last of them."""
        items = await self._items.get()
        if items is None:
            raise StopAsyncIteration
        self._room.release()
        return items

    def _read_all(self) -> None:
        # The loop may be closed before the input has ended.
        with contextlib.suppress(RuntimeError):
            try:
                while data := _read(self._fd):
                    self._hand_over(self._cutter.feed(data))
                last = self._cutter.end()
            except OSError as error:
                reason = f"standard input can't be read: {error.strerror}"
                last = [*self._cutter.end(), BadLine(0, "InputError", reason)]
            self._hand_over(last)
            self._loop.call_soon_threadsafe(self._items.put_nowait, None)

    def _hand_over(self, items: list[Item]) -> None:
        if items:
            self._room.acquire()
            self._loop.call_soon_threadsafe(self._items.put_nowait, items)


def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, _CHUNK)
        except BlockingIOError:  # a parent made it non-blocking
            select.select([fd], [], [])
