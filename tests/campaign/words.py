"""Counts the words of streaming answers on real terminals: none is lost, none is doubled.

    python tests/campaign/words.py [--seed 1] [--rounds 1] [--only tmux] [--words 2500]

The real program runs on a pseudo-terminal or in tmux, over texts of numbered words:
prose, wide signs, emoji, right-to-left, Markdown with unfinished ends, words and lines
of any length; in narrow and wide terminals, on slow ones, on dumb ones, while someone
types and the window changes its size. Prints a line a scenario and one JSON object;
the exit code is 0 only if every word stands exactly once in what the terminal keeps.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from campaign.terminals import Pty, Tmux, Watched
from campaign.wordsmith import ASKED, DONE, SPEC, answer, words_in

__all__ = ["Outcome", "Scenario", "counted", "scenarios", "watch"]

ROOT = Path(__file__).parents[2]
# A letter that no text here has: what is typed while the answer streams.
_KEY = "ж"
_ROWS = 24
# Bytes at a time and seconds between them, on the slow line: 25 kB a second.
_SLOW = (512, 0.02)
_LIMIT_S = 180.0
_NOT_INHERITED = ("TMUX", "NO_COLOR", "TERM_PROGRAM", "VTE_VERSION", "COLUMNS", "LINES")
_TERMINALS = ("pty", "tmux", "slow", "no color", "dumb", "plain", "raw")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One answer of so many words at `rate` tokens a second, on a terminal of a kind."""

    kind: str
    terminal: str
    columns: int
    rate: int
    count: int
    seed: int
    typing: bool = False
    resizes: int = 0
    waiting: int = 0  # inputs, each wider than any window

    @property
    def linear(self) -> bool:
        """Whether nothing is moved or erased there."""
        return self.terminal in ("dumb", "plain")

    def __str__(self) -> str:
        more = f"{' typing' * self.typing}{f' {self.resizes} resizes' * bool(self.resizes)}"
        more += f" {self.waiting} waiting" * bool(self.waiting)
        return f"{self.kind}, {self.terminal}, {self.columns} columns, {self.rate} tokens/s{more}"


@dataclass(slots=True)
class Outcome:
    """What became of the words, and of the keys; `rate` is what was attained."""

    sent: int
    lost: list[str]
    doubled: list[str]
    out_of_order: int
    rate: float = 0.0
    typed: int = 0
    faults: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether each word is there once, in its place, and nothing else is wrong."""
        return not (self.lost or self.doubled or self.out_of_order or self.faults)


def scenarios(seed: int, count: int) -> Iterator[Scenario]:
    """Every kind of text on every kind of terminal, with what else can happen to them."""
    luck = random.Random(seed)
    for kind in ("prose", "wide", "emoji", "rtl", "mixed", "long", "markdown"):
        for terminal in _TERMINALS:
            one = Scenario(kind, terminal, 80, 2000, count, luck.randrange(1 << 30), typing=True)
            if terminal == "slow":
                one = replace(one, count=max(1, count // 4))
            yield one
            if terminal in ("pty", "tmux"):
                for columns in (40, 200):
                    yield replace(one, columns=columns, seed=luck.randrange(1 << 30))
                for rate in (500, 2000):
                    words = count if rate == 2000 else count // 2
                    yield replace(
                        one, rate=rate, count=words, resizes=20, seed=luck.randrange(1 << 30)
                    )
                queued = replace(one, count=count // 2, rate=500, resizes=20, waiting=6)
                yield replace(queued, seed=luck.randrange(1 << 30))


def watch(scenario: Scenario, folder: Path) -> Outcome:
    """Runs the program over it, and counts; `folder` is empty."""
    program = _start(scenario, folder)
    try:
        return _watched(scenario, program, folder)
    finally:
        program.close()


def _start(scenario: Scenario, folder: Path) -> Watched:
    environ = {
        **{k: v for k, v in os.environ.items() if k not in _NOT_INHERITED},
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("core", "cli", "tests")),
        "PYTHONUTF8": "1",
        "TERM": "dumb" if scenario.terminal == "dumb" else "xterm-256color",
        "AGENT_SHELL_DATA_DIR": str(folder),
        "AGENT_SHELL_CONFIG_DIR": str(folder),
        SPEC: f"{scenario.kind} {scenario.count} {scenario.seed} {scenario.rate}",
        DONE: str(folder / "done"),
    }
    if scenario.terminal == "no color":
        environ["NO_COLOR"] = "1"
    script = str(Path(__file__).with_name("wordsmith.py"))
    command = [sys.executable, script, "chat", "--journal", "memory"]
    command += ["--plain"] * (scenario.terminal == "plain")
    if scenario.terminal == "tmux":
        del environ["TERM"]
        return Tmux(command, environ, _ROWS, scenario.columns, folder)
    pace = _SLOW if scenario.terminal == "slow" else (1 << 16, 0.0)
    return Pty(command, environ, _ROWS, scenario.columns, pace)


def _watched(scenario: Scenario, program: Watched, folder: Path) -> Outcome:
    if not _until(lambda: "/help" in program.text(), 60):
        raise RuntimeError(f"the program does not start:\n{program.text()}")
    if scenario.terminal == "raw":
        program.type("/raw\r")
    program.type(f"{ASKED}\r")
    for number in range(scenario.waiting):
        program.type(f"{number} waits {'for its turn ' * 20}\r")
    typed = _disturb(scenario, program, folder / "done")
    program.rest(_LIMIT_S)
    text, faults = program.text(), list[str]()
    if not (folder / "done").exists():
        faults.append("the answer did not end")
    keys = text.count(_KEY)
    if keys != typed and not scenario.linear:
        faults.append(f"{typed} keys typed, {keys} in sight")
    program.type("\x03\x04" if typed else "\x04")
    code = program.code(30)
    if code != 0:
        faults.append(f"exit code {code}")
    text = program.text()
    if _KEY in text and not scenario.linear:
        faults.append("keys were left on the screen")
    if isinstance(program, Pty) and b"\x1b[6n" in program.raw:
        faults.append("the cursor's position was asked for")
    (folder / "screen.txt").write_text(text)
    outcome = counted(scenario, text)
    outcome.rate, outcome.typed, outcome.faults = _rate(folder / "done"), typed, faults
    return outcome


def _disturb(scenario: Scenario, program: Watched, done: Path) -> int:
    """Types and resizes until all is said; how many keys were typed."""
    luck, typed, resized = random.Random(scenario.seed), 0, 0
    seconds = 4 * scenario.count / scenario.rate
    begun = time.monotonic()
    while not done.exists() and time.monotonic() - begun < _LIMIT_S:
        time.sleep(luck.uniform(0.02, 0.12))
        if scenario.typing and typed < 150:
            program.type(_KEY)
            typed += 1
        share = (time.monotonic() - begun) / seconds
        if resized < scenario.resizes and share > (resized + 0.5) / scenario.resizes * 0.8:
            program.resize(luck.randint(16, 50), luck.randint(40, 200))
            resized += 1
    while resized < scenario.resizes:
        program.resize(luck.randint(16, 50), luck.randint(40, 200))
        resized += 1
        time.sleep(0.1)
    return typed


def counted(scenario: Scenario, text: str) -> Outcome:
    """What became of the words of a scenario in the text that a terminal keeps."""
    sent = words_in(answer(scenario.kind, scenario.count, scenario.seed))
    # A word that is longer than a row goes on in the next.
    seen = words_in("".join(text.split()) if scenario.kind == "long" else text)
    times = collections.Counter(seen)
    lost = [word for word in sent if word not in times]
    doubled = [word for word in times if times[word] > 1]
    return Outcome(len(sent), lost, doubled, sum(a > b for a, b in itertools.pairwise(seen)))


def _rate(done: Path) -> float:
    if not done.exists():
        return 0.0
    tokens, seconds = done.read_text().split()
    return int(tokens) / max(0.001, float(seconds))


def _until(holds: Callable[[], bool], limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def main() -> int:
    """Runs the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="each with other texts")
    parser.add_argument("--words", type=int, default=2500, help="of an answer")
    parser.add_argument("--only", default="", help="scenarios whose line has this in it")
    parser.add_argument("--keep", type=Path, help="a folder for the screens with a fault")
    asked = parser.parse_args()
    totals: collections.Counter[str] = collections.Counter()
    for number in range(asked.rounds):
        for scenario in scenarios(asked.seed + number, asked.words):
            if asked.only not in str(scenario):
                continue
            with tempfile.TemporaryDirectory(prefix="words-") as name:
                outcome = watch(scenario, Path(name))
                screen = Path(name, "screen.txt")
                if asked.keep and not outcome.ok and screen.exists():
                    asked.keep.mkdir(exist_ok=True, parents=True)
                    kept = asked.keep / f"{scenario.kind}-{scenario.terminal}-{scenario.seed}.txt"
                    kept.write_text(screen.read_text())
            _report(scenario, outcome)
            totals.update(
                scenarios=1,
                failed=not outcome.ok,
                sent=outcome.sent,
                lost=len(outcome.lost),
                doubled=len(outcome.doubled),
                out_of_order=outcome.out_of_order,
                keys=outcome.typed,
                resizes=scenario.resizes,
            )
    print(json.dumps({"seed": asked.seed, **totals, "ok": not totals["failed"]}, indent=2))
    return 0 if totals["scenarios"] and not totals["failed"] else 1


def _report(scenario: Scenario, outcome: Outcome) -> None:
    print(
        f"{'ok  ' if outcome.ok else 'FAIL'} {scenario!s:<62} {outcome.sent:>6,} sent"
        f" {len(outcome.lost):>4} lost {len(outcome.doubled):>4} doubled"
        f"  {outcome.rate:>6,.0f} tokens/s  {outcome.typed} keys",
        flush=True,
    )
    if not outcome.ok:
        shown = {**asdict(outcome), "lost": outcome.lost[:9], "doubled": outcome.doubled[:9]}
        print(f"     seed {scenario.seed} {shown}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
