"""What a handoff costs: a flooded session against a bare chain of tasks, in one process.

    python benchmarks/handoff.py [--n 5000] [--repeats 15] [--queued 1000000] [--json]

Three things take turns, `repeats` times, each with `n` links, and the medians are
compared: a chain in which every task makes the next with `asyncio.create_task`
(the floor), the engine with an echo that nobody watches, and the same as `agent-shell
stress` runs it, with all of its counting. Besides: how many bytes of resident
memory a queued follow-up takes, its record in the memory journal included.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import time
from collections.abc import AsyncIterator, Callable, Coroutine

from agent_shell import AgentEvent, Delta, Engine, Limits, Turn
from agent_shell_cli.options import StressOptions
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.memory import rss_mib
from agent_shell_cli.stress.result import result_of


class GatedEcho:
    """Repeats its input at once; no turn ends before the gate opens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers the turn once the gate is open."""
        if not self.gate.is_set():
            await self.gate.wait()
        yield Delta(turn.text)


async def task_chain(n: int) -> float:
    """Links a second of a bare chain of tasks."""
    over = asyncio.Event()

    async def link(left: int) -> None:
        if left:
            # The loop refers to it until its one and only step.
            asyncio.create_task(link(left - 1))  # noqa: RUF006
        else:
            over.set()

    began = time.perf_counter()
    await link(n)
    await over.wait()
    return n / (time.perf_counter() - began)


async def unwatched(n: int) -> float:
    """Turns a second of the engine alone."""
    agent = GatedEcho()
    async with Engine(agent, limits=Limits(n)) as engine:
        session = engine.session("unwatched")
        for number in range(n):
            await session.submit(f"{number}.")
        began = time.perf_counter()
        agent.gate.set()
        await session.settled()
        return n / (time.perf_counter() - began)


async def stress(n: int) -> float:
    """Turns a second as `agent-shell stress --journal memory` reports them."""
    options = StressOptions(
        n=n,
        sessions=1,
        journal="memory",
        producers=4,
        queue_limit=None,
        chaos=False,
        seed=None,
        json=True,
        color=None,
        debug=False,
    )
    flood = Flood(options)
    await flood.run()
    result = result_of(flood)
    assert result.ok, result.faults
    return result.turns_per_s


async def queued_bytes(n: int) -> float | None:
    """Bytes of resident memory for each of `n` follow-ups that wait."""
    engine = Engine(GatedEcho(), limits=Limits(n))
    session = engine.session("queued")
    gc.collect()
    before = rss_mib()
    for number in range(n):
        await session.submit(f"{number}.")
    after = rss_mib()
    await engine.close(drain=False)
    return None if before is None or after is None else (after - before) * (1 << 20) / n


_RUNS: dict[str, Callable[[int], Coroutine[object, object, float]]] = {
    "task_chain": task_chain,
    "unwatched": unwatched,
    "stress": stress,
}


def measure(n: int, repeats: int, queued: int) -> dict[str, object]:
    """All figures; rates a second, ratios to the bare chain."""
    memory = asyncio.run(queued_bytes(queued)) if queued else None
    rates: dict[str, list[float]] = {name: [] for name in _RUNS}
    for _ in range(repeats):
        for name, run in _RUNS.items():
            gc.collect()
            rates[name].append(asyncio.run(run(n)))
    medians = {name: statistics.median(of) for name, of in rates.items()}
    floor = medians["task_chain"]
    return {
        "n": n,
        "repeats": repeats,
        "python": platform.python_version(),
        "per_s": {name: round(median) for name, median in medians.items()},
        "ratio": {name: round(median / floor, 3) for name, median in medians.items()},
        "us": {name: round(1e6 / median, 2) for name, median in medians.items()},
        "queued": queued,
        "bytes_per_queued": None if memory is None else round(memory),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--queued", type=int, default=1_000_000, help="0 to leave it out")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.n, arguments.repeats, arguments.queued)
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"{'':12}{'a second':>12}{'µs':>9}{'ratio':>8}")
    for name in _RUNS:
        row = [figures[column][name] for column in ("per_s", "us", "ratio")]  # type: ignore[index]
        print(f"{name:12}{row[0]:>12,}{row[1]:>9}{row[2]:>8}")
    print(f"bytes for a queued follow-up, at {arguments.queued:,}: {figures['bytes_per_queued']}")


if __name__ == "__main__":
    main()
