"""What the durable journal costs, against what the disk and SQLite can do, in one run.

    python benchmarks/journal.py                # a table
    python benchmarks/journal.py --json

All measurements take turns in short passes, so that a disk that slows down slows all
of them: rates (per second) are the medians over the passes, and a ratio is the median
of the ratios within each pass.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from agent_shell import EchoAgent, Engine, HoldReason, Limits, Session
from agent_shell.events import SessionHeld
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell.journal.sqlite.schema import prepare
from agent_shell.journal.sqlite.writer import Batch

PRODUCERS = 200
PASSES = 10
TEXT = "a follow-up of about sixty characters, as people type them."
_INSERT = (
    "INSERT INTO follow_ups (session, id, text, lane, sender, accepted_at, rank, state)"
    " VALUES (1, ?, ?, 'queue', 'user', 0, ?, 'queued')"
)


class Bench:
    """The measurements, each on files of its own in one folder."""

    def __init__(self, folder: Path, pairs: int, turns: int) -> None:
        self._folder = folder
        self._pairs = pairs
        self._turns = turns
        self._count = 0
        # How many accepts shared a commit, as the journal did it last.
        self.groups: dict[str, list[int]] = {}

    def _path(self) -> Path:
        self._count += 1
        return self._folder / str(self._count) / "j.sqlite"

    @asynccontextmanager
    async def _session(self, synchronous: str) -> AsyncIterator[tuple[SqliteJournal, Session]]:
        journal = SqliteJournal(self._path(), synchronous=synchronous)
        engine = Engine(EchoAgent(), journal=journal, limits=Limits(queue=10_000_000))
        yield journal, await engine.open("s")
        await engine.close(drain=False)
        await journal.close()

    def fdatasync(self) -> float:
        """Appends of 4 KiB, each with its fdatasync."""
        block = b"x" * 4096
        path = self._path().with_suffix(".raw")
        path.parent.mkdir()
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        begun, times = time.perf_counter(), 1000
        for _ in range(times):
            os.write(fd, block)
            os.fdatasync(fd)
        os.close(fd)
        return times / (time.perf_counter() - begun)

    async def accepts(self, synchronous: str) -> float:
        """Accepts that were acknowledged to producers who each wait before the next one."""
        async with self._session(synchronous) as (journal, session):
            session.put_on_hold()
            sizes = self.groups[synchronous] = []
            commit: Callable[[list[Batch]], None] = journal._writer._commit

            def counted(group: list[Batch]) -> None:
                sizes.append(len(group))
                commit(group)

            journal._writer._commit = counted  # type: ignore[method-assign]

            async def produce() -> None:
                for _ in range(self._pairs // PRODUCERS):
                    await session.submit(TEXT)

            begun = time.perf_counter()
            await asyncio.gather(*(produce() for _ in range(PRODUCERS)))
            return self._pairs / (time.perf_counter() - begun)

    def raw_inserts(self, synchronous: str) -> float:
        """The same rows in the same table, in transactions of the sizes that `accepts` had."""
        path = self._path()
        connection = prepare(path, synchronous)
        connection.execute("INSERT INTO sessions (id, key, created_at) VALUES (1, 's', 0)")
        done = 0
        begun = time.perf_counter()
        for size in self.groups[synchronous]:
            connection.execute("BEGIN IMMEDIATE")
            for number in range(done, done + size):
                connection.execute(_INSERT, (f"abcdef-{number}", TEXT, float(number)))
            connection.execute("COMMIT")
            done += size
        elapsed = time.perf_counter() - begun
        connection.close()
        return done / elapsed

    async def idle_accepts(self, synchronous: str) -> list[float]:
        """Milliseconds of one accept each on a session that does nothing else."""
        times: list[float] = []
        async with self._session(synchronous) as (_, session):
            for _ in range(100):
                begun = time.perf_counter()
                accepted = await session.submit(TEXT)
                times.append((time.perf_counter() - begun) * 1000)
                await session.receipt(accepted.id)
                await session.settled()
        return times

    async def turns(self, synchronous: str) -> float:
        """Turns of a queue that waits, each recorded before the next one starts."""
        async with self._session(synchronous) as (_, session):
            session.put_on_hold()
            await asyncio.gather(*(session.submit(TEXT) for _ in range(self._turns)))
            begun = time.perf_counter()
            session.release()
            await session.settled()
            return self._turns / (time.perf_counter() - begun)

    async def commits(self, synchronous: str) -> float:
        """The floor of that: a loop that awaits one smallest batch of the same writer each."""
        async with self._session(synchronous) as (journal, _):
            begun = time.perf_counter()
            for number in range(self._turns):
                # Another text each time: SQLite writes nothing where nothing changes.
                held = SessionHeld("s", 0.0, HoldReason.USER, str(number), None, 0)
                await journal.append("s", [held])
            return self._turns / (time.perf_counter() - begun)


async def measure(folder: Path, pairs: int, turns: int, seconds: float) -> dict[str, Any]:
    """All measurements, in turns, until all is done or `seconds` are over."""
    bench = Bench(folder, pairs // PASSES, turns // PASSES)
    rates: dict[str, list[float]] = {}
    idle: dict[str, list[float]] = {}
    until = time.monotonic() + seconds
    passes = 0
    while passes < 2 or (passes < PASSES and time.monotonic() < until):
        passes += 1
        rates.setdefault("fdatasync, 4 KiB appends", []).append(bench.fdatasync())
        for mode in ("FULL", "NORMAL"):
            rates.setdefault(f"accepts {mode}", []).append(await bench.accepts(mode))
            rates.setdefault(f"raw inserts {mode}", []).append(bench.raw_inserts(mode))
            rates.setdefault(f"turns {mode}", []).append(await bench.turns(mode))
            rates.setdefault(f"commits {mode}", []).append(await bench.commits(mode))
            idle.setdefault(mode, []).extend(await bench.idle_accepts(mode))
    return _result(bench, rates, idle, passes)


def _ratios(rates: dict[str, list[float]]) -> dict[str, float]:
    pairs = [("accepts FULL", "fdatasync, 4 KiB appends")]
    for mode in ("FULL", "NORMAL"):
        pairs.append((f"accepts {mode}", f"raw inserts {mode}"))
        pairs.append((f"turns {mode}", f"commits {mode}"))
    return {
        f"{what} / {to.split(',')[0]}": round(
            median(a / b for a, b in zip(rates[what], rates[to], strict=True)), 3
        )
        for what, to in pairs
    }


def _result(
    bench: Bench, rates: dict[str, list[float]], idle: dict[str, list[float]], passes: int
) -> dict[str, Any]:
    cuts = {mode: quantiles(times, n=100) for mode, times in idle.items()}
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "passes": passes,
        "rates_per_s": {name: round(median(each), 1) for name, each in rates.items()},
        "ratios": _ratios(rates),
        "idle_accept_ms": {
            mode: {"p50": round(cut[49], 3), "p99": round(cut[98], 3)} for mode, cut in cuts.items()
        },
        "accepts_a_commit": {
            mode: round(sum(sizes) / len(sizes), 1) for mode, sizes in bench.groups.items()
        },
        "commonest_groups": {
            mode: Counter(sizes).most_common(3) for mode, sizes in bench.groups.items()
        },
    }


def print_table(result: dict[str, Any]) -> None:
    """The figures for a person."""
    for name, rate in result["rates_per_s"].items():
        print(f"{name:<40} {rate:>12,.0f} /s")
    for name, ratio in result["ratios"].items():
        print(f"{name:<40} {ratio:>12.2f}")
    for mode, times in result["idle_accept_ms"].items():
        print(
            f"one accept, idle, {mode:<22} {times['p50']:>12.2f} ms p50 {times['p99']:.2f} ms p99"
        )
    for mode, size in result["accepts_a_commit"].items():
        print(f"accepts a commit, {mode:<22} {size:>12.1f}")


def main() -> int:
    """Measures, and prints what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=50_000, help="accepts, over ten passes")
    parser.add_argument("--turns", type=int, default=5_000, help="turns, over ten passes")
    parser.add_argument("--seconds", type=float, default=120.0, help="start no pass after these")
    parser.add_argument("--folder", type=Path, help="where to measure (default: a temporary one)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="journal-", dir=options.folder) as folder:
        result = asyncio.run(measure(Path(folder), options.pairs, options.turns, options.seconds))
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
