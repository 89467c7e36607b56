"""What a long run must not wear out: gauges read from time to time, and their slopes.

A gauge is flat where the straight line through its samples rises by less than its
allowance between the end of the warm-up and the end of the run: a leak shows in
the slope long before it shows in the end points.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Any

from agent_shell_cli.stress import memory

__all__ = ["ALLOWED", "Gauges", "Sample", "drifts", "faults", "figures"]

_MIB = 1 << 20
# The first part of a run, in which caches fill and the log grows to its size.
_WARM_UP = 0.15
# What a line through the samples may rise by, in the unit of its gauge. Noise is below
# it, and one entry, handle or task that is left behind in a thousand is above it. Of the
# memory, SQLite takes up to 2 MiB a connection for pages, and not before the file has them.
ALLOWED = {"rss_mib": 3.0, "handles": 2.0, "tasks": 10.0, "threads": 1.0, "log_mib": 2.0}
# The file grows by what is kept in it, and by nothing else: bytes a kept follow-up.
_KEPT_BYTES = 400
_PAGES_MIB = 1.0


@dataclass(frozen=True)
class Sample:
    """One look; `at` in seconds, `kept` the follow-ups that stay in the journal for good."""

    at: float
    done: int
    kept: int
    rss_mib: float
    handles: int
    tasks: int
    threads: int
    file_mib: float
    log_mib: float


class Gauges:
    """Reads the gauges of this process and of the journal at `path`.

    Tasks that are called `ours` are not counted: they are the load, which comes and goes.
    """

    ours = "load"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._begun = time.monotonic()
        self.samples: list[Sample] = []

    def read(self, done: int, kept: int) -> None:
        """Takes a sample, `done` follow-ups into the run."""
        self.samples.append(
            Sample(
                at=time.monotonic() - self._begun,
                done=done,
                kept=kept,
                rss_mib=memory.rss_mib() or 0.0,
                handles=sum(1 for _ in Path("/proc/self/fd").iterdir()),
                tasks=sum(task.get_name() != self.ours for task in asyncio.all_tasks()),
                threads=threading.active_count(),
                file_mib=self._path.stat().st_size / _MIB,
                log_mib=self._log.stat().st_size / _MIB,
            )
        )


def _warm(samples: Sequence[Sample]) -> list[Sample]:
    begin = samples[0].at + _WARM_UP * (samples[-1].at - samples[0].at)
    return [sample for sample in samples if sample.at >= begin]


def drifts(samples: Sequence[Sample]) -> dict[str, float]:
    """By how much the line through each gauge rises over the run, warm-up left out.

    `file_mib` is what the file grows by beyond what is kept in it.
    """
    warm = _warm(samples)
    times = [sample.at for sample in warm]
    span = times[-1] - times[0]
    kept_mib = [sample.kept * _KEPT_BYTES / _MIB for sample in warm]
    rows = {name: [float(getattr(sample, name)) for sample in warm] for name in ALLOWED}
    rows["file_mib"] = [s.file_mib - kept for s, kept in zip(warm, kept_mib, strict=True)]
    return {name: linear_regression(times, row).slope * span for name, row in rows.items()}


def faults(samples: Sequence[Sample]) -> list[str]:
    """The gauges that are not flat."""
    allowed = {**ALLOWED, "file_mib": _PAGES_MIB}
    return [
        f"{name} rises by {drift:,.2f} over the run; {allowed[name]:g} is noise"
        for name, drift in drifts(samples).items()
        if drift > allowed[name]
    ]


def figures(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    """For each gauge its first and last sample after the warm-up, its range and its drift."""
    warm, rises = _warm(samples), drifts(samples)
    names = [field.name for field in dataclasses.fields(Sample) if field.name in rises]
    return {
        name: {
            "first": round(getattr(warm[0], name), 2),
            "last": round(getattr(warm[-1], name), 2),
            "least": round(min(getattr(sample, name) for sample in warm), 2),
            "most": round(max(getattr(sample, name) for sample in warm), 2),
            "drift": round(rises[name], 3),
        }
        for name in names
    }
