"""Runs one command and ends all that it starts: a process of its own, the standard library alone.

    python -I -S supervisor.py CONTROL PROGRAM [ARGUMENT …]

CONTROL is the descriptor of a pipe: when its other end is closed, also because the
program that holds it was killed, everything ends. Where it is `-`, that is done by
SIGTERM, and on Linux when whoever started this process has ended. It ends, too, when
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
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main() -> int:
    """Runs it to its end, or until the pipe is closed."""
    control = None if sys.argv[1] == "-" else int(sys.argv[1])
    command = sys.argv[2:]
    if control is not None:
        os.set_inheritable(control, False)
    _adopt(alone=control is None)
    news, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, _heard)
    signal.signal(signal.SIGTERM, _heard)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        # A group is ended as a whole, so it must not be this process's own.
        child = os.posix_spawnp(command[0], command, os.environ, setsid=True, setsigdef=_DEFAULTS)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN
    status = _watch(child, control, news)
    if status is None:
        _signal(child, signal.SIGTERM)
        status = _watch(child, None, news, until=time.monotonic() + _GRACE_S)
    _end_all(child)
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


def _watch(child: int, control: int | None, news: int, until: float | None = None) -> int | None:
    """The command's status; `None` where the pipe is closed first, or time is out."""
    descriptors = [news] if control is None else [news, control]
    while True:
        status = _reap(child)
        if status is not None:
            return status
        left = None if until is None else max(0.0, until - time.monotonic())
        ready, _, _ = select.select(descriptors, [], [], left)
        told = os.read(news, 4096) if news in ready else b""
        if control in ready or signal.SIGTERM in told or (left is not None and not ready):
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
