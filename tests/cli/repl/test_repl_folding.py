# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""Long pastes as folds in the draft."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.layout.controls import BufferControl
from prompt_toolkit.layout.processors import TransformationInput

from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.keys import Draft
from support_repl import CTRL_C, ENTER, UP, Program, stage

ALT_UP, BACKSPACE, LEFT, HOME = "\x1b[1;3A", "\x7f", "\x1b[D", "\x01"
LONG = "\n".join(f"line {n}" for n in range(120))
SIGN = "[pasted 120 lines #1]"


def paste(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


def test_only_a_long_paste_is_folded() -> None:
    """By its lines or by its characters; what ends a line is made one newline."""
    folds = Folds(3, 10)
    for text in ("a\nb\nc", "a\nb\nc\n", "0123456789"):
        assert folds.pasted(text) == text
    assert folds.pasted("a\r\nb\rc") == "a\nb\nc"
    many, long = folds.pasted("a\rb\rc\rd"), folds.pasted("0123456789x")
    assert folds.shown(f"<{many}{long}>") == "<[pasted 4 lines #1][pasted 11 characters #2]>"
    assert folds.expanded(f"<{many}{long}>") == "<a\nb\nc\nd0123456789x>"


def test_nought_never_folds() -> None:
    """Who wants to see all of it can."""
    assert Folds(0, 0).pasted(LONG) == LONG


def test_a_text_is_folded_again() -> None:
    """Where what was pasted is still in it as it was."""
    folds = Folds(3, 0)
    mark = folds.pasted("a\nb\nc\nd")
    assert folds.refolded("see a\nb\nc\nd and a\nb\nX") == f"see {mark} and a\nb\nX"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=5))
def test_what_is_sent_is_what_was_pasted(pastes: list[str]) -> None:
    """Whatever is pasted, and however much of it is folded."""
    folds = Folds(2, 10)
    draft = "-".join(map(folds.pasted, pastes))
    whole = "-".join(text.replace("\r\n", "\n").replace("\r", "\n") for text in pastes)
    assert folds.expanded(draft) == whole
    assert folds.expanded(folds.refolded(whole)) == whole


def test_places_before_and_behind_a_fold() -> None:
    """The cursor stands where it seems to: a fold is one place wide in the draft."""
    folds = Folds(3, 0)
    text = f"ab{folds.pasted(LONG)}cd"
    control = BufferControl(Buffer())
    drawn = Draft(folds).apply_transformation(
        TransformationInput(control, Document(text), 0, lambda i: i, [("", text)], 80, 24)
    )
    assert "".join(part[1] for part in drawn.fragments) == f"ab{SIGN}cd"
    to_screen = [drawn.source_to_display(place) for place in range(len(text) + 1)]
    assert to_screen == [0, 1, 2, 2 + len(SIGN), 3 + len(SIGN), 4 + len(SIGN)]
    assert [drawn.display_to_source(place) for place in to_screen] == list(range(len(text) + 1))


async def test_a_fold_is_sent_whole(tmp_path: Path) -> None:
    """Editing around it leaves it whole; so does the history, which has the text."""
    async with stage(tmp_path) as shell:
        shell.type("see ", paste(LONG), "!", LEFT, LEFT, "this: ")
        await shell.until(f"❯ see this: {SIGN}!")
        shell.type(ENTER)
        await shell.until(lambda: shell.agent.turns == [f"see this: {LONG}!"])
        shell.agent.end()
        for recall in (UP, f"\x12line 77{ENTER}"):  # Up, and Ctrl+R for what is in the fold
            shell.type(recall)
            await shell.until(f"❯ see this: {SIGN}!")
            shell.type(CTRL_C)
            await shell.until(lambda: SIGN not in shell.screen.text)
        shell.type(UP, ENTER)
        await shell.until(lambda: shell.agent.turns == [f"see this: {LONG}!"] * 2)


async def test_a_recalled_paste_attaches_no_file(tmp_path: Path) -> None:
    """What was pasted may come from anybody, also into an earlier shell."""
    (tmp_path / "secret").write_text("secret")
    pasted = f"{LONG}\n@{tmp_path}/secret"
    async with stage(tmp_path) as shell:
        shell.type(paste(pasted), ENTER)
        await shell.until(lambda: shell.agent.turns == [pasted])
        shell.agent.end()
    async with stage(tmp_path) as shell:
        shell.type(UP)
        await shell.until("❯ [pasted 121 lines #1]")
        shell.type(ENTER)
        await shell.until(lambda: shell.agent.turns == [pasted])


async def test_a_fold_is_deleted_whole(tmp_path: Path) -> None:
    """One Backspace removes it; a small paste keeps its lines as they are."""
    async with stage(tmp_path) as shell:
        shell.type("a", paste(LONG), "b")
        await shell.until(f"❯ a{SIGN}b")
        shell.type(LEFT, BACKSPACE, paste("\nsmall\n"))
        await shell.until("❯ a\n  small\n  b")
        shell.type(ENTER)
        await shell.until(lambda: shell.agent.turns == ["a\nsmall\nb"])


async def test_a_waiting_input_is_folded_while_it_is_edited(tmp_path: Path) -> None:
    """What was pasted into it is a fold again, and is saved whole."""
    async with stage(tmp_path) as shell:
        shell.type("one", ENTER)
        await shell.until(lambda: shell.agent.turns == ["one"])
        shell.type("two ", paste(LONG), ENTER)
        await shell.until("2  two line 0")
        shell.type(ALT_UP)
        await shell.until("❯ 2  two")
        shell.type(ENTER)
        await shell.until(f"2 ❯ two {SIGN}")
        shell.type(HOME, "and ", ENTER)
        await shell.until("2  and two line 0")
        shell.agent.end("done")
        await shell.until(lambda: shell.agent.turns[1:] == [f"and two {LONG}"])


async def test_what_was_not_accepted_is_folded_again(tmp_path: Path) -> None:
    """The draft comes back as it was."""
    async with stage(tmp_path) as shell:
        shell.type(paste(LONG), "\udcff", ENTER)
        await shell.until("not accepted: the text is not Unicode", f"❯ {SIGN}")
        assert shell.agent.turns == []


def test_an_editor_has_the_whole_text(tmp_path: Path) -> None:
    """And what it left as it was is folded again."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ngrep -c "^line" "$1" >> "$1"\n')
    editor.chmod(0o700)
    with Program("--model", "echo", data=tmp_path, EDITOR=str(editor), VISUAL="") as program:
        program.until("❯")
        program.type(paste(LONG + "\n"))
        program.until("❯ [pasted 120 lines #1]")
        program.type("\x18\x05")
        program.until("❯ [pasted 120 lines #1]120")
        program.type(CTRL_C + "\x04")
        assert program.end() == 0
