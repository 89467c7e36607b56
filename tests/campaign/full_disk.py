"""Fills the disk under a journal that works, and sees that it says no and loses nothing.

    python tests/campaign/full_disk.py --rounds 20 --seed 1

The disk is a small tmpfs, where that may be mounted (Linux, root); elsewhere SQLite is
told that the file may not grow, which is said as `"disk": "max_page_count"`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent_shell import EchoAgent, Engine, HoldReason, JournalError, Phase, Session, State
from agent_shell.journal.sqlite import SqliteJournal
from campaign.crashes import copy_of

SIZE = 6 << 20
# A turn, a receipt, a look into the journal: none may take longer, in seconds.
PATIENCE_S = 20.0


class Disk(Protocol):
    """Where the journal lies, and how its room is taken and given back."""

    name: str
    path: Path

    async def fill(self, journal: SqliteJournal, room: int) -> None:
        """Leaves about `room` bytes."""
        ...

    async def free(self, journal: SqliteJournal) -> None:
        """Gives the room back."""
        ...


class Tmpfs:
    """A real file system of 6 MiB, filled with a file."""

    name = "tmpfs"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "j.sqlite"
        self._ballast = folder / "ballast"

    async def fill(self, journal: SqliteJournal, room: int) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
            file.truncate(max(file.tell() - room, 0))

    async def free(self, journal: SqliteJournal) -> None:
        self._ballast.unlink(missing_ok=True)


class PageCount:
    """No file system: SQLite itself refuses to let the file grow."""

    name = "max_page_count"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "j.sqlite"

    async def fill(self, journal: SqliteJournal, room: int) -> None:
        pages = await journal.change(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await self._limit(journal, pages + room // 4096)

    async def free(self, journal: SqliteJournal) -> None:
        # The limit is the connection's: it went with a journal that was closed.
        with contextlib.suppress(JournalError):
            await self._limit(journal, 1_000_000)

    async def _limit(self, journal: SqliteJournal, pages: int) -> None:
        await journal.change(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())


@contextlib.contextmanager
def small_disk(mount_it: bool) -> Iterator[Disk]:
    """The most real of the disks that can be had here."""
    with tempfile.TemporaryDirectory(prefix="full-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]
        try:
            mounted = (
                mount_it and subprocess.run(mount, check=False, capture_output=True).returncode == 0
            )
        except OSError:
            mounted = False
        try:
            yield (Tmpfs if mounted else PageCount)(Path(folder))
        finally:
            if mounted:
                subprocess.run(["umount", folder], check=True)


@dataclass
class FullDisk:
    """A campaign of rounds on one disk: full, refused, settled, room again, drained."""

    disk: Disk
    chance: random.Random
    acknowledged: dict[str, str] = field(default_factory=dict[str, str])
    refused: set[str] = field(default_factory=set[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])
    reopened: int = 0

    async def round(self, number: int) -> None:
        """One filling; every second time the journal is closed while the disk is full."""
        journal, engine, session = await self._open()
        # A turn that is under way when the disk is full.
        await self._submit(session, f"{number}-run", " ".join(["word"] * 60))
        await self.disk.fill(journal, self.chance.choice([0, 0, 1, 20, 100]) * 4096)
        for wave in range(30):
            sizes = [
                self.chance.choice([1, 1000, 20_000]) for _ in range(self.chance.randint(1, 8))
            ]
            texts = {f"{number}-{wave}-{i}": "x" * size for i, size in enumerate(sizes)}
            await asyncio.gather(*(self._submit(session, *each) for each in texts.items()))
        await self._settled(session)
        if number % 2:
            await engine.close(drain=False, timeout=PATIENCE_S)
            await journal.close()
            await self.disk.free(journal)
            journal, engine, session = await self._open()
            self.reopened += 1
        else:
            self._check_file()
            await self.disk.free(journal)
        await self._drain(session)
        await engine.close()
        await journal.close()
        self._check_file()

    async def _open(self) -> tuple[SqliteJournal, Engine, Session]:
        journal = SqliteJournal(self.disk.path)
        engine = Engine(EchoAgent(2000.0), journal=journal)
        return journal, engine, await engine.open("s")

    async def _submit(self, session: Session, id: str, text: str) -> None:
        try:
            await session.submit(text, id=id)
        except JournalError as error:
            self.refused.add(id)
            self.errors[str(error).replace(str(self.disk.path), "PATH")] += 1
        else:
            self.acknowledged[id] = text

    async def _settled(self, session: Session) -> None:
        """The turn that ran ends in order, and no other starts."""
        async with asyncio.timeout(PATIENCE_S):
            await session.settled()
        if session.running is not None or session.phase is not Phase.HELD:
            self.faults.append(f"on a full disk it was {session!r}")
        elif session.hold is None or session.hold.reason is not HoldReason.JOURNAL:
            self.faults.append(f"on a full disk it was held for {session.hold}")

    async def _drain(self, session: Session) -> None:
        """With room again: each acknowledged input is answered, none of the refused is there."""
        session.release()
        async with asyncio.timeout(PATIENCE_S):
            for id, text in self.acknowledged.items():
                receipt = await session.receipt(id)
                if receipt.state is not State.ANSWERED or receipt.answer != text:
                    self.faults.append(f"{id} ended as {receipt}")

    def _check_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            # Beside the full disk, where a copy has room.
            file = _copy(self.disk.path, Path(folder))
        if file.integrity != "ok":
            self.faults.append(f"integrity: {file.integrity}")
        for id in self.acknowledged.keys() - file.rows.keys():
            self.faults.append(f"{id} was acknowledged and is lost")
        for id in self.refused & file.rows.keys():
            self.faults.append(f"{id} was refused and is there")


def _copy(path: Path, folder: Path) -> Any:
    for file in (path, path.with_name(path.name + "-wal")):
        if file.exists():
            (folder / file.name).write_bytes(file.read_bytes())
    return copy_of(folder / path.name)


async def run(rounds: int, seed: int, mount_it: bool) -> dict[str, Any]:
    """The figures of a whole campaign."""
    with small_disk(mount_it) as disk:
        campaign = FullDisk(disk, random.Random(seed))
        for number in range(rounds):
            await campaign.round(number)
    return {
        "disk": disk.name,
        "sqlite": sqlite3.sqlite_version,
        "rounds": rounds,
        "closed_while_full": campaign.reopened,
        "acknowledged": len(campaign.acknowledged),
        "refused": len(campaign.refused),
        "errors": dict(campaign.errors),
        "faults": campaign.faults[:20],
        "ok": not campaign.faults,
    }


def main() -> int:
    """Runs the campaign; 0 only if nothing was lost, and something was refused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-mount", action="store_true", help="let SQLite limit the file")
    options = parser.parse_args()
    result = asyncio.run(run(options.rounds, options.seed, not options.no_mount))
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] and result["refused"] else 1


if __name__ == "__main__":
    sys.exit(main())
