"""`agent-shell doctor`: what is wrong, what to do, and the recovery."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support_scripted import Ended, run_program
from support_sessions import fill, owner


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder / "sessions.sqlite"


def doctor(path: Path, *arguments: str, **changes: str) -> Ended:
    return run_program("doctor", "--journal", str(path), *arguments, changes=changes)


def checks(path: Path) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(doctor(path, "--json").out)["checks"]}


def spoil(path: Path) -> bytes:
    data = b"\x55" * 100 + path.read_bytes()[100:]
    path.write_bytes(data)
    return data


async def test_what_is_in_order_is_said_to_be(path):
    """A line a thing, exit code 0."""
    await fill(path, "s", ["a"])
    ended = doctor(path)
    assert ended.code == 0
    assert any(line.startswith("ok    journal: ") for line in ended.lines)
    assert checks(path)["privacy"]["status"] == "ok"


def test_no_journal_is_no_fault(path):
    """It is made on first use, not by the doctor."""
    assert doctor(path).code == 0
    assert not path.exists()


async def test_what_others_can_read_is_a_warning(path):
    """With the command that mends it."""
    await fill(path, "s", ["a"])
    path.chmod(0o644)
    found = checks(path)["privacy"]
    assert found["status"] == "warn"
    assert f"chmod 600 {path}" in found["advice"]


async def test_processes_are_counted(path):
    """Those that have it open, and what killed ones left."""
    with owner("deaf", path):
        assert checks(path)["processes"]["detail"] == "1 open it now"
    found = checks(path)["processes"]
    assert (found["status"], found["detail"]) == (
        "warn",
        "0 open it now, 1 ended without a farewell",
    )


async def test_damage_is_found_and_left_alone(path):
    """Exit code 1, and the way out."""
    await fill(path, "s", ["a"])
    before = spoil(path)
    ended = doctor(path)
    assert ended.code == 1
    assert "doctor --recover" in ended.out.decode()
    assert path.read_bytes() == before


async def test_a_recovery_says_what_it_saved_and_where_the_rest_is(path):
    """Afterwards the journal is in order, and the damaged file is kept."""
    await fill(path, "s", ["a", "b"])
    before = spoil(path)
    ended = doctor(path, "--recover")
    assert ended.code == 0
    assert ended.lines[0].startswith("recovered 1 sessions with 2 follow-ups and 2 turns")
    (aside,) = path.parent.glob("*.damaged-*")
    assert str(aside) in ended.out.decode()
    assert aside.read_bytes() == before
    assert doctor(path, "--recover").lines[0].startswith("nothing to recover")


async def test_nothing_is_recovered_under_a_living_process(path):
    """Exit code 3, and nothing is changed."""
    with owner("deaf", path):
        path.write_bytes(b"")  # its log is all that is left
        ended = doctor(path, "--recover")
        assert ended.code == 3
        assert "end every agent-shell" in ended.err
        assert [file.name for file in path.parent.glob("*.damaged-*")] == []
    assert doctor(path, "--recover").code == 0


def test_what_confines_the_commands_of_tools_is_said(path, tmp_path):
    """Where nothing does, with what would; and a bubblewrap that does not work, with its words."""
    assert "sandbox" in checks(path)
    without = doctor(path, "--json", PATH=str(tmp_path))
    found = {check["name"]: check for check in json.loads(without.out)["checks"]}["sandbox"]
    assert (without.code, found["status"]) == (0, "warn" if sys.platform == "linux" else "ok")
    if sys.platform == "linux":
        assert found["detail"].endswith("bubblewrap is not installed")
        assert found["advice"].startswith("install bubblewrap")
