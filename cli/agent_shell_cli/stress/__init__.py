"""`agent-shell stress`: floods sessions, and measures whether the engine keeps its word."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
from collections.abc import Coroutine

from agent_shell_cli.exits import Exit, UsageError
from agent_shell_cli.options import StressOptions
from agent_shell_cli.signals import terminations
from agent_shell_cli.stress.baseline import Baseline
from agent_shell_cli.stress.compare import compared
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.result import result_of

__all__ = ["run"]


def run(options: StressOptions) -> int:
    """Runs one flood and prints what was measured; 0 only if all of it is as it must be.

    Raises `UsageError`. Ctrl-C and a termination print what was measured until then.
    """
    # Here, for `--json` without a terminal has no need of rich.
    from agent_shell_cli.stress import report, view

    _check(options)
    place = None if options.report is None else report.place_of(options.report)
    if options.chaos and options.seed is None:
        options = dataclasses.replace(options, seed=secrets.randbelow(1 << 32))
    flood, baselines = Flood(options), list[Baseline]()
    code = Exit.OK

    async def measure() -> None:
        await view.with_progress(flood)
        if options.compare:
            baselines.extend(await compared(options.n))

    try:
        asyncio.run(_to_its_end(measure()))
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except asyncio.CancelledError:
        code = Exit.TERMINATED
    result = result_of(flood)
    if options.json:
        print(json.dumps(report.as_json(result, baselines)))
    else:
        view.show(result, baselines, options.color)
    if place is not None:
        report.write(place, report.page(result, baselines))
    return code or (Exit.OK if result.ok else Exit.INCOMPLETE)


async def _to_its_end(flooding: Coroutine[object, object, None]) -> None:
    """A termination cancels it, as Ctrl-C does: its file is to be deleted."""
    task = asyncio.current_task()
    assert task is not None
    with terminations(lambda _: task.cancel()):
        await flooding


def _check(options: StressOptions) -> None:
    counts = {
        "--n": options.n,
        "--sessions": options.sessions,
        "--producers": options.producers,
        "--queue-limit": options.queue_limit,
    }
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"{name} is {count}; it must be at least 1")
