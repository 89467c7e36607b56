# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""The program itself, on a pseudo-terminal."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from support_repl import CTRL_C, CTRL_D, ENTER, UP, Program

WORDS = [f"w{i:03d}" for i in range(120)]


def test_no_word_is_lost_while_keys_are_typed(tmp_path: Path) -> None:
    """Every word of a streaming answer is there, in order, whatever was typed meanwhile."""
    with Program("--model", "echo:100", data=tmp_path) as program:
        program.until("❯")
        program.type(" ".join(WORDS) + ENTER)
        program.until("❯ 1  w000")
        for i in range(60):
            program.type("k")
            program.until(f"❯ {'k' * (i + 1)}")
        program.until("w119\n❯ " + "k" * 60)
        answer = program.screen.text.partition("…\n")[2].partition("\n❯")[0]
        assert answer.split() == WORDS
        program.type(CTRL_C + CTRL_D)
        assert program.end() == 0


def test_waiting_lines_and_order(tmp_path: Path) -> None:
    """Inputs typed during an answer wait with their numbers and run in order."""
    with Program("--model", "echo:20", data=tmp_path) as program:
        program.until("❯")
        program.type("one two three four five six seven eight" + ENTER)
        program.until("❯ 1  one")
        program.type("second" + ENTER + "third" + ENTER)
        program.until("\n  2  second\n  3  third\n❯")
        program.until("❯ 2  second\nsecond\n\n❯ 3  third\nthird\n❯")
        program.type(CTRL_D)
        assert program.end() == 0


def test_ctrl_c_and_ctrl_d(tmp_path: Path) -> None:
    """Interrupt, resume, leave after the queue: the exit code tells of the interrupt."""
    with Program("--model", "echo:5", data=tmp_path) as program:
        program.until("❯")
        program.type(" ".join(WORDS) + ENTER + "second" + ENTER)
        program.until("❯ 1  w000", "\n  2  second")
        program.type(CTRL_C)
        program.until("✗ interrupted — 1 follow-up is held; /resume runs it")
        program.type(ENTER + CTRL_D)
        assert program.end() == 1
        assert "❯ 2  second\nsecond" in program.screen.text


def test_history_over_restarts(tmp_path: Path) -> None:
    """What was typed into one program Up brings back in the next."""
    for sent in (False, True):
        with Program("--model", "echo", data=tmp_path) as program:
            program.until("❯")
            if sent:
                program.type(UP)
                program.until("❯ remember\n  both lines")
                program.type(CTRL_C)
            else:
                program.type("\x1b[200~remember\nboth lines\x1b[201~" + ENTER)
                program.until("\nboth lines\n❯")
            program.type(CTRL_D)
            assert program.end() == 0


def test_sigterm_restores_the_terminal(tmp_path: Path) -> None:
    """A terminated shell lists what is left, turns pasting marks off and ends with 143."""
    with Program("--model", "echo:5", data=tmp_path) as program:
        program.until("❯")
        program.type(" ".join(WORDS) + ENTER + "second" + ENTER)
        program.until("❯ 1  w000", "\n  2  second")
        program.child.kill(signal.SIGTERM)
        assert program.end() == 143
        assert "  2  second\n1 follow-up is kept in session" in program.screen.text
        assert program.screen.raw.rindex("\x1b[?2004l") > program.screen.raw.rindex("\x1b[?2004h")


def test_escapes_of_an_answer_stay_text(tmp_path: Path) -> None:
    """Escape sequences in an input do nothing, in the draft, the heading or the answer."""
    with Program("--model", "echo", data=tmp_path) as program:
        program.until("❯")
        program.type("\x1b[200~a\x1b]52;c;Zm9v\x07b\x1b[201~" + ENTER)
        program.until("❯ 1  a␛]52;c;Zm9v␇b\na␛]52;c;Zm9v␇b\n❯")
        assert "\x1b]" not in program.screen.raw
        assert "\x07" not in program.screen.raw


def test_no_color(tmp_path: Path) -> None:
    """With NO_COLOR no colour is set, and no attribute but for what stands for the cursor."""
    with Program("--model", "echo", data=tmp_path, NO_COLOR="1") as program:
        program.until("❯")
        program.type("hello" + ENTER)
        program.until("❯ 1  hello\nhello\n❯")
        assert set(re.findall(r"\x1b\[([0-9;]*)m", program.screen.raw)) <= {"", "0", "7"}


def test_terminal_without_unicode(tmp_path: Path) -> None:
    """Where the encoding is not Unicode the signs are plain."""
    with Program(
        "--model", "echo", data=tmp_path, PYTHONUTF8="0", PYTHONIOENCODING="ascii"
    ) as program:
        program.until("agent-shell - echo - /help", ">")
        program.type("hello" + ENTER)
        program.until("> 1  hello\nhello\n>")
        assert program.screen.raw.isascii()


def test_dumb_terminal_works(tmp_path: Path) -> None:
    """Without a cursor to move, inputs are answered line by line and no escape is written."""
    with Program("--model", "echo:20", data=tmp_path, TERM="dumb") as program:
        program.until("❯")
        program.type("one two three four five" + ENTER + "six" + ENTER)
        program.until("waits as number 2", "❯ 1  one two", "one two three four five\n")
        program.until("❯ 2  six\n", "\nsix\n")
        program.type(CTRL_D)
        assert program.end() == 0
        assert "\x1b" not in program.screen.raw


def test_the_draft_can_be_written_in_an_editor(tmp_path: Path) -> None:
    """Ctrl+X Ctrl+E opens it in $EDITOR, on a terminal as programs expect it, and takes it back."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nstty -a | grep -q " icanon" && printf " and more" >> "$1"\n')
    editor.chmod(0o700)
    with Program("--model", "echo", data=tmp_path, EDITOR=str(editor), VISUAL="") as program:
        program.until("❯")
        program.type("draft")
        program.until("❯ draft")
        program.type("\x18\x05")
        program.until("❯ draft and more")
        program.type(ENTER)
        program.until("\ndraft and more\n❯")
        program.type(CTRL_D)
        assert program.end() == 0


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("printf 'caf\\351' > \"$1\"", "❯ café"),
        ("exit 3", "the editor ended with status 3: the input is as it was\n❯ draft"),
        ('rm "$1"', "the editor left no file: No such file or directory\n❯ draft"),
    ],
)
def test_whatever_an_editor_leaves_no_input_is_lost(
    tmp_path: Path, script: str, shown: str
) -> None:
    """What it wrote in another encoding is taken; where it failed, the draft is as it was."""
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o700)
    with Program("--model", "echo", data=tmp_path, EDITOR=str(editor), VISUAL="") as program:
        program.until("❯")
        program.type("draft")
        program.until("❯ draft")
        program.type("\x18\x05")
        program.until(shown)
        program.type(CTRL_C + CTRL_D)
        assert program.end() == 0


def test_an_editor_that_is_not_there_is_said(tmp_path: Path) -> None:
    """No other one takes its place unasked."""
    with Program("--model", "echo", data=tmp_path, EDITOR="no-editor", VISUAL="") as program:
        program.until("❯")
        program.type("draft\x18\x05")
        program.until("the editor 'no-editor' can't be started: ", "❯ draft")
        program.type(CTRL_C + CTRL_D)
        assert program.end() == 0


def test_a_ctrl_c_in_the_editor_is_not_the_shells(tmp_path: Path) -> None:
    """It reaches every process of the terminal: the draft stays, and the turn goes on."""
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/bin/sh\ntrap 'printf +' INT\necho opened\nuntil read line; do :; done\nexit 1\n"
    )
    editor.chmod(0o700)
    with Program("--model", "echo:5", data=tmp_path, EDITOR=str(editor), VISUAL="") as program:
        program.until("❯")
        program.type(f"{'word ' * 100}{ENTER}draft\x18\x05")
        program.until("opened")
        program.type(CTRL_C)
        program.until("+")
        program.type(ENTER)
        program.until("the editor ended with status 1", "\n❯ draft")
        program.until("▸ 1 · ")
        assert "interrupted" not in program.screen.text
        program.type(CTRL_C + CTRL_C + CTRL_D)
        assert program.end() == 1


def test_the_second_key_of_a_chord_may_take_its_time(tmp_path: Path) -> None:
    """Who presses Ctrl+X and then, after words have come, Ctrl+E, is in the editor all the same."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf " and more" >> "$1"\n')
    editor.chmod(0o700)
    with Program("--model", "echo:10", data=tmp_path, EDITOR=str(editor), VISUAL="") as program:
        program.until("❯")
        program.type("one two three four five" + ENTER + "draft\x18")
        program.until("\none two three four five\n❯ draft")
        program.type("\x05")
        program.until("❯ draft and more")


def test_ctrl_z_suspends_the_shell(tmp_path: Path) -> None:
    """It stops as any program does, and goes on where it was, with its draft."""
    job = f"{sys.executable} -m agent_shell_cli chat -m echo"
    with Program(
        data=tmp_path, command=["bash", "-c", f"set -m; {job}; echo stopped; fg"]
    ) as shell:
        shell.until("❯")
        shell.type("draft")
        shell.until("❯ draft")
        shell.type("\x1a")
        shell.until("stopped", lambda: shell.screen.text.endswith("❯ draft"))
        shell.type("!")
        shell.until("❯ draft!")
        shell.type(CTRL_C + CTRL_D)
        assert shell.end() == 0


def test_raw_answer_copies_as_it_was_written(tmp_path: Path) -> None:
    """With `/raw` a paragraph is one line to the terminal: no newline in it, nothing behind it."""
    paragraph = "A **paragraph** with   blanks, " + "words that go on and on, " * 9 + "to here."
    with Program("--model", "echo", data=tmp_path) as program:
        program.until("❯")
        program.type("/raw" + ENTER)
        program.until("as they are written")
        program.type(paragraph + ENTER)
        program.until("to here.\n❯")
        program.type(CTRL_D)
        assert program.end() == 0
        assert f"{paragraph}\x1b[0m\r\r\n" in program.screen.raw or (
            f"{paragraph}\r\r\n" in program.screen.raw
        )
