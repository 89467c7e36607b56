"""The signals that end the shell: a terminal that was closed, and `kill`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator

__all__ = ["ending_signals"]


@contextlib.contextmanager
def ending_signals(on_signal: Callable[[], None]) -> Generator[None]:
    """Inside, SIGTERM and SIGHUP call `on_signal`, where the platform has them."""
    loop = asyncio.get_running_loop()
    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
        for number in numbers:
            loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in numbers:
                loop.remove_signal_handler(number)
