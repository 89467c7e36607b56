"""Runs what the handoff is measured against, each in a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys

from agent_shell_cli.stress.baseline import KINDS, Baseline

__all__ = ["compared"]


async def compared(n: int) -> list[Baseline]:
    """The recursion, and then a chain of `n` tasks; none outlives this call."""
    return [await _in_a_process(kind, n) for kind in KINDS]


async def _in_a_process(kind: str, n: int) -> Baseline:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # nothing is imported from the working folder
        "-c",
        "from agent_shell_cli.stress.baseline import main; main()",
        kind,
        str(n),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return Baseline.read(printed.decode())
    except ValueError:
        return Baseline(kind=kind, ended=_how(process.returncode or 0, complaint.decode()))


def _how(code: int, complaint: str) -> str:
    """How a process ended that has not told any figures."""
    last = complaint.strip().rpartition("\n")[2]
    died = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"{died}: {last}" if last else died
