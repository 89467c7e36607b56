"""Signals that end the program: the first one in order, a second Ctrl-C at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Self

from agent_shell_cli.exits import Exit
from agent_shell_cli.signals import terminations

__all__ = ["Signals"]


class Signals:
    """Calls `stop(code, name)` on the event loop for each signal, inside the block.

    A Ctrl-C that the parent had ignored (a job in the background) stays ignored.
    """

    def __init__(self, stop: Callable[[Exit, str], None]) -> None:
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._interrupted = False
        self._inside = ExitStack()

    def __enter__(self) -> Self:
        """The handlers are in place."""
        self._inside.enter_context(terminations(lambda name: self._stop(Exit.TERMINATED, name)))
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._on_interrupt)
            self._inside.callback(signal.signal, signal.SIGINT, before)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """The handlers are what they were."""
        self._inside.close()

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        # Not the loop's handler, for this works also where an agent keeps the loop busy.
        if self._interrupted:
            os._exit(Exit.INTERRUPTED)
        self._interrupted = True
        self._loop.call_soon_threadsafe(self._stop, Exit.INTERRUPTED, "SIGINT")
