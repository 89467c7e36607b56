"""Two workers on one session: the second waits until the first is killed or stopped.

A worker that was killed frees the session at once; one that was stopped loses it when
its sign of life is old, and must find, when it goes on, that nothing of it gets in.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from campaign.crashes import copy_of
from campaign.ledger import Ledger, Snapshot
from campaign.process import Worker, WorkerDied
from campaign.worker import Settings

__all__ = ["BOUND_S", "Owners", "check_turns"]

BOUND_S = 2.0  # a successor must have taken over by then


def check_turns(lines: list[dict[str, Any]], file: Snapshot, ledger: Ledger) -> None:
    """Judges the agents' own log of turns, in the order in which it was written.

    A worker that was stopped between the record of a start and the start may begin
    that turn when it goes on; then the file must have it as interrupted.
    """
    state = {turn.number: turn.state for turn in file.turns}
    fence, last = 0, 0
    for line in lines:
        starts = line["what"] == "start"
        if line["fence"] < fence:
            if starts and state.get(line["turn"]) != "interrupted":
                ledger.fault("two_at_once", f"a stopped worker ran {line}")
            continue
        if starts and line["turn"] <= last:
            ledger.fault("two_at_once", f"{line} after turn {last}")
        fence = line["fence"]
        last = max(last, line["turn"])


@dataclass
class Owners:
    """A campaign of `rounds` successions on the journal at `path`, its choices from `seed`."""

    path: Path
    rounds: int
    seed: int
    progress: Callable[[str], None] = print
    ledger: Ledger = field(default_factory=Ledger)
    kills: int = 0
    stops: int = 0
    with_lock: int = 0
    sent: int = 0
    by_kill: list[float] = field(default_factory=list[float])
    by_stop: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def take_overs(self) -> int:
        """How often a successor has taken the session."""
        return len(self.by_kill) + len(self.by_stop)

    def times(self) -> dict[str, dict[str, float]]:
        """Milliseconds from the signal to the successor's word that it owns the session."""
        kinds = {"killed": self.by_kill, "stopped": self.by_stop}
        return {
            kind: {"p50": round(median(times) * 1000, 1), "max": round(max(times) * 1000, 1)}
            for kind, times in kinds.items()
            if times
        }

    def in_time(self) -> bool:
        """Whether every successor was there within the bound."""
        return all(seconds < BOUND_S for seconds in [*self.by_kill, *self.by_stop])

    def run(self) -> None:
        """The successions, then a drain by the last owner."""
        if not self.rounds:
            return
        owner = self._start()
        owner.wait_for(lambda line: "opened" in line)
        for number in range(1, self.rounds + 1):
            successor = self._start()
            successor.wait_for(lambda line: "waiting" in line)
            self._busy(owner)
            if number % 2:
                self._kill(owner, successor)
            else:
                self._stop(owner, successor)
            owner = successor
            if number % 10 == 0:
                self.progress(f"{number} successions, {len(self.ledger.faults)} faults")
        self._drain(owner)

    def _start(self) -> Worker:
        beside = self.path.parent
        settings = Settings(
            path=str(self.path),
            phases=str(beside / f"phases-{self.take_overs % 2}"),
            turns=str(beside / "turns"),
            seed=self.chance.randrange(1 << 30),
        )
        return Worker(settings, self.ledger.hears)

    def _busy(self, owner: Worker) -> None:
        """Gives the owner turns to run, for a while."""
        self._command(owner, {"do": "release"})
        until = time.monotonic() + self.chance.random() * 0.3
        while time.monotonic() < until:
            if len(self.ledger.queue) < 20:
                text = " ".join(["word"] * self.chance.choice([1, 5, 40]))
                id = f"f{self.sent}"
                self._command(owner, {"do": "submit", "id": id, "text": text, "lane": "queue"})
            owner.listen(self.chance.random() * 0.02)

    def _command(self, owner: Worker, command: dict[str, Any]) -> None:
        self.sent += 1
        self.ledger.sends(command)
        owner.send({"n": self.sent, **command})

    def _kill(self, owner: Worker, successor: Worker) -> None:
        self.kills += 1
        begun = time.monotonic()
        owner.kill()
        successor.wait_for(lambda line: "opened" in line)
        self.by_kill.append(time.monotonic() - begun)
        self.ledger.taken_over(copy_of(self.path))

    def _stop(self, owner: Worker, successor: Worker) -> None:
        self.stops += 1
        self.by_stop.append(self._stop_until_succeeded(owner, successor))
        self.ledger.taken_over(copy_of(self.path))
        self._busy(successor)
        late: list[dict[str, Any]] = []
        owner.hear = late.append
        owner.go_on()
        # Straight to the worker: what it sends now must not be found in the file.
        owner.send(
            {"do": "submit", "n": 0, "id": f"ghost{self.stops}", "text": "x", "lane": "queue"}
        )
        owner.wait_for(lambda line: line.get("id", "").startswith("ghost"))
        self._busy(successor)
        owner.kill()
        file = copy_of(self.path)
        for line in late:
            self.ledger.hears_late(line, file)

    def _stop_until_succeeded(self, owner: Worker, successor: Worker) -> float:
        """Stops the owner; again, where it was stopped in a commit and holds the file's lock."""
        while True:
            owner.stop()
            begun = time.monotonic()
            owner.catch_up()
            try:
                successor.wait_for(lambda line: "opened" in line, seconds=BOUND_S + 1.0)
                return time.monotonic() - begun
            except WorkerDied:
                self.with_lock += 1
                owner.go_on()
                owner.listen(0.05)

    def _drain(self, owner: Worker) -> None:
        while self.ledger.queue or self.ledger.running:
            self._command(owner, {"do": "release"})
            if not owner.listen(0.05):
                break
        owner.end()
        file = copy_of(self.path)
        self.ledger.finished(file)
        log = Path(self.path.parent, "turns").read_text()
        check_turns([json.loads(line) for line in log.splitlines()], file, self.ledger)
