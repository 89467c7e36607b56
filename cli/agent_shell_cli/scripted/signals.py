"""Signals that end the program: the first one in order, a second Ctrl-C at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from agent_shell_cli.exits import Exit

__all__ = ["Signals"]

_CODES = {
    signal.SIGINT: Exit.INTERRUPTED,
    signal.SIGTERM: Exit.TERMINATED,
    **({signal.SIGHUP: Exit.TERMINATED} if hasattr(signal, "SIGHUP") else {}),
}


class Signals:
    """Calls `stop(code, name)` on the event loop for each signal, inside the block.

    A signal that the parent had ignored (`nohup`, a job in the background) stays
    ignored.
    """

    def __init__(self, stop: Callable[[Exit, str], None]) -> None:
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._interrupted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """The handlers are in place."""
        for number, code in _CODES.items():
            if (before := signal.getsignal(number)) is not signal.SIG_IGN:
                self._before[number] = before
                # The loop's handler wakes it, which Python's own does not do reliably.
                self._loop.add_signal_handler(number, self._stop, code, number.name)
        if signal.SIGINT in self._before:
            signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """The handlers are what they were."""
        for number, before in self._before.items():
            self._loop.remove_signal_handler(number)
            signal.signal(number, before)

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        # Beside the loop's handler, for it works also where an agent keeps the loop busy.
        if self._interrupted:
            os._exit(Exit.INTERRUPTED)
        self._interrupted = True
