"""Terminals that a program can be watched on: a pseudo-terminal with an emulator, and tmux.

Both are driven in the same way: keys go in, the size changes, and at the end there is
all the text, from the first line that has scrolled away to the last on the screen.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path
from typing import Any, Protocol

import pyte
from pyte.modes import DECAWM
from wcwidth import wcwidth

__all__ = ["Emulator", "Pty", "Tmux", "Watched"]

# Nothing has been written for so long: it is at rest, in seconds.
_REST_S = 0.5


class Watched(Protocol):
    """A program on a terminal."""

    def type(self, text: str) -> None:
        """Presses keys."""

    def resize(self, rows: int, columns: int) -> None:
        """Gives the terminal another size."""

    def rest(self, limit_s: float) -> None:
        """Waits until nothing more is written."""

    def text(self) -> str:
        """Everything that was written and not erased, line by line."""
        ...

    def code(self, limit_s: float) -> int | None:
        """The exit code of the program, or `None` where it does not end."""

    def close(self) -> None:
        """Ends it all."""


class Emulator(pyte.HistoryScreen):  # type: ignore[misc, unused-ignore]
    """A screen with all that scrolled off it; what it cuts when it narrows is not forgotten.

    As xterm does, it wraps nothing again. Emoji sequences are drawn to their end, which
    pyte alone does not.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__(columns, rows, history=1_000_000, ratio=0.5)

    @property
    def _row(self) -> Any:
        return self.buffer[self.cursor.y]

    def draw(self, data: str) -> None:
        """Draws text, of which signs without a cell change nothing."""
        for piece in re.findall(r".[\u0300-\u036f]*", data, re.DOTALL):
            if wcwidth(piece[0]) != 0:
                if self.cursor.x == self.columns and DECAWM in self.mode:
                    self._row.goes_on = True
                super().draw(piece)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Takes another size; what has no room above the cursor scrolls off."""
        rows = lines or self.lines
        lost = max(0, self.cursor.y - rows + 1)
        y, self.cursor.y = self.cursor.y, self.lines - 1
        for _ in range(lost):
            self.index()
        self.cursor.y = y - lost
        for row in range(rows, self.lines):
            self.buffer.pop(row, None)
        self.lines, self.columns = rows, columns or self.columns
        self.cursor.x = min(self.cursor.x, self.columns - 1)
        self.margins = None

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        """Erases, also what is cut off on the right."""
        row = self._row
        row.goes_on = False
        if how == 0:
            for x in [x for x in row if x >= self.columns]:
                row.pop(x)
        super().erase_in_line(how, private)

    def everything(self) -> list[str]:
        """All lines from the first on; what the terminal has wrapped is one."""
        shown: list[Any] = [*self.history.top, *(self.buffer[y] for y in range(self.lines))]
        lines = [""]
        for row in shown:
            lines[-1] += "".join(row[x].data for x in range(max(row, default=-1) + 1)).rstrip()
            if not getattr(row, "goes_on", False):
                lines.append("")
        while lines and not lines[-1]:
            lines.pop()
        return lines


class Pty:
    """A program on a pseudo-terminal, read by a thread; `pace` is bytes and seconds between."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        rows: int,
        columns: int,
        pace: tuple[int, float] = (1 << 16, 0.0),
    ) -> None:
        self._size = (rows, columns)
        self._pace = pace
        self._log: list[bytes | tuple[int, int]] = []
        self._wrote = time.monotonic()
        self._master, slave = pty.openpty()
        self._set_size(rows, columns)
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            start_new_session=True,
            # All that the child does before it is the program: the terminal is its own.
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        self._log.append((rows, columns))
        self._set_size(rows, columns)

    def rest(self, limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while time.monotonic() < end and time.monotonic() - self._wrote < _REST_S:
            time.sleep(0.02)

    @property
    def raw(self) -> bytes:
        """All that it wrote."""
        return b"".join(one for one in list(self._log) if isinstance(one, bytes))

    def text(self) -> str:
        screen = Emulator(*self._size)
        stream = pyte.ByteStream(screen)
        for one in list(self._log):
            if isinstance(one, bytes):
                stream.feed(one)
            else:
                screen.resize(*one)
        return "\n".join(screen.everything())

    def code(self, limit_s: float) -> int | None:
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(limit_s)
        return code

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        os.close(self._master)

    def _set_size(self, rows: int, columns: int) -> None:
        ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        most, pause = self._pace
        while True:
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self._master, most)
            except OSError:  # its other side is closed
                return
            if not data:
                return
            self._wrote = time.monotonic()
            self._log.append(data)
            time.sleep(pause)


class Tmux:
    """A program in a tmux of its own, in `folder`."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        rows: int,
        columns: int,
        folder: Path,
    ) -> None:
        self._socket = folder / "tmux"
        self._environ = dict(environ)
        self._code = folder / "code"
        # What tmux itself says of it can be missing: after some resizes it reaps nothing.
        line = f"{shlex.join(command)}; echo $? > {shlex.quote(str(self._code))}"
        self._do("-f", "/dev/null", "start-server", ";", "set", "-g", "exit-empty", "off")
        for option in ("history-limit 1000000", "status off", "remain-on-exit on"):
            self._do("set", "-g", *option.split())
        self._do("new-session", "-d", "-x", str(columns), "-y", str(rows), line)
        # Earlier, tmux 3.3 would end.
        self._do("set", "-g", "window-size", "manual")

    def type(self, text: str) -> None:
        self._do("send-keys", "-l", text)

    def resize(self, rows: int, columns: int) -> None:
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    def rest(self, limit_s: float) -> None:
        end, before = time.monotonic() + limit_s, ""
        while time.monotonic() < end and (now := self.text()) != before:
            before = now
            time.sleep(_REST_S)

    def text(self) -> str:
        return self._do("capture-pane", "-p", "-J", "-S", "-", "-E", "-")

    def code(self, limit_s: float) -> int | None:
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self._code.exists() and (code := self._code.read_text()).endswith("\n"):
                return int(code)
            time.sleep(0.1)
        return None

    def close(self) -> None:
        pid = int(self._do("display", "-p", "#{pid}"))
        self._do("kill-server")
        end = time.monotonic() + 5
        while time.monotonic() < end:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments],
            env={**self._environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()
