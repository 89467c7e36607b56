"""A crash in the middle of a task: what the journal has is enough to go on."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_shell import State
from agent_shell.events import Receipt
from agent_shell.journal.sqlite import SqliteJournal
from providers.house import MODELS, House, Places, Talk, open_engine
from providers.mending import MENDED, TASK, mender, project
from providers.story import Asked, Part, Wait
from providers.sweep import AFTER, few_points
from providers.wire_server import WireServer
from support_provider import KEY
from support_scripted import environment, program, run_program


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


KILLED_AT = {"before the edit": 2, "after the edit": 3}


@pytest.mark.parametrize("place", KILLED_AT)
async def test_a_killed_program_goes_on(place: str, tmp_path: Path):
    """SIGKILL in the middle of a task; the next run does what is missing, then what waited."""
    folder = project(tmp_path / "project")
    gate = asyncio.Event()

    def brain(asked: Asked) -> Sequence[Part]:
        at = KILLED_AT[place]
        return [*mender(asked), Wait(gate)] if asked.number == at else mender(asked)

    async with WireServer(brain) as server:
        first = await _start(server, folder, tmp_path)
        assert first.stdin is not None
        first.stdin.write(f"{TASK}\nNOTE waits\n".encode())
        await first.stdin.drain()
        await server.request(KILLED_AT[place])
        first.kill()
        await first.wait()
        # What had not been taken in yet was not accepted; it is given again then.
        left = await asyncio.to_thread(_left, tmp_path / "sessions.db")
        second = await _start(server, folder, tmp_path, "--interrupted", "retry")
        again = "" if "NOTE waits" in left else "NOTE waits\n"
        out, err = await second.communicate(again.encode())
    assert second.returncode == 0, err.decode()
    assert out.decode().rstrip().endswith("Heard NOTE waits.")
    assert "Mended." in out.decode()
    assert (folder / "sums.py").read_text() == MENDED


def _left(journal: Path) -> list[str]:
    """The texts that the journal has accepted."""
    shown = run_program("sessions", "show", "k", "--json", "--journal", str(journal))
    return [follow_up["text"] for follow_up in json.loads(shown.out)["follow_ups"]]


async def _start(
    server: WireServer, folder: Path, home: Path, *arguments: str
) -> asyncio.subprocess.Process:
    chat = ("chat", "-m", "openai:gpt-4o", "-s", "k", "--approve", "all", *arguments)
    return await asyncio.create_subprocess_exec(
        *program(*chat, "--journal", str(home / "sessions.db")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=environment(OPENAI_BASE_URL=server.openai_url, OPENAI_API_KEY=KEY),
    )
