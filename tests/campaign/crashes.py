"""One session, one worker at a time, killed again and again: what was acknowledged stays."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaign.ledger import Command, Ledger, Snapshot, read_snapshot
from campaign.process import Worker
from campaign.worker import Settings

__all__ = ["Crashes", "copied", "copy_of"]

_LANES = ["queue"] * 6 + ["steer", "steer", "interrupt", "merge"]
_TOLD = ["follow_up.accepted", "turn.started", "turn.ended", "receipt", "follow_up.moved"]


def copied(path: Path) -> Path:
    """A copy to read, so that the next worker finds what the last one left, log and all."""
    copy = path.with_name("copy") / path.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir()
    for file in (path, path.with_name(path.name + "-wal")):
        if file.exists():
            shutil.copy(file, copy.parent / file.name)
    return copy


def copy_of(path: Path) -> Snapshot:
    """What is in the journal at `path`, read from a copy."""
    return read_snapshot(copied(path))


@dataclass
class Crashes:
    """A campaign of `kills` on the journal at `path`, all its choices from `seed`."""

    path: Path
    kills: int
    seed: int
    progress: Callable[[str], None] = print
    ledger: Ledger = field(default_factory=Ledger)
    phases: Counter[str] = field(default_factory=Counter[str])
    restarts: int = 0
    sent: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._heard = ""

    def run(self) -> None:
        """Kills, restarts, compares; at the end it lets everything drain."""
        for kill in range(1, self.kills + 1):
            worker = self._start()
            self._busy(worker)
            phase = worker.kill()
            self._note(phase, copy_of(self.path))
            if kill % 25 == 0:
                self.progress(
                    f"{kill} kills, {len(self.ledger.acknowledged)} acknowledged, "
                    f"{len(self.ledger.faults)} faults"
                )
        self._drain()

    def _settings(self) -> Settings:
        beside = self.path.parent
        return Settings(
            path=str(self.path),
            phases=str(beside / "phases"),
            turns=str(beside / "turns"),
            seed=self.chance.randrange(1 << 30),
            window=self.chance.choice([1000, 1000, 6]),
            checkpoint=self.chance.choice([1000, 4, 1]),
            checkpointer=self.chance.random() < 0.3,
            partial_s=self.chance.choice([0.25, 0.005]),
        )

    def _start(self) -> Worker:
        """Starts a worker on the file; it must find what the last one left."""
        before = copy_of(self.path) if self.path.exists() else None
        worker = Worker(self._settings(), self._hear)
        opened = worker.wait_for(lambda line: "opened" in line)
        self.restarts += before is not None
        if before is not None:
            self.ledger.reopened(before, copy_of(self.path), opened)
        if opened["cut_off"] is not None:
            self._decide(worker, opened["cut_off"]["id"])
        self._send(worker, {"do": "release"})
        return worker

    def _hear(self, line: dict[str, Any]) -> None:
        self.ledger.hears(line)
        self._heard = line["told"]["type"] if "told" in line else next(iter(line))

    def _decide(self, worker: Worker, id: str) -> None:
        """What to do with a turn that was cut off: again, not at all, or otherwise."""
        choice = self.chance.random()
        if choice < 0.2:
            self._send(worker, {"do": "skip", "id": id})
        elif choice < 0.4:
            self._send(worker, {"do": "edit", "id": id, "text": self._text()})
        for id in list(self.ledger.unacknowledged())[-3:]:
            # Its sender never heard of it, and tries again.
            if self.chance.random() < 0.5:
                self._send(worker, self._submit(id))

    def _busy(self, worker: Worker) -> None:
        """Keeps the worker busy until the moment at which it is to be killed."""
        until = time.monotonic() + self.chance.random() * 0.25
        while time.monotonic() < until:
            for _ in range(self.chance.choice([1, 1, 2, 8])):
                self._send(worker, self._command())
            worker.listen(self.chance.random() * 0.02)
        how = self.chance.random()
        if how < 0.4:
            self._send(worker, self._command())
            worker.listen(self.chance.random() * 0.002)
        elif how < 0.8:
            self._until_told(worker, self.chance.choice(_TOLD))

    def _until_told(self, worker: Worker, wanted: str) -> None:
        """Listens line by line until it is told of such an event, for a little while."""
        until = time.monotonic() + 0.1
        self._heard = ""
        while self._heard != wanted and time.monotonic() < until:
            if self.chance.random() < 0.3:
                self._send(worker, self._command())
            worker.listen(0.0)

    def _send(self, worker: Worker, command: Command) -> None:
        self.sent += 1
        self.ledger.sends(command)
        worker.send({"n": self.sent, **command})

    def _text(self) -> str:
        words = self.chance.choice([1, 1, 1, 4, 20, 60])
        text = " ".join(f"w{self.chance.randrange(10_000)}" for _ in range(words))
        return text + "-" * self.chance.choice([0, 0, 0, 0, 9000])

    def _submit(self, id: str = "") -> Command:
        if id:
            return {
                "do": "submit",
                "id": id,
                "text": self.ledger.sent[id],
                "lane": self.ledger.lanes[id],
            }
        lane = self.chance.choice(_LANES)
        return {"do": "submit", "id": f"f{self.sent}", "text": self._text(), "lane": lane}

    def _command(self) -> Command:
        """One random command; the more waits, the less is submitted."""
        waiting = [id for id in self.ledger.queue if self.ledger.lanes.get(id) != "steer"]
        choice = self.chance.random()
        if choice < 0.05:
            return {"do": "interrupt"}
        if choice < 0.2:
            return {"do": "release"}
        if waiting and choice < 0.5:
            return self._change(self.chance.choice(waiting), len(waiting))
        if choice < 0.55 and self.ledger.acknowledged:
            return self._again()
        return self._submit() if len(waiting) < 40 else {"do": "release"}

    def _change(self, id: str, waiting: int) -> Command:
        match self.chance.randrange(4):
            case 0:
                return {"do": "edit", "id": id, "text": self._text()}
            case 1:
                return {"do": "remove", "id": id}
            case _:
                return {"do": "move", "id": id, "position": self.chance.randint(1, waiting)}

    def _again(self) -> Command:
        """A submit of something that was acknowledged already, as clients do that lost it."""
        ledger = self.ledger
        same = [id for id, text in ledger.texts.items() if ledger.sent[id] == text]
        known = [id for id in same[-20:] if id not in ledger.changing]
        return self._submit(self.chance.choice(known)) if known else self._submit()

    def _note(self, phase: str, file: Snapshot) -> None:
        """Judges what the killed worker left, and says in what it was hit."""
        told = self.ledger
        self.phases[phase] += 1
        if any(id not in told.acknowledged for id in file.rows if id not in told.receipts):
            self.phases["accepted, and not yet acknowledged"] += 1
        if any(
            row.state == "answered" and row.id not in told.receipts for row in file.rows.values()
        ):
            self.phases["answered, and not yet told (handoff)"] += 1
        for turn in file.turns:
            if turn.state == "running":
                said = "with" if turn.answer else "without"
                self.phases[f"a turn was cut off, {said} output"] += 1
        told.crashed(file)

    def _drain(self) -> None:
        """A last worker that nobody kills: every accepted id gets its receipt."""
        worker = self._start()
        while self.ledger.queue or self.ledger.inbox or self.ledger.running:
            self._send(worker, {"do": "release"})
            if not worker.listen(0.05):
                break
        worker.end()
        self.ledger.finished(copy_of(self.path))
