# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""A tool asks: the question stands above the draft, and no key that is typed answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent_shell_cli import approvals
from agent_shell_cli.config import Settings
from agent_shell_cli.repl.questions import Questions
from support_asking import MAKE, Worker, edit
from support_repl import ALT_ENTER, CTRL_C, CTRL_D, ENTER, Stage, options, stage

ESC = "\x1b"
ALLOW, SESSION, ALWAYS, DENY = "\x18\x19", "\x18\x14", "\x18\x10", "\x18\x0e"
ASKS, READY = "? shell asks to run:\n  make test\n", "Ctrl+X Ctrl+Y yes"


@asynccontextmanager
async def working(
    tmp_path: Path,
    *,
    size: tuple[int, int] = (24, 80),
    linear: bool = False,
    settings: Settings | None = None,
) -> AsyncIterator[tuple[Stage, Worker]]:
    """A live prompt in which a turn runs, of an agent with tools."""
    questions = Questions()
    worker = Worker(questions)
    chosen = replace(options(), settings=settings or Settings(status=()))
    async with stage(
        tmp_path, chosen, worker, questions=questions, size=size, linear=linear, ready="❯"
    ) as s:
        s.type(f"go{ENTER}")
        await s.until(lambda: worker.turns == ["go"])
        yield s, worker


async def test_a_tool_asks_and_is_allowed(tmp_path: Path) -> None:
    """The exact thing stands above the draft; the use is told once when it is over."""
    async with working(tmp_path) as (shell, worker):
        shell.type("my draft")
        worker.ask(MAKE)
        await shell.until(ASKS, READY, "❯ my draft")
        running = next(line for line in shell.screen.lines if line.startswith("▸ 1 · "))
        assert running.endswith("· waiting for your answer")
        shell.type(ALLOW)
        await shell.until("✓ shell  make test\n    did make test\n", "❯ my draft")
        assert "asks" not in shell.screen.text
        worker.end()
        await shell.until(lambda: worker.answers == ["allowed"])


async def test_a_tool_is_denied(tmp_path: Path) -> None:
    """The turn goes on, and the use is marked as failed without a colour."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        shell.type(DENY)
        await shell.until("✗ shell  make test · failed\n    running make test was denied")
        worker.say("then not")
        await shell.until("then not")


@pytest.mark.parametrize(
    "typed",
    ["yes", "y", "n", "a", "always ", "1", "  ", "Y\x0aN", f"dd{ALT_ENTER}x", "\x19", "\x14\x10"],
)
async def test_what_is_typed_is_no_answer(tmp_path: Path, typed: str) -> None:
    """No letter, no blank, no new line and no editing key answers; they go into the draft."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        shell.type(typed, "|")
        await shell.until("|", ASKS, READY)
        assert worker.answers == []


async def test_a_follow_up_that_is_sent_waits_and_is_no_answer(tmp_path: Path) -> None:
    """Also `yes` with Enter is an input like any other."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        shell.type(f"yes{ENTER}", ENTER)
        await shell.until("  2  yes\n? shell asks to run", READY)
        assert worker.answers == []


@pytest.mark.parametrize("letter", ["y", "n", "a", "t", "p"])
async def test_a_letter_behind_a_lone_esc_is_no_answer(tmp_path: Path, letter: str) -> None:
    """Esc and a letter may come in one piece, as Alt with it does: it never allows."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        shell.type(ESC + letter, "|")
        await shell.until("|")
        assert "allowed" not in worker.answers


async def test_no_command_of_vi_is_an_answer(tmp_path: Path) -> None:
    """Whoever edits the draft in vi's modes edits it, however fast; a chord answers in both."""
    async with working(tmp_path, settings=Settings(status=(), keys="vi")) as (shell, worker):
        shell.type("one two")
        worker.ask(MAKE, MAKE)
        await shell.until(READY, "❯ one two")
        shell.type(f"{ESC}x0xyyp")
        await shell.until("❮ ne tw\n  ne tw")
        assert worker.answers == []
        shell.type(ALLOW)
        await shell.until("did make test", READY)
        shell.type("i", ALLOW)
        await shell.until(lambda: worker.answers == ["allowed", "allowed"])


async def test_a_question_that_has_only_come_up_takes_no_answer(tmp_path: Path) -> None:
    """A second press that was meant for the first question does not answer the next one."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE, edit(1))
        await shell.until(READY)
        shell.type(ALLOW, ALLOW, ALLOW)
        await shell.until("? write asks to change:\n  app.py\n")
        await shell.until("it has only just been asked: read it, then answer")
        assert worker.answers == ["allowed"]
        await shell.until(READY)
        shell.type(ALLOW)
        await shell.until(lambda: worker.answers == ["allowed", "allowed"])


async def test_a_key_without_a_question_does_nothing(tmp_path: Path) -> None:
    """It is said, and the draft stays to the letter."""
    async with working(tmp_path) as (shell, _):
        shell.type("my draft", ALLOW)
        await shell.until("no tool asks for anything", "❯ my draft")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("/allow", "allowed"),
        ("/allow once", "allowed"),
        ("/allow session", "allowed"),
        ("/deny", "running make test was denied"),
        ("/deny use the fast tests", "running make test was denied: use the fast tests"),
    ],
)
async def test_commands_answer_at_once(tmp_path: Path, command: str, answer: str) -> None:
    """They are never queued behind what waits, and the model is told the reason."""
    async with working(tmp_path) as (shell, worker):
        shell.type(f"next{ENTER}")
        worker.ask(MAKE)
        await shell.until(READY, "  2  next")
        shell.type(f"{command}{ENTER}")
        await shell.until(lambda: worker.answers == [answer])
        assert worker.turns == ["go"]


async def test_a_command_without_a_question_stays_in_the_draft(tmp_path: Path) -> None:
    """It can't be sent in advance for a question that nobody has seen."""
    async with working(tmp_path) as (shell, _):
        shell.type(f"/allow{ENTER}")
        await shell.until("/allow answers a tool that asks, and none does", "❯ /allow")


async def test_the_like_is_allowed_for_the_session(tmp_path: Path) -> None:
    """What it stands for is shown before, said after, and not asked again."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE, MAKE)
        await shell.until("Ctrl+X Ctrl+T for this session", "always: run make test *", READY)
        shell.type(SESSION)
        await shell.until("allowed in this session: run make test *")
        await shell.until(lambda: worker.answers == ["allowed", "allowed"])


async def test_the_like_is_always_allowed_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pattern is kept in the user's configuration folder, never in the project's."""
    monkeypatch.setenv("AGENT_SHELL_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".agent-shell").mkdir()
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        shell.type(ALWAYS)
        await shell.until("always allowed: run make test *", lambda: worker.answers == ["allowed"])
    assert approvals.load(tmp_path) == ["run make test *"]
    assert list((tmp_path / ".agent-shell").iterdir()) == []


async def test_what_can_not_be_kept_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is allowed all the same, for this session."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("AGENT_SHELL_CONFIG_DIR", str(tmp_path / "file"))
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        shell.type(ALWAYS)
        await shell.until("allowed in this session: run make test *; it can't be kept", "/file:")
        assert worker.answers == ["allowed"]


@pytest.mark.parametrize("key", [ESC, CTRL_C])
async def test_an_interrupt_takes_the_question_back(tmp_path: Path, key: str) -> None:
    """Nothing is done, the turn is over, and the next one is not asked about it."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        shell.type(key)
        await shell.until("✗ shell  make test · failed\n    cut off", "✗ interrupted")
        assert "asks" not in shell.screen.text
        assert worker.answers == ["cancelled"]
        shell.type(ALLOW)
        await shell.until("no tool asks for anything")


async def test_a_long_change_is_shown_whole_further_up(tmp_path: Path) -> None:
    """Above the draft stand its beginning and its end, and how many rows are left out."""
    async with working(tmp_path) as (shell, worker):
        worker.ask(edit(60))
        await shell.until("more rows: all of it stands above\n  +line 60\n", READY)
        lines = shell.screen.lines
        assert all(f"  +line {n}" in lines for n in range(1, 61))
        shell.type(ALLOW)
        await shell.until("✓ write  app.py\n")


@pytest.mark.parametrize("size", [(24, 40), (10, 80), (8, 30), (50, 200)])
async def test_a_question_fits_every_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    """What is asked, its first row and how to answer are seen, and so is the draft."""
    async with working(tmp_path, size=size) as (shell, worker):
        shell.type("mine")
        worker.ask(edit(30))
        await shell.until("? write asks", "  app.py", "mine")
        await shell.until(lambda: "yes" in shell.screen.text or "/allow" in shell.screen.text)


async def test_a_question_while_one_leaves_can_be_answered(tmp_path: Path) -> None:
    """Ctrl+D ends the shell when the queue is done: its last turn may ask."""
    async with working(tmp_path) as (shell, worker):
        shell.type(CTRL_D)
        worker.ask(MAKE)
        await shell.until("leaving after", READY)
        shell.type(f"/allow{ENTER}")
        await shell.until(lambda: worker.answers == ["allowed"])
        worker.end()
        assert await shell.code() == 0


@pytest.mark.parametrize(("after_s", "rings"), [(0, True), (86_400, False)])
async def test_a_question_in_a_long_turn_rings(tmp_path: Path, after_s: int, rings: bool) -> None:
    """Whoever looks away hears that the turn waits; in a short one nobody has looked away."""
    settings = Settings(status=(), notify_after_s=after_s)
    async with working(tmp_path, settings=settings) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(READY)
        assert ("\a" in shell.screen.raw) is rings


async def test_lines_alone_ask_too(tmp_path: Path) -> None:
    """Where nothing can stand, the question and how to answer it are lines."""
    async with working(tmp_path, linear=True) as (shell, worker):
        worker.ask(MAKE)
        await shell.until(
            "? shell asks to run:\n  make test\n", "answer with /allow, /allow session"
        )
        shell.type(f"/allow{ENTER}")
        await shell.until("allowed, this once", "✓ shell  make test\n    did make test")


async def test_what_a_tool_asks_can_not_move_the_cursor(tmp_path: Path) -> None:
    """Escapes, returns and what reorders a line are made visible, in the question as elsewhere."""
    nasty = "ls\x1b[2J\rrm -rf \u202e/\x07"
    async with working(tmp_path) as (shell, worker):
        worker.ask(type(MAKE)("she\x1b]0;ll", MAKE.need, nasty, (), "", note="a\x1b[31m"))
        await shell.until("ls␛[2J␍rm -rf <U+202E>/␇", "she␛]0;ll asks to run · a␛[31m", READY)
