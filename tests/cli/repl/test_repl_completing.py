# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""Completing commands, what they take, and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prompt_toolkit.document import Document

from agent_shell_cli.config import Places
from agent_shell_cli.repl.completing import Wanted, What, wanted
from agent_shell_cli.repl.mentions import mention, mentioned
from support_repl import ENTER, Program, Stage, options, stage

TAB, ESC = "\t", "\x1b"


@pytest.mark.parametrize(
    ("typed", "what", "of_it"),
    [
        ("/", What.COMMAND, "/"),
        ("/mo", What.COMMAND, "/mo"),
        ("/model ", What.MODEL, ""),
        ("/model open", What.MODEL, "open"),
        ("/edit 1", What.WAITING, "1"),
        ("/DROP ", What.WAITING, ""),
        ("/copy ", What.ANSWER, ""),
        ("/fork a", What.SESSION, "a"),
        ("/sessions ", What.SESSION, ""),
        ("/export x", What.TARGET, "x"),
        ("see @", What.FILE, ""),
        ("see @core/pa", What.FILE, "core/pa"),
        ('(@"my no', What.FILE, '"my no'),
        ("/edit 3 see @x", What.FILE, "x"),
        ("one\n@x", What.FILE, "x"),
    ],
)
def test_what_is_typed(typed: str, what: What, of_it: str) -> None:
    """The kind of an argument is that of the table of commands; a file may stand anywhere."""
    assert wanted(Document(typed)) == Wanted(what, of_it)


@pytest.mark.parametrize(
    "typed",
    ["", "text", "/edit 3 x", "/btw x", "/queue x", "/nope x", "a@b", "@x y", "/a\nb"],
)
def test_where_nothing_is_completed(typed: str) -> None:
    """Texts are the user's own, and an address of mail is no file."""
    assert wanted(Document(typed)) is None


def test_only_what_stands_before_the_cursor_counts() -> None:
    """Behind it may stand anything."""
    assert wanted(Document("see @co and more", 7)) == Wanted(What.FILE, "co")


def test_mentions_are_found() -> None:
    """Quotes keep blanks together; each path is named once."""
    text = 'see @a.py, (@b/c) @"my notes.md" x@y.z @a.py,\n@d'
    assert mentioned(text) == ["a.py,", "b/c)", "my notes.md", "d"]
    assert (mention("a b"), mention("a")) == ('"a b"', "a")


async def queue(shell: Stage) -> None:
    shell.type(*(f"{text}{ENTER}" for text in ("one", "second", "third")))
    await shell.until(lambda: shell.agent.turns == ["one"])
    await shell.until("  2  second\n  3  third\n❯")


async def test_commands_and_what_waits_are_completed(tmp_path: Path) -> None:
    """Numbers are shown with their texts; a single one is put in."""
    async with stage(tmp_path) as shell:
        await queue(shell)
        shell.type("/dro", TAB)
        await shell.until("❯ /drop")
        shell.type(" ", TAB)
        await shell.until("❯ /drop\n         2      second\n         3      third")
        shell.type(TAB, TAB)
        await shell.until("❯ /drop 3")
        shell.type(ENTER, ENTER)
        await shell.until("  2  second\n❯")


async def test_models_and_sessions_are_completed(tmp_path: Path) -> None:
    """Models by their names, sessions by any part of their keys."""
    chosen = options(journal=tmp_path / "journal.sqlite")
    async with stage(tmp_path, chosen) as shell:
        shell.type("hello", ENTER)
        await shell.until(lambda: shell.agent.turns == ["hello"])
        shell.agent.end("hi")
        await shell.until("hi\n❯")
        shell.type("/model ech", TAB)
        await shell.until("❯ /model echo")
        shell.type("\x15/sessions faul", TAB)
        await shell.until("❯ /sessions default")
        shell.type(ENTER, ENTER)
        await shell.until("default: hello", "> hello\nhi\n")


async def test_commands_of_the_users_own_are_completed(tmp_path: Path) -> None:
    """With what they do and whose they are."""
    folder = tmp_path / "user" / "commands"
    folder.mkdir(parents=True)
    (folder / "review.md").write_text("Review it")
    async with stage(tmp_path, replace(options(), places=Places(tmp_path / "user", None))) as shell:
        shell.type("/re", TAB)
        await shell.until("/review", "Review it (yours)", "/resume")


async def test_a_file_is_completed_while_it_is_typed(tmp_path: Path, monkeypatch) -> None:
    """No key asks for it; Enter takes the one that Tab has chosen, and does not send."""
    (tmp_path / "core").mkdir()
    for name in ("core/panel.py", "core/my notes.md"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    async with stage(tmp_path) as shell:
        shell.type("see @pa")
        await shell.until("❯ see @pa", "core/panel.py")
        shell.type(TAB, ENTER)
        await shell.until(lambda: shell.screen.text.endswith("❯ see @core/panel.py"))
        shell.type(" and @not")
        await shell.until("core/my notes.md")
        shell.type(TAB, ENTER)
        await shell.until('❯ see @core/panel.py and @"core/my notes.md"')
        assert shell.agent.turns == []
        shell.type(ENTER)
        await shell.until(lambda: len(shell.agent.turns) == 1)


async def test_esc_closes_the_menu_and_stops_nothing(tmp_path: Path, monkeypatch) -> None:
    """Only the next one is about the turn."""
    (tmp_path / "panel.py").write_text("")
    monkeypatch.chdir(tmp_path)
    async with stage(tmp_path) as shell:
        await queue(shell)
        shell.type("@pa")
        await shell.until("panel.py")
        shell.type(ESC)
        await shell.until(lambda: "panel.py" not in shell.screen.text)
        assert "interrupted" not in shell.screen.text
        shell.type(ESC)
        await shell.until("✗ interrupted")


def test_without_a_menu_the_options_are_said(tmp_path: Path) -> None:
    """Where nothing can be moved, Tab says them in lines, and puts in the only one."""
    with Program("--model", "echo", "--plain", data=tmp_path) as program:
        program.until("❯")
        program.type("/re\t")
        program.until("/resume  go on with what waits", "/retry  run the turn again")
        program.type("t\t")
        program.until(lambda: program.screen.text.endswith("❯ /retry"))
        program.type("\x15/expo\t")
        program.until(lambda: program.screen.text.endswith("❯ /export"))
        program.type("\x15\x04")
        assert program.end() == 0


def test_the_program_completes_files(tmp_path: Path) -> None:
    """On a real terminal, out of the folder that it runs in."""
    with Program("--model", "echo", data=tmp_path) as program:
        program.until("❯")
        program.type("@test_repl_completing")
        program.until("tests/cli/repl/test_repl_completing.py")
        program.type("\t\r")
        program.until(
            lambda: program.screen.text.endswith("❯ @tests/cli/repl/test_repl_completing.py")
        )
        program.type("\x03\x04")
        assert program.end() == 0
