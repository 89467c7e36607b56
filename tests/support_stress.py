"""Small floods, in this process and in one of their own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from agent_shell_cli.options import StressOptions
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.result import Result, result_of


def options(**changes: Any) -> StressOptions:
    settings: dict[str, Any] = {
        "n": 200,
        "sessions": 1,
        "journal": "memory",
        "producers": 4,
        "queue_limit": None,
        "chaos": False,
        "seed": None,
        "json": True,
        "color": None,
        "debug": False,
    }
    return StressOptions(**{**settings, **changes})


async def flooded(**changes: Any) -> Result:
    flood = Flood(options(**changes))
    await flood.run()
    return result_of(flood)


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent_shell_cli", "stress", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
