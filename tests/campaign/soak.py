"""A steady load over the durable journal for an hour: nothing lost, and nothing grows.

    PYTHONPATH=core:cli:tests python tests/campaign/soak.py --seconds 3600 --rate 100

Sessions live for a while, on all lanes, with failing turns, interrupts and edits; then
they are closed, deleted and succeeded by others. One lives for the whole run. It prints
its figures as one JSON object; the exit code is 0 only if each follow-up got its one
receipt, and memory, handles, tasks, threads, the file and its log were flat.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent_shell import EchoAgent, Engine, Lane, Misbehaviour, NotWaiting, OnFailure, Session, Turn
from agent_shell.events import Missed, Receipt
from agent_shell.journal.sqlite import SqliteJournal, catalog
from campaign.gauges import Gauges, faults, figures

T = TypeVar("T")

_LANES = [Lane.QUEUE] * 6 + [Lane.STEER, Lane.STEER, Lane.INTERRUPT, Lane.MERGE]
_ROUNDS = 10  # in the life of a session
_SAMPLES = 720
# No receipt takes so long, in seconds.
_PATIENCE_S = 60.0


@dataclass
class Count:
    """What was acknowledged, and what of it has no receipt yet: a count of our own."""

    accepted: int = 0
    kept: int = 0
    sessions: int = 0
    doubled: int = 0
    missed: int = 0
    open: set[str] = field(default_factory=set[str])
    ahead: set[str] = field(default_factory=set[str])
    ends: Counter[str] = field(default_factory=Counter[str])

    def acknowledged(self, id: str) -> None:
        """An input was accepted; its receipt may have been told before."""
        self.accepted += 1
        if id in self.ahead:
            self.ahead.remove(id)
        else:
            self.open.add(id)

    def receipt(self, receipt: Receipt) -> None:
        """A receipt was told."""
        self.ends[receipt.state.value] += 1
        if receipt.id in self.open:
            self.open.remove(receipt.id)
        elif receipt.id in self.ahead:
            self.doubled += 1
        else:
            self.ahead.add(receipt.id)


class Soak:
    """A run of `seconds` with about `rate` follow-ups a second in `slots` sessions at once."""

    def __init__(self, path: Path, seconds: float, rate: float, slots: int, seed: int) -> None:
        self.count = Count()
        self.gauges = Gauges(path)
        self._path = path
        self._seconds, self._rate, self._slots = seconds, rate, slots
        self._chance = random.Random(seed)
        self._begun = time.monotonic()

    async def run(self) -> None:
        """The whole load; then everything is closed, and what is open has lost its receipt."""
        journal = SqliteJournal(self._path)
        engine = Engine(
            EchoAgent(2000.0, self._misbehaviour), journal=journal, on_failure=OnFailure.CONTINUE
        )
        listening = asyncio.create_task(self._listen(engine))
        sampling = asyncio.create_task(self._sample())
        try:
            async with asyncio.TaskGroup() as group:
                for slot in range(self._slots):
                    group.create_task(self._slot(engine, journal, slot), name=Gauges.ours)
        finally:
            sampling.cancel()
            await engine.close()
            await asyncio.sleep(0)
            listening.cancel()
            await journal.close()

    @property
    def _over(self) -> bool:
        return time.monotonic() - self._begun > self._seconds

    def _misbehaviour(self, turn: Turn) -> Misbehaviour:
        chance = self._chance
        fail = "told to" if chance.random() < 0.05 else ""
        return Misbehaviour(fail, 0.0, 0.002 if chance.random() < 0.1 else 0.0)

    async def _listen(self, engine: Engine) -> None:
        with engine.observe(100_000) as events:
            async for event in events:
                if isinstance(event, Receipt):
                    self.count.receipt(event)
                elif isinstance(event, Missed):
                    self.count.missed += event.count

    async def _sample(self) -> None:
        every = max(self._seconds / _SAMPLES, 0.05)
        while not self._over:
            await asyncio.sleep(every)
            self.gauges.read(self.count.accepted, self.count.kept)

    async def _slot(self, engine: Engine, journal: SqliteJournal, slot: int) -> None:
        """Sessions one after another; in the first slot it is one and the same."""
        life = 0
        while not self._over:
            key = f"soak-{slot}-{life}"
            session = await engine.open(key)
            await self._live(session, lasting=slot == 0)
            if slot == 0:
                return
            await session.close()
            await journal.change(partial(catalog.delete, key=key, path=self._path))
            self.count.sessions += 1
            life += 1

    async def _live(self, session: Session, *, lasting: bool) -> None:
        rounds = 0
        due = time.monotonic()
        while not self._over and (lasting or rounds < _ROUNDS):
            rounds += 1
            burst = self._chance.choice([1, 1, 2, 3, 8])
            ids = await _together(self._submit(session) for _ in range(burst))
            if lasting:
                self.count.kept += burst
            self._meddle(session, ids)
            async with asyncio.timeout(_PATIENCE_S):
                await _together(session.receipt(id) for id in ids)
            due += burst * self._slots / self._rate
            await asyncio.sleep(due - time.monotonic())

    async def _submit(self, session: Session) -> str:
        words = self._chance.choice([1, 3, 10, 30])
        text = " ".join(f"w{self._chance.randrange(10_000)}" for _ in range(words))
        accepted = await session.submit(text, lane=self._chance.choice(_LANES))
        self.count.acknowledged(accepted.id)
        return accepted.id

    def _meddle(self, session: Session, ids: list[str]) -> None:
        id, chance = self._chance.choice(ids), self._chance.random()
        with contextlib.suppress(NotWaiting):
            if chance < 0.1:
                session.edit(id, "edited")
            elif chance < 0.2:
                session.remove(id)
            elif chance < 0.3:
                session.move(id, 1)
            elif chance < 0.4:
                session.interrupt()
                session.release()


async def _together(what: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    return await asyncio.gather(*(asyncio.create_task(each, name=Gauges.ours) for each in what))


def report(soak: Soak, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of a run that is over, as one JSON object."""
    count, samples = soak.count, soak.gauges.samples
    wrong = faults(samples)
    lost = len(count.open)
    doubled = count.doubled + len(count.ahead)
    return {
        "seconds": round(samples[-1].at, 1),
        "rate": options.rate,
        "sessions": options.sessions,
        "seed": options.seed,
        "samples": len(samples),
        "accepted": count.accepted,
        "receipts": dict(count.ends),
        "kept": count.kept,
        "sessions_deleted": count.sessions,
        "lost": lost,
        "doubled": doubled,
        "missed_events": count.missed,
        "gauges": figures(samples),
        "faults": wrong,
        "ok": not (wrong or lost or doubled or count.missed),
    }


def main() -> int:
    """Runs the soak that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--rate", type=float, default=100, help="follow-ups a second, of all")
    parser.add_argument("--sessions", type=int, default=20, help="at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=Path, help="a file for the samples, one JSON a line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        path = Path(folder, "j.sqlite")
        soak = Soak(path, options.seconds, options.rate, options.sessions, options.seed)
        asyncio.run(soak.run())
    if options.samples is not None:
        lines = (json.dumps(dataclasses.asdict(sample)) for sample in soak.gauges.samples)
        options.samples.write_text("\n".join(lines) + "\n")
    result = report(soak, options)
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
