"""What the handoff is measured against: `main`, in a process whose arguments are KIND N.

`recursion` is the drain that the handoff replaces: a turn that ends awaits the next one.
It is given follow-ups until it dies. `chain` is the floor: N times, a turn that ends makes
a task for the next one, with no queue that others share, no guard, no journal and no
receipt. Both run what the flooded agent runs and are measured by the same meter. Prints
one JSON object, the fields of `Baseline`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from agent_shell_cli.stress import memory
from agent_shell_cli.stress.meter import Meter, Sample, figures

__all__ = ["CHAIN", "KINDS", "RECURSION", "Baseline", "main", "measured"]

RECURSION, CHAIN = KINDS = ("recursion", "chain")
# A recursion that lives as long does not die.
_ENOUGH = 100_000


@dataclasses.dataclass(slots=True, kw_only=True)
class Baseline:
    """One run: `turns` that began, and how it `ended`: "" where all of them were answered.

    Else it is what it died of; the other figures are 0 or `None` where it could not tell
    them any more. Depths in frames, times in seconds, memory in MiB.
    """

    kind: str
    ended: str = ""
    turns: int = 0
    min_stack_depth: int = 0
    max_stack_depth: int = 0
    max_live_tasks: int = 0
    elapsed_s: float = 0.0
    turns_per_s: float = 0.0
    rss_start_mib: float | None = None
    rss_peak_mib: float | None = None
    rss_end_mib: float | None = None
    samples: list[Sample] = dataclasses.field(default_factory=list[Sample])

    @classmethod
    def read(cls, text: str) -> Baseline:
        """From the JSON that the process has printed; raises `ValueError`."""
        fields = json.loads(text)
        samples = [Sample(**sample) for sample in fields.pop("samples")]
        return cls(**fields, samples=samples)

    def as_json(self) -> dict[str, object]:
        """Its figures, without the samples."""
        return figures(self)


def measured(kind: str, n: int) -> Baseline:
    """Runs it in this process."""
    wanted = n if kind == CHAIN else max(n, _ENOUGH)
    # As many samples of the recursion as it can have turns.
    meter = Meter(n if kind == CHAIN else sys.getrecursionlimit(), 1, 0)
    drain = _by_tasks if kind == CHAIN else _by_recursion
    start, peak_before = memory.rss_mib(), memory.peak_mib()
    began, ended = time.perf_counter(), ""
    try:
        asyncio.run(_grounded(meter, drain, wanted))
    except RecursionError as error:
        ended = f"RecursionError: {error}"
    elapsed, end = time.perf_counter() - began, memory.rss_mib()
    seen = [start, end, *(sample.rss_mib for sample in meter.samples)]
    return Baseline(
        kind=kind,
        ended=ended,
        turns=meter.turns,
        min_stack_depth=meter.min_depth,
        max_stack_depth=meter.max_depth,
        max_live_tasks=meter.max_tasks,
        elapsed_s=elapsed,
        turns_per_s=meter.turns / elapsed,
        rss_start_mib=start,
        rss_peak_mib=memory.peak_since(peak_before, seen),
        rss_end_mib=end,
        samples=meter.samples,
    )


async def _grounded(
    meter: Meter, drain: Callable[[Meter, int], Awaitable[None]], wanted: int
) -> None:
    meter.lay_ground()
    await drain(meter, wanted)


async def _answer(meter: Meter, text: str) -> AsyncIterator[str]:
    meter.turn_started()
    yield text


async def _by_recursion(meter: Meter, wanted: int) -> None:
    async def turn(number: int) -> None:
        async for _ in _answer(meter, f"{number}."):
            pass
        if number < wanted:
            await turn(number + 1)

    await turn(1)


async def _by_tasks(meter: Meter, wanted: int) -> None:
    meter.not_theirs(*asyncio.all_tasks())
    over = asyncio.get_running_loop().create_future()
    running: set[asyncio.Task[None]] = set()

    async def turn(number: int) -> None:
        async for _ in _answer(meter, f"{number}."):
            pass
        if number < wanted:
            begin(number + 1)
        else:
            over.set_result(None)

    def begin(number: int) -> None:
        task = asyncio.create_task(turn(number))
        running.add(task)
        task.add_done_callback(ended)

    def ended(task: asyncio.Task[None]) -> None:
        running.discard(task)
        if (error := task.exception()) is not None:
            over.set_exception(error)

    begin(1)
    await over


def main() -> None:
    """Measures what its arguments name, and prints it."""
    print(json.dumps(dataclasses.asdict(measured(sys.argv[1], int(sys.argv[2])))))
