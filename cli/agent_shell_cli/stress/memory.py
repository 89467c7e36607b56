"""How much memory this process has: the one place that asks the operating system."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable

__all__ = ["peak_mib", "peak_since", "rss_mib"]

_MIB = 1 << 20


def rss_mib() -> float | None:
    """Resident memory now, in MiB; its peak where only that is told, `None` where nothing is."""
    if sys.platform == "linux":
        import resource

        return int(os.pread(_statm(), 128, 0).split()[1]) * resource.getpagesize() / _MIB
    return peak_mib()


@functools.cache
def _statm() -> int:
    # Kept open: to open it costs ten times as much as to read it.
    return os.open("/proc/self/statm", os.O_RDONLY)


def peak_mib() -> float | None:
    """The most resident memory that the process ever had, in MiB; `None` if it is not told."""
    if sys.platform == "win32":
        return None
    # Not on every platform: to be imported only where it is used.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024


def peak_since(before: float | None, seen: Iterable[float | None]) -> float | None:
    """The most memory of a run that began when the process's peak was `before`.

    That peak counts only if the run has raised it (a process begins with that of the one
    that started it); else it is the most that was `seen`.
    """
    peak = peak_mib()
    told = [figure for figure in seen if figure is not None]
    if peak is not None and before is not None and peak > before:
        told.append(peak)
    return max(told, default=None)
