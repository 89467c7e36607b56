"""A crash in the middle of a task: what the journal has is enough to go on."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from agent_shell import State
from agent_shell.events import Receipt
from agent_shell.journal.sqlite import SqliteJournal
from providers.house import MODELS, House, Places, Talk, open_engine
from providers.mending import MENDED, TASK, mender, project
from providers.sweep import AFTER, few_points
from providers.wire_server import WireServer


class Crash:
    """A task with a follow-up behind it; at one place the journal is left as it is then."""

    def __init__(self, server: WireServer, format: str, folder: Path) -> None:
        self.server = server
        self.format = format
        self.folder = folder

    async def run(self, at: int) -> list[str]:
        """Runs it until the place, and all others after that go to a journal that nobody sees."""
        journal, left = self.folder / "first.db", self.folder / "left.db"
        for old in self.folder.glob("*.db*"):
            old.unlink() if old.is_file() else shutil.rmtree(old)
        house = House(self.server, self.format, project(self.folder / "project"))
        self.server.on_point = house.on_point
        crashed = asyncio.Event()

        async def crash() -> None:
            shutil.copy(journal, left)
            shutil.copy(f"{journal}-wal", f"{left}-wal")
            crashed.set()

        places = Places(at, crash)
        house.watch(places)
        kept = SqliteJournal(journal)
        engine = open_engine(house, journal=kept)
        talk = Talk(await engine.open("s"))
        await talk.submit(TASK)
        await talk.submit("NOTE waits")
        if at < 0:
            await talk.receipts()
            await places.come_past(AFTER)
        else:
            await asyncio.wait_for(crashed.wait(), 30)
        await engine.close(drain=False, timeout=5)
        await kept.close()
        await house.close()
        return places.names

    async def go_on(self) -> list[Receipt]:
        """What comes of what was left, in another process's place."""
        house = House(self.server, self.format, self.folder / "project")
        self.server.on_point = house.on_point
        kept = SqliteJournal(self.folder / "left.db")
        engine = open_engine(house, journal=kept)
        session = await engine.open("s")
        entries = await kept.entries("s")
        talk = Talk(session)
        session.release()
        receipts = [await talk.answered(entry.id) for entry in entries]
        await engine.close()
        await kept.close()
        await house.close()
        return receipts


@pytest.mark.parametrize("format", MODELS)
async def test_a_task_goes_on_after_a_crash(format: str, tmp_path: Path):
    """Wherever it was: the task is done, the follow-up comes after it, each is answered once."""
    async with WireServer(mender) as server:
        crash = Crash(server, format, tmp_path)
        places = await crash.run(-1)
        third = list(MODELS).index(format)  # each format takes other places than the others
        for at in few_points(places)[:-1][third::3]:
            await crash.run(at)
            receipts = await crash.go_on()
            where = f"at place {at}, {places[at]}"
            states = [receipt.state for receipt in receipts]
            assert states == [State.ANSWERED, State.ANSWERED], where
            assert receipts[0].answer.endswith("Mended."), where
            assert receipts[1].answer == "Heard NOTE waits.", where
            assert (tmp_path / "project" / "sums.py").read_text() == MENDED, where
            assert server.violations == [], where
