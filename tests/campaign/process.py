"""A worker as the driver sees it: lines in, lines out, and the signals that end it."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campaign.worker import PHASE_BYTES, Settings

__all__ = ["Worker", "WorkerDied"]

_SCRIPT = Path(__file__).with_name("worker.py")
# A worker that says nothing for so long is stuck, in seconds.
PATIENCE_S = 30.0


class WorkerDied(Exception):
    """A worker ended, or said nothing, that was to live and speak."""


class Worker:
    """One process that runs `script`; each of its lines is given to `hear` as it is read."""

    def __init__(
        self,
        settings: Settings,
        hear: Callable[[dict[str, Any]], None],
        script: Path = _SCRIPT,
    ) -> None:
        self.settings = settings
        self.hear = hear
        self._said = b""
        self._process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(dataclasses.asdict(settings))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        os.set_blocking(self._in, False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, command: dict[str, Any]) -> None:
        """Writes one command; hears what is said meanwhile, so that neither waits for the other."""
        left = memoryview((json.dumps(command) + "\n").encode())
        while left:
            said, room, _ = select.select([self._out], [self._in], [])
            if said and not self._take():
                return
            if room:
                left = left[os.write(self._in, left) :]

    def listen(self, seconds: float) -> bool:
        """Hears what it says within `seconds`, at least one look; false at its end."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            ready, _, _ = select.select([self._out], [], [], max(left, 0.0))
            if not ready:
                return True
            if not self._take():
                return False
            if left <= 0:
                return True

    def wait_for(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Hears it until it says what is wanted; raises `WorkerDied` if it does not."""
        found: list[dict[str, Any]] = []
        told = self.hear

        def hear(line: dict[str, Any]) -> None:
            told(line)
            found.append(line)

        self.hear = hear
        until = time.monotonic() + seconds
        try:
            while True:
                for line in found:
                    if wanted(line):
                        return line
                found.clear()
                if not self.listen(0.02) or time.monotonic() > until:
                    raise WorkerDied(f"worker {self.pid} did not say what was waited for")
        finally:
            self.hear = told

    def _take(self) -> bool:
        chunk = os.read(self._out, 1 << 16)
        *lines, self._said = (self._said + chunk).split(b"\n")
        for line in lines:
            self.hear(json.loads(line))
        return bool(chunk)

    def catch_up(self) -> None:
        """Hears all that it has said until now."""
        while select.select([self._out], [], [], 0)[0] and self._take():
            pass

    def kill(self) -> str:
        """SIGKILL; hears the rest; returns what its writing thread was at."""
        self._process.kill()
        self._process.wait()
        phase = self._phase()
        self._hear_out()
        return phase

    def end(self) -> None:
        """Has it close in order; raises `WorkerDied` where it fails."""
        self.send({"do": "end"})
        self.join()

    def join(self) -> None:
        """Hears it to its own end; raises `WorkerDied` where it fails."""
        self._hear_out()
        if self._process.wait() != 0:
            raise WorkerDied(f"worker {self.pid} ended with {self._process.returncode}")

    def stop(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def _hear_out(self) -> None:
        while self._take():
            pass
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _phase(self) -> str:
        page = Path(self.settings.phases).read_bytes()
        if page[PHASE_BYTES - 1]:
            return "checkpoint"
        sql = page[: PHASE_BYTES - 1].decode(errors="replace").strip("\0 ")
        return next((name for start, name in _PHASES if sql.startswith(start)), sql[:30] or "start")


# What the writing thread had begun last.
_PHASES = (
    ("COMMIT", "commit"),
    ("IDLE", "between two commits"),
    ("BEGIN", "begin"),
    ("SAVEPOINT", "write: savepoint"),
    ("RELEASE", "write: savepoint"),
    ("SELECT", "write: a look"),
    ("INSERT INTO follow_ups", "write: accept"),
    ("DELETE FROM inbox", "write: accept"),
    ("INSERT INTO turns", "write: start"),
    ("UPDATE follow_ups SET state = 'running'", "write: start"),
    ("UPDATE turns SET answer = answer", "write: output"),
    ("UPDATE turns", "write: end of a turn"),
    ("UPDATE follow_ups SET state", "write: receipt"),
    ("UPDATE follow_ups SET rank", "write: move"),
    ("UPDATE follow_ups SET text", "write: edit"),
    ("UPDATE sessions SET hold", "write: hold"),
    ("UPDATE sessions", "take-over"),
    ("PRAGMA", "opening"),
)
