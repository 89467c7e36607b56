"""How much memory this process has: the one place that asks the operating system."""

from __future__ import annotations

import functools
import os
import sys

__all__ = ["peak_mib", "rss_mib"]

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
