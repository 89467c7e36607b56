"""Fuzzes the boundaries that take bytes, one after another.

    PYTHONPATH=core:cli:tests python tests/fuzz/run.py router journal --seconds 600

Guided by coverage: with `sys.monitoring` from Python 3.12 on, by tracing before. Exits
with 1 where an input broke a rule; it is saved, and the command that replays it printed.
Where `atheris` is installed, `--atheris` runs one target with it instead: it is two to
three times as fast, but begins anew each time and stops at its first finding.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.loop import Fuzzer, time_limit
from fuzz.target import Target
from fuzz.targets import NAMES, load

CORPUS = Path(__file__).parent / "corpus"
_KEPT = 30
_REPORT_S = 30.0


def corpus_of(name: str) -> list[bytes]:
    """The inputs that the repository keeps for a target."""
    return [file.read_bytes() for file in sorted((CORPUS / name).glob("*")) if file.is_file()]


def fuzz(target: Target, options: argparse.Namespace) -> bool:
    """Fuzzes one target and prints what came of it; whether every rule held."""
    begun = time.monotonic()
    fuzzer = Fuzzer(target, options.seed, corpus_of(target.name))

    def line(word: str) -> None:
        seconds = max(time.monotonic() - begun, 1e-9)
        print(
            f"{target.name}: {word} {fuzzer.executions:,} executions in {seconds:,.0f} s, "
            f"{fuzzer.executions / seconds:,.0f} a second; {fuzzer.points:,} points, "
            f"{fuzzer.size} inputs, {len(fuzzer.findings)} findings",
            flush=True,
        )

    fuzzer.run(seconds=options.seconds, watch=_now_and_then(line))
    line("did")
    if options.save:
        _save(target.name, fuzzer.smallest(_KEPT))
    for finding in fuzzer.findings.values():
        name = f"{target.name}-{hashlib.sha256(finding.data).hexdigest()[:8]}"
        file = options.findings / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(finding.data)
        print(f"{target.name}: FOUND {finding.said}\n{finding.trace}")
        print(f"  replay: python tests/fuzz/run.py {target.name} --replay {file}", flush=True)
    return not fuzzer.findings


def _now_and_then(line: Callable[[str], None]) -> Callable[[], None]:
    last = time.monotonic()

    def watch() -> None:
        nonlocal last
        if time.monotonic() - last > _REPORT_S:
            last = time.monotonic()
            line("at")

    return watch


def _save(name: str, inputs: list[bytes]) -> None:
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


def _fuzz_with_atheris(name: str, options: argparse.Namespace) -> None:
    """Fuzzes one target with libFuzzer, which ends the process."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    with atheris.instrument_imports(include=["agent_shell", "agent_shell_cli"]):
        target = load(name)
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate((*corpus_of(name), *target.seeds)):
            Path(folder, str(number)).write_bytes(data)
        settings = {"max_total_time": int(options.seconds), "max_len": target.limit}
        given = [f"-{key}={value}" for key, value in settings.items()]
        artifacts = f"-artifact_prefix={options.findings}/{name}-"
        options.findings.mkdir(parents=True, exist_ok=True)
        atheris.Setup([name, *given, f"-seed={options.seed}", artifacts, folder], target.run)
        atheris.Fuzz()


def main() -> int:
    """Does what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="+", choices=[*NAMES, "all"], metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=600, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="keep the inputs that reach most")
    parser.add_argument("--atheris", action="store_true", help="run one target with atheris")
    parser.add_argument("--replay", type=Path, help="run this one input, without a net")
    parser.add_argument(
        "--findings", type=Path, default=Path(tempfile.gettempdir(), "agent-shell-findings")
    )
    options = parser.parse_args()
    names = NAMES if "all" in options.targets else options.targets
    if options.atheris:
        _fuzz_with_atheris(names[0], options)
    if options.replay is not None:
        with time_limit():
            load(names[0]).run(options.replay.read_bytes())
        print("no rule was broken")
        return 0
    # All of them, also after one that failed.
    held = [fuzz(load(name), options) for name in names]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
