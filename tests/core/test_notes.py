"""What a process has others read about a session that it owns, beside the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_shell.journal.sqlite import SqliteJournal


async def test_a_note_is_read_by_others_as_long_as_it_stands(tmp_path: Path) -> None:
    """Of the session that it is about alone; it ends when the session is let go."""
    path = tmp_path / "j.sqlite"
    mine, other = SqliteJournal(path), SqliteJournal(path)
    for key in ("a", "b"):
        await mine.open(key)
    assert await other.noted("a") == ""
    mine.note("a", "asks\nthis")
    mine.note("b", "and that")
    mine.note("c", "is not open here")
    assert [await other.noted(key) for key in "abc"] == ["asks\nthis", "and that", ""]
    mine.note("b", "")
    assert [await other.noted(key) for key in "ab"] == ["asks\nthis", ""]
    await mine.release("a")
    await other.open("a")
    assert await mine.noted("a") == ""
    await mine.close()
    await other.close()


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"a": 1}', b"[" * 70_000])
async def test_what_is_no_note_is_none(tmp_path: Path, content: bytes) -> None:
    """Whatever the file beside the journal has in it, nobody fails over it."""
    path = tmp_path / "j.sqlite"
    mine, other = SqliteJournal(path), SqliteJournal(path)
    await mine.open("a")
    for file in path.with_name(f"{path.name}.owners").iterdir():
        file.write_bytes(content)
    assert await other.noted("a") == ""
    await mine.close()
    await other.close()
