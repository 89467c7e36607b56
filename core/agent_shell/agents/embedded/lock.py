"""A lock between processes that dies with its holder."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

__all__ = ["file_lock"]

_POLL_S = 0.1


@contextlib.contextmanager
def file_lock(path: Path, on_wait: Callable[[], None]) -> Generator[None, None, None]:
    """Holds the lock on the file at `path`, which is made if need be.

    While another process holds it, `on_wait` is called every 0.1 s; what it
    raises ends the wait.
    """
    with path.open("ab") as file:
        while not _try_lock(file.fileno()):
            on_wait()
            time.sleep(_POLL_S)
        yield  # Closing the file releases the lock.


if sys.platform == "win32":

    def _try_lock(descriptor: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(descriptor: int) -> bool:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
