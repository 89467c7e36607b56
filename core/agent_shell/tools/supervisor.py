"""Runs one command and ends all that it starts: a process of its own, the standard library alone.

    python -I -S supervisor.py CONTROL PROGRAM [ARGUMENT …]

CONTROL is the descriptor of a pipe: when its other end is closed, also because the
program that holds it was killed, everything ends. Where it is `lines=N`, that is done by
SIGTERM, on Linux when whoever started this process has ended, and when the command
writes a line of more than N bytes: its output comes through here, so that whoever reads
it by lines need not hold one without an end. It ends, too, when
the command does: nothing is left in the background. On Linux whatever loses its parent becomes a
child of this process, so that no child escapes by forking twice or by a session of
its own; elsewhere the command's process group is ended.

The exit code is the command's, or 128 and the signal that ended it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

# Between "please end" and the end, in seconds; and how long the end may take.
_GRACE_S = 0.1
_END_S = 5.0
_NOT_FOUND, _NOT_RUN = 127, 126
_LINES = "lines="
_PIECE = 1 << 16
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main() -> int:
    """Runs it to its end, or until the pipe is closed."""
    said, command = sys.argv[1], sys.argv[2:]
    control, lines = None, None
    if said.startswith(_LINES):
        lines = _Lines(int(said.removeprefix(_LINES)))
    else:
        control = int(said)
        os.set_inheritable(control, False)
    _adopt(alone=control is None)
    news, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, _heard)
    signal.signal(signal.SIGTERM, _heard)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        # A group is ended as a whole, so it must not be this process's own.
        child = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[] if lines is None else lines.taken(),
            setsid=True,
            setsigdef=_DEFAULTS,
        )
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN
    if lines is not None:
        lines.started()
    status = _watch(child, control, news, lines)
    if status is None:
        _signal(child, signal.SIGTERM)
        status = _watch(child, None, news, lines, until=time.monotonic() + _GRACE_S)
    _end_all(child)
    if lines is not None:
        lines.finish()
    if status is None:
        return 128 + signal.SIGKILL
    return status if status >= 0 else 128 - status


# Python ignores the first two, and a program would inherit that.
_DEFAULTS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGCHLD]


def _heard(number: int, _: object) -> None:
    """Its byte in the pipe is what is waited for."""


def _adopt(*, alone: bool) -> None:
    """Takes in whatever loses its parent; `alone`: ends with whoever started it."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            control = ctypes.CDLL(None).prctl
            control(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            if alone:
                control(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class _Lines:
    """Passes the command's output on, as long as each of its lines has at most `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._held = b""  # read, and not written yet
        self._line = 0  # bytes of the line that is not at its end
        self._open = True

    def taken(self) -> list[tuple[int, int, int]]:
        """What makes the pipe the command's output."""
        return [(os.POSIX_SPAWN_DUP2, self._writing, 1)]

    def started(self) -> None:
        """The other end is the command's now."""
        os.close(self._writing)
        os.set_blocking(1, False)

    def waits(self) -> tuple[list[int], list[int]]:
        """What is waited for: to be read, or what was read to be taken."""
        if self._held:
            return [], [1]
        return ([self._reading] if self._open else []), []

    def move(self) -> bool:
        """Passes on what there is, without waiting; false where it is over with the command."""
        try:
            if not self._held:
                self._held = os.read(self._reading, _PIECE)
                self._open = bool(self._held)
                self._count(self._held)
            self._held = self._held[os.write(1, self._held) :]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads it any more
            return False
        if self._line <= self._longest:
            return True
        print(f"it wrote a line of more than {self._longest:,} bytes", file=sys.stderr, flush=True)
        self._held, self._line, self._open = b"", 0, False
        return False

    def finish(self) -> None:
        """Passes on what was written before all had ended, while somebody takes it."""
        until = time.monotonic() + _END_S
        while self._open or self._held:
            reads, writes = self.waits()
            left = max(0.0, until - time.monotonic())
            ready = select.select(reads, writes, [], left)
            if ready == ([], [], []) or not self.move():
                return

    def _count(self, data: bytes) -> None:
        first, last = data.find(b"\n"), data.rfind(b"\n")
        if first < 0:
            self._line += len(data)
            return
        # Lines within one piece are shorter than any bound that makes sense.
        whole = self._line + first
        self._line = whole if whole > self._longest else len(data) - last - 1


def _watch(
    child: int,
    control: int | None,
    news: int,
    lines: _Lines | None = None,
    until: float | None = None,
) -> int | None:
    """The command's status; `None` where the pipe is closed first, or time is out."""
    told_of = [news] if control is None else [news, control]
    while True:
        status = _reap(child)
        if status is not None:
            return status
        left = None if until is None else max(0.0, until - time.monotonic())
        reads, writes = ([], []) if lines is None else lines.waits()
        ready, writable, _ = select.select([*told_of, *reads], writes, [], left)
        told = os.read(news, 4096) if news in ready else b""
        late = left is not None and not ready and not writable
        if control in ready or signal.SIGTERM in told or late:
            return None
        moves = bool(writable) or not set(ready).isdisjoint(reads)
        if lines is not None and moves and not lines.move():
            return None


def _reap(child: int) -> int | None:
    """Takes in whatever has ended; the command's status, where that was among it."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                found = os.waitstatus_to_exitcode(ended[1])
    return found


def _end_all(child: int) -> None:
    """Kills whatever is left, until nothing is."""
    until = time.monotonic() + _END_S
    while time.monotonic() < until:
        _signal(child, signal.SIGKILL)
        for pid in _descendants():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def _descendants() -> list[int]:
    """All below this process, by what the system says of each process's parent."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if sys.platform == "linux" else ():  # noqa: PTH208
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


if __name__ == "__main__":
    sys.exit(main())
