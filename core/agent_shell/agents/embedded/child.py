"""The process that runs `worker.py`, its two pipes and the threads that serve them.

The threads carry lines, so the event loop neither reads nor writes; what came
while the loop was busy crosses to it as one batch. They are daemons in plain
Python that end with the process, and the process is killed at the program's
exit: that exit never waits for a generation.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

__all__ = ["Child"]


class Child:
    """A running worker. What it says goes to `messages`, and last `{"exit": why}`.

    Raises `OSError` if no process can be started.
    """

    def __init__(self, messages: asyncio.Queue[dict[str, Any]]) -> None:
        self.alive = True
        self._loop = asyncio.get_running_loop()
        self._messages = messages
        self._arrived: collections.deque[dict[str, Any]] = collections.deque()
        self._scheduled = False
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        self._process = subprocess.Popen(  # noqa: S603  (our own command)
            # -P: only the standard library and installed packages are imported there.
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,  # A Ctrl-C of the terminal is not for it.
        )
        self._threads = [
            threading.Thread(target=work, name=f"embedded-model{work.__name__}", daemon=True)
            for work in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, message: dict[str, Any]) -> None:
        """Sends it soon; to a dead process, nowhere."""
        self._outbox.put(json.dumps(message).encode() + b"\n")

    def kill(self) -> None:
        """Ends the process at once."""
        self.alive = False
        self._process.kill()
        self._outbox.put(None)

    def end(self) -> None:
        """Kills the process and waits until it and the threads are gone."""
        self.kill()
        for thread in self._threads:
            thread.join(1)

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe
        with contextlib.suppress(OSError), pipe:
            while line := self._outbox.get():
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(pipe.fileno(), rest) :]

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe
        rest = b""
        with pipe:
            while block := os.read(pipe.fileno(), 1 << 16):
                *lines, rest = (rest + block).split(b"\n")
                self._deliver([json.loads(line) for line in lines])
        status = self._process.wait()
        self.alive = False
        self._outbox.put(None)
        self._deliver([{"exit": self._epitaph(status)}])

    def _deliver(self, messages: list[dict[str, Any]]) -> None:
        self._arrived.extend(messages)
        if not self._scheduled:
            self._scheduled = True
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits.
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        # First the flag: a message that comes during the loop below is in it or schedules anew.
        self._scheduled = False
        while self._arrived:
            self._messages.put_nowait(self._arrived.popleft())

    def _epitaph(self, status: int) -> str:
        with self._stderr:
            self._stderr.seek(0)
            lines = self._stderr.read().decode("utf-8", "replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        return f"its process ended ({how}){last and ': '}{last[:300].rstrip('.')}."
