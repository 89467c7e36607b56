"""Whether the process that owns a session still lives.

Each process that writes a journal keeps one small file beside it: locked, so that
the lock dies with its holder, and touched a few times a second, so that a process
that was stopped is not taken for one that works. Neither alone would do: a stopped
process keeps its locks, and a time alone would make everybody wait for a dead one.

In the file is what its process has others read while it lives; nothing of it is recorded.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import cast

__all__ = ["STALE_S", "Liveness"]

_BEAT_S = 0.4
# A successor may take over within 2 s of the owner's end.
STALE_S = 1.6
# No more of a file is read.
_NOTES_BYTES = 1 << 16


def _fcntl() -> ModuleType | None:
    """The module that locks files, where there is one."""
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl


class Liveness:
    """The sign of life of this process, beside the journal at `path`."""

    def __init__(self, path: Path) -> None:
        self.owner = os.urandom(8).hex()
        self._folder = path.with_name(path.name + ".owners")
        self._file = self._folder / self.owner
        self._fd: int | None = None
        self._ended = threading.Event()

    def begin(self) -> None:
        """Makes the sign, and renews it until the end; raises `OSError`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._fd = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        if (fcntl := _fcntl()) is not None:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A thread of its own: whatever else waits for a disk or for a lock, here nothing does.
        threading.Thread(target=self._beat, name="sign of life", daemon=True).start()

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_S):
            with contextlib.suppress(OSError):
                os.utime(self._file)

    def say(self, notes: Mapping[str, str]) -> None:
        """Has other processes read these notes, each about a session."""
        if self._fd is not None:
            data = json.dumps(notes).encode() if notes else b""
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
                os.write(self._fd, data)

    def said(self, owner: str, session_key: str) -> str:
        """What the process with that sign has others read about a session; "" for nothing."""
        try:
            with (self._folder / owner).open("rb") as file:
                found = json.loads(file.read(_NOTES_BYTES) or b"{}")
        except (OSError, ValueError, RecursionError):
            return ""  # it is being written, or is not ours
        notes = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        note = notes.get(session_key)
        return note if isinstance(note, str) else ""

    def end(self) -> None:
        """Takes it away."""
        self._ended.set()
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()
            os.close(self._fd)
            self._fd = None

    def lives(self, owner: str) -> bool:
        """Whether the process with that sign lives and works."""
        if owner == self.owner:
            return True
        file = self._folder / owner
        try:
            fd = os.open(file, os.O_RDWR)
        except OSError:
            return False
        try:
            if (fcntl := _fcntl()) is not None:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # Nobody holds it: its process is dead, and the file is litter.
                    file.unlink(missing_ok=True)
                    return False
            return time.time() - os.fstat(fd).st_mtime < STALE_S
        finally:
            os.close(fd)
