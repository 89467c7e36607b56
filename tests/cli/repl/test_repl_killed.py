# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""However the program ends, the journal tells the same truth, and another goes on with it."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import pytest

from agent_shell_cli.exits import Exit
from support_repl import CTRL_C, CTRL_D, ENTER, Program

LONG = " ".join(f"w{i:03d}" for i in range(200))


def chat(data: Path, *arguments: str, model: str = "echo:20") -> Program:
    return Program("--model", model, "-s", "work", *arguments, data=data)


def queued(data: Path) -> list[str]:
    """What waits in the journal, in order."""
    with sqlite3.connect(data / "sessions.sqlite") as connection:
        rows = connection.execute(
            "SELECT text FROM follow_ups WHERE state = 'queued' ORDER BY rank"
        ).fetchall()
    connection.close()
    return [text for (text,) in rows]


def busy(program: Program) -> None:
    """A turn runs, and two inputs wait."""
    program.until("❯")
    program.type(LONG + ENTER + "second" + ENTER + "third" + ENTER)
    program.until("❯ 1  w000", "w003", "\n  2  second\n  3  third")


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGHUP"])
def test_queue_survives_every_end(tmp_path: Path, how: str) -> None:
    """Ctrl-C until it leaves, SIGTERM and SIGHUP each leave the queue in the journal."""
    with chat(tmp_path) as program:
        busy(program)
        if how == "Ctrl-C":
            program.type(CTRL_C)
            program.until("✗ interrupted")
            program.type(CTRL_C + CTRL_C)
        else:
            program.child.kill(signal.Signals[how])
        assert program.end() == (Exit.INCOMPLETE if how == "Ctrl-C" else Exit.TERMINATED)
        assert "2 follow-ups are kept in session work; agent-shell chat -s work" in (
            program.screen.text
        )
    assert queued(tmp_path) == ["second", "third"]


def test_kill_is_survived(tmp_path: Path) -> None:
    """After SIGKILL the next shell shows the turn that was cut off, and runs all of the rest."""
    with chat(tmp_path) as program:
        busy(program)
        program.until("w015")
        program.child.kill(signal.SIGKILL)
        program.child.wait()
    with chat(tmp_path, model="echo") as program:
        program.until("w000", "✗ interrupted: the turn was cut off", "2 follow-ups from before")
        program.until("‖ held: a turn was cut off · 3 follow-ups")
        program.type("/skip" + ENTER)
        program.until("✗ skipped", "‖ held: the queue was restored · 2 follow-ups")
        program.type("/resume" + ENTER)
        program.until("❯ 2  second\nsecond\n\n❯ 3  third\nthird\n❯")
        program.type(CTRL_D)
        assert program.end() == Exit.INCOMPLETE
    assert queued(tmp_path) == []


def test_attached_shell_takes_over_from_the_dead(tmp_path: Path) -> None:
    """When the owner is killed, the attached shell says so and goes on with the queue."""
    with chat(tmp_path) as owner:
        busy(owner)
        with chat(tmp_path) as other:
            other.until("is owned by process", "[Y/n]")
            other.type(ENTER)
            other.until("attached to process")
            other.type("mine" + ENTER)
            other.until("accepted as follow-up", "position 3")
            owner.child.kill(signal.SIGKILL)
            owner.child.wait()
            other.until(f"process {owner.child.pid} no longer has the session: this shell does")
            other.until("✗ interrupted: the turn was cut off", "‖ held: a turn was cut off")
            other.type("/skip" + ENTER)
            other.until("✗ skipped")
            other.type(ENTER)
            other.until("second\nsecond", "third\nthird", "❯ 1  mine\nmine\n❯")
            other.type(CTRL_D)
            other.end()
    assert queued(tmp_path) == []


def test_stopped_owner_gives_way(tmp_path: Path) -> None:
    """A process that was stopped and comes back finds the session taken, says so and leaves."""
    with chat(tmp_path) as owner:
        busy(owner)
        owner.child.kill(signal.SIGSTOP)
        with chat(tmp_path) as other:
            other.until("[Y/n]")
            other.type(ENTER)
            other.until("no longer has the session: this shell does")
            owner.child.kill(signal.SIGCONT)
            assert owner.end() == Exit.REFUSED
            assert "was taken over by another process" in owner.screen.text
            other.type("/clear" + ENTER)
            other.until("3 follow-ups withdrawn")


def test_terminated_while_asking(tmp_path: Path) -> None:
    """SIGTERM at the question whether to attach ends the program in order."""
    with chat(tmp_path) as owner:
        owner.until("❯")
        with chat(tmp_path) as other:
            other.until("[Y/n]")
            other.child.kill(signal.SIGTERM)
            assert other.end() == Exit.TERMINATED


DEAF = """
import sys
from pathlib import Path
from agent_shell import EchoAgent, Misbehaviour
from agent_shell_cli.models import Model
from agent_shell_cli.repl import run
from support_repl import options

deaf = EchoAgent(20, lambda turn: Misbehaviour(clean_up_s=3600, ignore_cancel=True))
sys.exit(run(options(journal=Path(sys.argv[-1])), Model(deaf, "deaf", "")))
"""


def test_deaf_agent_does_not_keep_the_program(tmp_path: Path) -> None:
    """SIGTERM ends the program also where the agent ignores that it is cancelled."""
    path = tmp_path / "sessions.sqlite"
    with Program(data=tmp_path, script=DEAF.replace("sys.argv[-1]", repr(str(path)))) as program:
        busy(program)
        program.child.kill(signal.SIGTERM)
        assert program.end() == Exit.TERMINATED
        assert "2 follow-ups are kept in session default" in program.screen.text
    assert queued(tmp_path) == ["second", "third"]
