"""The inputs that outlive the program."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from agent_shell_cli.journals import data_dir
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.history import InputHistory


def history(folder: Path, said: list[str] | None = None) -> InputHistory:
    return InputHistory(lambda: folder, Folds(3, 0), ([] if said is None else said).append)


def append(folder: Path, name: str, count: int) -> None:
    mine = history(folder)
    for i in range(count):
        mine.store_string(f"{name} {i}\nsecond line")


def test_inputs_come_back_newest_first(tmp_path: Path) -> None:
    """What one shell kept the next one finds, with all of its lines and characters."""
    first = history(tmp_path / "new")
    for text in ("one", "two\nlines\n", "日本 \x1b[2J \udcff"):
        first.append_string(text)
    assert list(history(tmp_path / "new").load_history_strings()) == [
        "日本 \x1b[2J \udcff",
        "two\nlines\n",
        "one",
    ]


def test_pastes_come_back_as_folds(tmp_path: Path) -> None:
    """An input is kept whole; what was pasted into it is known by the next shell."""
    folds = Folds(3, 10)
    first = InputHistory(lambda: tmp_path, folds, print)
    lines, long = folds.pasted("a\nb\nc\nd"), folds.pasted("0123456789x")
    draft = f"see {lines}, {long}!"
    whole = "see a\nb\nc\nd, 0123456789x!"
    first.append_string(draft)
    first.append_string(draft)  # the same twice is kept once
    assert first.get_strings() == [whole]
    later = Folds(3, 10)
    assert list(InputHistory(lambda: tmp_path, later, print).load_history_strings()) == [whole]
    folded = later.refolded(whole)
    assert later.shown(folded) == "see [pasted 4 lines #1], [pasted 11 characters #2]!"
    assert later.expanded(folded) == whole
    assert later.refolded(whole) == folded
    assert later.refolded("a\nb\nc\nd") == folded[4]


def test_without_a_folder_they_are_kept_as_long_as_the_program_runs() -> None:
    """Who wants no history on disk has one all the same."""
    folds = Folds(3, 10)
    mine = InputHistory(None, folds, print)
    mine.append_string("one")
    mine.append_string(folds.pasted("a\nb\nc\nd"))
    assert mine.get_strings() == ["one", "a\nb\nc\nd"]


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    """The folder that is made and the file are closed to others."""
    history(tmp_path / "deep" / "new").store_string("secret")
    folder = tmp_path / "deep" / "new"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "history").stat().st_mode & 0o777 == 0o600


def test_processes_do_not_spoil_each_other(tmp_path: Path) -> None:
    """Shells that append at the same time lose and mix nothing."""
    context = multiprocessing.get_context("spawn")
    shells = [context.Process(target=append, args=(tmp_path, n, 200)) for n in ("a", "b", "c")]
    for shell in shells:
        shell.start()
    for shell in shells:
        shell.join()
    kept = list(history(tmp_path).load_history_strings())
    for name in ("a", "b", "c"):
        mine = [text for text in kept if text.startswith(name)]
        assert mine == [f"{name} {i}\nsecond line" for i in reversed(range(200))]


def test_spoiled_record_costs_no_other(tmp_path: Path) -> None:
    """A record that is no JSON, or was cut, is skipped alone."""
    history(tmp_path).store_string("before")
    with (tmp_path / "history").open("ab") as file:
        file.write(b'\n"cut \xff\n{"an": "object"}\n[]\n["a", 1]\nnull')
    history(tmp_path).store_string("after")
    assert list(history(tmp_path).load_history_strings()) == ["after", "before"]


def test_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    """Where nothing can be kept, the user is told once, with the way out, and goes on."""
    (tmp_path / "file").write_text("no folder")
    said: list[str] = []
    mine = history(tmp_path / "file", said)
    assert list(mine.load_history_strings()) == []
    mine.append_string("one")
    mine.append_string("two")
    assert len(said) == 1
    assert "AGENT_SHELL_DATA_DIR" in said[0]
    assert mine.get_strings() == ["one", "two"]


def test_what_is_read_is_bounded(tmp_path: Path) -> None:
    """A history of many years is read from its end only."""
    lines = "".join(f'\n"input {i}"' for i in range(200_000))
    (tmp_path / "history").write_text(lines)
    kept = list(history(tmp_path).load_history_strings())
    assert kept[0] == "input 199999"
    assert len(kept) == 1000


def test_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AGENT_SHELL_DATA_DIR` stands before the platform's folder."""
    monkeypatch.setenv("AGENT_SHELL_DATA_DIR", str(tmp_path))
    assert data_dir() == tmp_path
    monkeypatch.delenv("AGENT_SHELL_DATA_DIR")
    assert data_dir().name == "agent-shell"
