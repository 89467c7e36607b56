"""The signals that end the program: `kill`, and a terminal that was closed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator

__all__ = ["terminations"]


@contextlib.contextmanager
def terminations(on_signal: Callable[[str], object]) -> Generator[None]:
    """Inside, SIGTERM and SIGHUP call `on_signal` on the running loop, with their name.

    One that the parent had ignored (`nohup`, a job in the background) stays ignored.
    Windows has no such handlers.
    """
    loop = asyncio.get_running_loop()
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    with contextlib.suppress(NotImplementedError):
        for number in heeded:
            loop.add_signal_handler(number, on_signal, number.name)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in heeded:
                loop.remove_signal_handler(number)
