"""The files of the working folder: which there are, and which are found."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from agent_shell_cli.repl.files import FileIndex, listed
from support_repl import PATIENCE_S

TREE = (
    "README.md",
    "core/engine.py",
    "core/panel.py",
    "core/build/made.o",
    "core/docs/panels.md",
    "cli/pa.py",
    "node_modules/panel.js",
    "notes of today.md",
    "private.txt",
)


def make(folder: Path) -> Path:
    for name in TREE:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (folder / ".gitignore").write_text("node_modules/\n*.o\n")
    (folder / "core" / ".gitignore").write_text("docs\n!panel.py\n")
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = make(tmp_path / "checkout")
    git(folder, "init", "-q")
    (folder / ".git" / "info" / "exclude").write_text("private.txt\n")
    return folder


def found(folder: Path, query: str) -> list[str]:
    index = FileIndex(folder)
    index.ask()
    index.wait(PATIENCE_S)
    assert index.complete
    return index.search(query, 50)


KEPT = {".gitignore", "core/.gitignore", "README.md", "notes of today.md"} | {
    "core/engine.py",
    "core/panel.py",
    "cli/pa.py",
}


def test_ignored_files_are_left_out(checkout: Path) -> None:
    """By all `.gitignore` files and `.git/info/exclude`, tracked or not."""
    git(checkout, "add", "core/panel.py")
    assert sorted(listed(checkout)) == sorted(KEPT)


def test_git_and_the_walk_agree(checkout: Path, tmp_path: Path, monkeypatch) -> None:
    """Where git can't be run, and below a checkout, the same files are found."""
    by_git = sorted(listed(checkout)), sorted(listed(checkout / "core"))
    assert by_git[1] == [".gitignore", "engine.py", "panel.py"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (sorted(listed(checkout)), sorted(listed(checkout / "core"))) == by_git


def test_outside_of_a_checkout_the_folders_are_walked(tmp_path: Path) -> None:
    """Their `.gitignore` files count as well; no link is followed, and no pipe is waited for."""
    folder = make(tmp_path / "plain")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert sorted(listed(folder)) == sorted(KEPT | {"private.txt", "up"})


def test_git_runs_nothing_of_a_checkouts_own(checkout: Path, tmp_path: Path) -> None:
    """A clone's configuration may name programs: listing its files starts none of them."""
    program = tmp_path / "hook"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o700)
    git(checkout, "config", "core.fsmonitor", str(program))
    assert sorted(listed(checkout)) == sorted(KEPT)
    assert not (tmp_path / "ran").exists()


def test_the_best_matches_come_first(checkout: Path) -> None:
    """Names that begin with it, then names and paths that hold it, then scattered letters."""
    assert found(checkout, "pa") == ["cli/pa.py", "core/panel.py"]
    assert found(checkout, "panel") == ["core/panel.py"]
    assert found(checkout, "core/") == [
        "core/",
        "core/panel.py",
        "core/engine.py",
        "core/.gitignore",
    ]
    assert found(checkout, "cpan") == ["core/panel.py"]
    assert found(checkout, "READ") == ["README.md"]
    assert found(checkout, "zzz") == []


def test_nothing_typed_shows_what_is_here(checkout: Path) -> None:
    """The nearest files and folders."""
    here = found(checkout, "")
    assert set(here[:5]) == {"cli/", "core/", "README.md", ".gitignore", "notes of today.md"}


def test_what_is_gone_is_not_offered(checkout: Path) -> None:
    """Although git still has it."""
    git(checkout, "add", ".")
    (checkout / "core" / "panel.py").unlink()
    assert found(checkout, "panel") == []


def test_names_that_cannot_stand_in_a_draft_are_left_out(tmp_path: Path) -> None:
    """Control characters, bytes that are no text, lines and quotes; not for others' sake."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"x\x1b[2J", b"x\xff", b"x\ny", b'x"y', "x\u202ey".encode(), "xä日本".encode()):
        (folder / os.fsdecode(name)).write_text("")
    assert found(folder, "x") == ["xä日本"]


def test_a_letter_that_changes_its_length_moves_no_other(tmp_path: Path) -> None:
    """Small letters may be more than the capital was."""
    folder = tmp_path / "letters"
    folder.mkdir()
    for name in ("İİİİ", "plain", "ẞß"):
        (folder / name).write_text("")
    assert found(folder, "plain") == ["plain"]


def test_a_new_file_is_found_later(tmp_path: Path) -> None:
    """The list is taken again, and the old one serves until the new one is there."""
    folder = make(tmp_path / "later")
    index = FileIndex(folder)
    index.ask()
    index.wait(PATIENCE_S)
    (folder / "fresh.py").write_text("")
    deadline = 0
    while not index.search("fresh", 5):
        index.ask()
        deadline += 1
        assert index.search("panel", 5)
        assert deadline < 1_000_000
    assert index.search("fresh", 5) == ["fresh.py"]


def test_a_folder_that_is_gone_has_no_files(tmp_path: Path) -> None:
    """And nothing is raised."""
    assert found(tmp_path / "none", "x") == []
