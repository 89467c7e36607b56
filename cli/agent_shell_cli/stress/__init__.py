"""`agent-shell stress`: floods sessions, and measures whether the engine keeps its word."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import signal
import sys
from collections.abc import Coroutine

from agent_shell_cli.exits import Exit, UsageError
from agent_shell_cli.options import StressOptions
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.result import result_of

__all__ = ["run"]


def run(options: StressOptions) -> int:
    """Runs one flood and prints what was measured; 0 only if all of it is as it must be.

    Raises `UsageError`. Ctrl-C and a termination print what was measured until then.
    """
    # Here, for `--json` without a terminal has no need of rich.
    from agent_shell_cli.stress import view

    _check(options)
    if options.chaos and options.seed is None:
        options = dataclasses.replace(options, seed=secrets.randbelow(1 << 32))
    flood = Flood(options)
    code = Exit.OK
    try:
        asyncio.run(_to_its_end(view.with_progress(flood)))
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except asyncio.CancelledError:
        code = Exit.TERMINATED
    result = result_of(flood)
    if options.json:
        print(json.dumps(result.as_json()))
    else:
        view.show(result, options.color)
    return code or (Exit.OK if result.ok else Exit.INCOMPLETE)


async def _to_its_end(flooding: Coroutine[object, object, None]) -> None:
    """A termination cancels it, as Ctrl-C does: its file is to be deleted."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    if sys.platform != "win32":  # its loop can't be told of signals
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, task.cancel)
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
