"""Builds faults into copies of the engine, and shows which check catches each.

    python tests/mutants/run.py              all of them
    python tests/mutants/run.py guard steer  those with such a word in their name

First the explorer looks, then the engine is driven beside the reference, then the
engine's own tests run. One that nothing catches is a check that is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutants.faults import FAULTS, Fault

TESTS = Path(__file__).parents[1]
CORE = TESTS.parent / "core" / "agent_shell"
LATER = (
    ("the reference", ["tests/core/test_model.py"]),
    (
        "the engine's tests",
        [
            "tests/core/test_sqlite_journal.py",
            "tests/core/test_journal_faults.py",
            "tests/core/test_transitions.py",
            "tests/core/test_session.py",
            "tests/core/test_journal.py",
        ],
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What catches a fault: the check, where, and after how many schedules."""

    check: str | None
    where: str
    schedules: int


def judge(fault: Fault, rounds: int = 3, later: Sequence[tuple[str, list[str]]] = LATER) -> Verdict:
    """Builds the fault in and looks for what catches it."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "agent_shell"
        shutil.copytree(CORE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        fault.apply(copy)
        path = os.pathsep.join([folder, str(TESTS)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        schedules = 0
        # The explorer has a journal of its own.
        if not all(file.startswith("journal/") for file, _, _ in fault.edits):
            found = _explore(environment, rounds)
            schedules = int(found["schedules"])
            if found["check"] is not None:
                return Verdict(str(found["check"]), f"{found['scene']}: {found['seen']}", schedules)
        else:
            later = later[::-1]  # the file's own tests are nearest
        for name, paths in later:
            if test := _failing_test(environment, paths):
                return Verdict(name, test, schedules)
    return Verdict(None, "", schedules)


def _explore(environment: dict[str, str], rounds: int) -> dict[str, str]:
    probe = [sys.executable, str(TESTS / "mutants" / "probe.py"), str(rounds)]
    run = subprocess.run(probe, env=environment, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    if not lines:
        raise SystemExit(f"the explorer ended without a word:\n{run.stderr[-2000:]}")
    found: dict[str, str] = json.loads(lines[-1])
    return found


def _failing_test(environment: dict[str, str], paths: list[str]) -> str:
    """The first test that fails; "" where all pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *paths]
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=TESTS.parent
    )
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0] if failed else ""


def main() -> int:
    """The command; 1 where a fault survives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="in the names of the faults")
    words = parser.parse_args().words
    faults = [f for f in FAULTS if not words or any(word in f.name for word in words)]
    killed = 0
    for fault in faults:
        begun = time.perf_counter()
        verdict = judge(fault)
        killed += verdict.check is not None
        print(f"{fault.name}\n  {_line(verdict)}, {time.perf_counter() - begun:.1f} s", flush=True)
    print(f"{killed} of {len(faults)} faults were caught")
    return 0 if killed == len(faults) else 1


def _line(verdict: Verdict) -> str:
    after = f"after {verdict.schedules:,} schedule{'' if verdict.schedules == 1 else 's'}"
    if verdict.check is None:
        return f"SURVIVES, {after}"
    return f"{verdict.check} ({verdict.where}), {after}"


if __name__ == "__main__":
    sys.exit(main())
