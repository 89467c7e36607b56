"""The chaos of `agent-shell stress --chaos` on a durable journal, killed from outside.

    PYTHONPATH=core:cli:tests python tests/campaign/chaos.py --operations 1000000 --seed 1

A process floods a few sessions with inputs on all lanes, edits, moves, removals,
interrupts and holds, while turns fail, stall and ignore their cancellation. It is killed
(SIGKILL) at random moments; the next one takes up the same journal. A ledger for each
session believes only what it was told and compares that with the file after each kill.
From time to time a flood may end; then each input must have its one receipt, and the
sessions are deleted. The exit code is 0 only if nothing was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent_shell.journal.sqlite import catalog, schema
from campaign.crashes import copied
from campaign.flooder import FloodSettings
from campaign.ledger import Ledger, Snapshot, read_snapshot
from campaign.process import Worker

_SCRIPT = Path(__file__).with_name("flooder.py")
# A flood that nobody is to kill is short, and all others are endless.
_SHORT, _ENDLESS = 40, 1_000_000
# No life takes so long, in seconds.
_STUCK_S = 300.0
_KILLS = 6  # before the sessions come to their end


@dataclass
class Chaos:
    """A campaign of about `operations` commands on the journal at `path`, from `seed`.

    It is killed after `life` operations, on average.
    """

    path: Path
    operations: int
    seed: int
    sessions: int = 3
    life: int = 2000
    seconds: float = float("inf")
    progress: Callable[[str], None] = print
    done: Counter[str] = field(default_factory=Counter[str])
    operations_done: int = 0
    turned_away: int = 0
    kills: int = 0
    floods: int = 0
    acknowledged: int = 0
    receipts: Counter[str] = field(default_factory=Counter[str])
    phases: Counter[str] = field(default_factory=Counter[str])
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.keys = [f"stress-{number}" for number in range(1, self.sessions + 1)]
        self.ledgers: dict[str, Ledger] = {}
        self._opened: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        """Generations of sessions, each with some kills and an end in order."""
        until = time.monotonic() + self.seconds
        while self.operations_done < self.operations and time.monotonic() < until:
            self.ledgers = {key: Ledger() for key in self.keys}
            for _ in range(_KILLS):
                self._flood_and_kill()
            self._flood_to_the_end()
            self._count()
            self.progress(
                f"{self.operations_done:,} operations, {self.kills} kills, "
                f"{self.acknowledged:,} acknowledged, {len(self.faults)} faults"
            )

    def _snapshots(self) -> dict[str, Snapshot]:
        copy = copied(self.path)
        return {key: read_snapshot(copy, key) for key in self.keys}

    def _start(self, n: int) -> Worker:
        """Starts a flood; it must find what the last one left."""
        before = self._snapshots() if self.path.exists() else {}
        beside, chance = self.path.parent, self.chance
        settings = FloodSettings(
            path=str(self.path),
            phases=str(beside / "phases"),
            turns=str(beside / "turns"),
            seed=chance.randrange(1 << 30),
            checkpoint=chance.choice([1000, 4, 1]),
            partial_s=chance.choice([0.25, 0.005]),
            n=n,
            sessions=self.sessions,
            limit=chance.choice([200, 40, 5]),
        )
        worker = Worker(settings, self._hear, _SCRIPT)
        worker.wait_for(lambda line: "all_opened" in line, seconds=_STUCK_S)
        after = self._snapshots()
        for key, snapshot in before.items():
            self.ledgers[key].reopened(snapshot, after[key], self._opened[key])
        worker.send({"do": "flood"})
        return worker

    def _hear(self, line: dict[str, Any]) -> None:
        if "sends" in line:
            self._done(line["sends"]["do"], 1)
            self.ledgers[line["session"]].sends(line["sends"])
        elif "turned_away" in line:
            self._done("submit", -1)
            self.turned_away += 1
        elif "opened" in line:
            self._opened[line["session"]] = line
        elif "session" in line:
            self.ledgers[line["session"]].hears(line)
        elif "wrong" in line:
            self._fault("out_of_order", f"in the flood's own account: {line}")
        elif "result" in line:
            for fault in line["faults"]:
                self._fault("flood", fault)

    def _fault(self, kind: str, what: str) -> None:
        self.faults.append((kind, what))
        self.progress(f"{kind}: {what[:1000]}")

    def _done(self, command: str, count: int) -> None:
        self.done[command] += count
        self.operations_done += count

    def _flood_and_kill(self) -> None:
        worker = self._start(_ENDLESS)
        until = self.operations_done + self.chance.randrange(1, 2 * self.life)
        worker.wait_for(lambda _: self.operations_done >= until, seconds=_STUCK_S)
        time.sleep(self.chance.random() * 0.005)
        self.phases[worker.kill()] += 1
        self.kills += 1
        for key, snapshot in self._snapshots().items():
            self.ledgers[key].crashed(snapshot)

    def _flood_to_the_end(self) -> None:
        self._start(_SHORT).join()
        self.floods += 1
        for key, snapshot in self._snapshots().items():
            self.ledgers[key].finished(snapshot)
        connection = schema.connect(self.path)
        for key in self.keys:
            catalog.delete(connection, key, self.path)
        connection.close()

    def _count(self) -> None:
        for key, ledger in self.ledgers.items():
            self.acknowledged += len(ledger.acknowledged)
            self.receipts.update(state for state, _ in ledger.receipts.values())
            for kind, what in ledger.faults:
                self._fault(kind, f"{key}: {what}")

    def report(self, seconds: float) -> dict[str, Any]:
        """All figures, as one JSON object."""
        kinds = Counter(kind for kind, _ in self.faults)
        return {
            "seed": self.seed,
            "operations": self.operations_done,
            "turned_away": self.turned_away,
            "by_kind": dict(self.done.most_common()),
            "kills": self.kills,
            "floods_to_the_end": self.floods,
            "acknowledged": self.acknowledged,
            "receipts": dict(self.receipts.most_common()),
            "lost": kinds["lost"],
            "duplicated": kinds["duplicated"],
            "out_of_order": kinds["out_of_order"],
            "two_at_once": kinds["two_at_once"],
            "faults": dict(kinds),
            "phases": dict(self.phases.most_common()),
            "elapsed_s": round(seconds, 1),
            "ok": not self.faults,
        }


def main() -> int:
    """Runs the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=3, help="at once")
    parser.add_argument("--life", type=int, default=2000, help="operations between two kills")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end by then")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def progress(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        chaos = Chaos(
            Path(folder, "j.sqlite"),
            options.operations,
            options.seed,
            options.sessions,
            options.life,
            options.seconds,
            progress,
        )
        chaos.run()
    result = chaos.report(time.monotonic() - begun)
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
