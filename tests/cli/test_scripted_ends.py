"""How scripted mode ends early: failures, holds and signals, and what it says of the rest."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_shell import EchoAgent, Engine, FollowUp, Lane
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell_cli.exits import Exit
from agent_shell_cli.models import Model
from agent_shell_cli.options import ChatOptions, InputForm, OutputForm
from agent_shell_cli.scripted.conversation import Conversation
from support_scripted import start, start_with_agent, with_agent
from support_sessions import fill


def test_after_a_failure_it_goes_on() -> None:
    """A failed turn is reported, the others are answered, and the exit code is 1."""
    ended = with_agent("bad-fails", input=b"a\nbad\nc\n")
    # What the failed turn had produced stands as its part of an answer.
    assert (ended.code, ended.lines) == (1, ["a", "bad", "c"])
    assert "agent-shell: turn 2 (" in ended.err
    assert "failed: it would not" in ended.err


@pytest.mark.parametrize("on_failure", ["hold", "stop"])
def test_a_failure_can_end_the_run(on_failure: str) -> None:
    """With hold or stop, the turns behind a failure do not run, and what is left is said."""
    ended = with_agent("bad-fails", on_failure, input=b"a\nbad\nc\nd\n")
    assert (ended.code, ended.lines) == (1, ["a", "bad"])
    assert "2 follow-ups are left in the queue" in ended.err
    assert "'c'" in ended.err


def test_an_unreachable_model_ends_the_run() -> None:
    """Where the model can't be used nothing is consumed, and the exit code is 4."""
    ended = with_agent("unreachable", input=b"a\ngone\nc\n")
    assert (ended.code, ended.lines) == (4, ["a"])
    assert "the model can't be used: nobody answers the phone" in ended.err
    assert "2 follow-ups are left in the queue" in ended.err


def test_a_rate_limit_is_waited_for() -> None:
    """A rate limit is said and waited for; every follow-up is answered."""
    ended = with_agent("limited", input=b"a\nb\n")
    assert (ended.code, ended.lines) == (0, ["a", "b"])
    assert "too fast; going on in 0 s" in ended.err


def test_what_an_agent_says_is_made_visible() -> None:
    """A notice of the agent's goes to standard error, without its control characters."""
    assert "all␛[2J is well" in with_agent("limited", input=b"a\n").err


def _answering(shell: subprocess.Popen[bytes], input: bytes, until: bytes) -> bytes:
    """Gives `input`, leaves it open, and reads until the answers hold `until`."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(input)
    shell.stdin.flush()
    out = b""
    while until not in out:
        out += os.read(shell.stdout.fileno(), 65_536)
    return out


def test_ctrl_c_keeps_what_was_said_and_says_what_is_left() -> None:
    """An interrupt ends the turn: its part stands, the rest is named, the exit code is 130."""
    shell = start("chat", "-m", "echo:20")
    out = _answering(shell, b"one " * 1000 + b"\nsecond\n", b"one one")
    shell.send_signal(signal.SIGINT)
    rest, err = shell.communicate()
    assert shell.returncode == 130
    assert (out + rest).startswith(b"one one")
    assert rest.endswith(b"\n")
    assert b"was cancelled by SIGINT" in err
    assert b"1 follow-up is left in the queue" in err
    assert b"'second'" in err


def test_ctrl_c_ends_it_while_it_waits_for_input() -> None:
    """An interrupt ends the program also where nothing runs and the input is open."""
    shell = start("chat", "-m", "echo")
    _answering(shell, b"a\n", b"a\n")
    shell.send_signal(signal.SIGINT)
    # Its input stays open until it has ended.
    assert shell.wait() == 130
    out, err = shell.communicate()
    assert (out, err.splitlines()[-1]) == (b"", b"agent-shell: the input was taken up to line 1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_does_not_wait_for_an_agent_that_ignores_it(number: signal.Signals) -> None:
    """SIGTERM and SIGHUP end the program with 143 also where the turn does not end."""
    shell = start_with_agent("stubborn")
    _answering(shell, b"a\nb\n", b"a")
    shell.send_signal(number)
    _, err = shell.communicate()
    assert shell.returncode == 143
    assert b"1 follow-up is left in the queue" in err


def test_a_second_ctrl_c_ends_it_at_once() -> None:
    """Whatever the first interrupt still waits for, the second ends the program."""
    shell = start_with_agent("stubborn")
    _answering(shell, b"a\n", b"a")
    shell.send_signal(signal.SIGINT)
    assert shell.stderr is not None
    assert shell.stderr.readline() == b"agent-shell: interrupted\n"
    shell.send_signal(signal.SIGINT)
    shell.communicate()
    assert shell.returncode == 130


def test_a_reader_who_stopped_reading_does_not_stop_a_termination() -> None:
    """SIGTERM ends the program also while its output waits for a reader."""
    shell = start("chat", "-m", "echo")
    _answering(shell, b"a\n", b"a\n")  # from here on it knows what a signal means
    assert shell.stdin is not None
    os.set_blocking(shell.stdin.fileno(), False)
    line = b"x" * 1000 + b"\n"
    # Until the whole chain is full: output pipe, program, input pipe.
    while select.select([], [shell.stdin], [], 1.0)[1]:
        os.write(shell.stdin.fileno(), line)
    shell.terminate()
    code = shell.wait()
    shell.communicate()
    assert code == 143


class NeverFetched(SqliteJournal):
    """A journal that has not come to it yet to say what waits behind what is in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, window=2)
        self.asked = asyncio.Event()

    def fetch(
        self, session_key: str, after: str | None, limit: int
    ) -> asyncio.Future[list[FollowUp]]:
        self.asked.set()
        return asyncio.get_running_loop().create_future()


async def test_a_signal_ends_it_while_it_learns_what_is_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt before the input is read leaves all that waits from before, and says so."""
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)  # for the tests' own task is still there
    path = tmp_path / "sessions.sqlite"
    await fill(path, "k", ["a", "b", "c", "d"], waiting=4)
    journal = NeverFetched(path)
    engine = Engine(EchoAgent(), journal=journal)
    observer = engine.observe(sys.maxsize)
    session = await engine.open("k")
    options = ChatOptions(
        prompt="hello",
        model="echo",
        session="k",
        busy=Lane.QUEUE,
        on_failure=None,
        input=InputForm.LINES,
        output=OutputForm.JSON,
        journal=str(path),
        color=None,
        debug=False,
    )
    model = Model(EchoAgent(), "echo", "")
    conversation = Conversation(options, model, False, journal, session, observer)
    async with asyncio.timeout(30):
        running = asyncio.create_task(conversation.run())
        await journal.asked.wait()
        conversation._signalled(Exit.INTERRUPTED, "SIGINT")
        await running
    assert exits == [Exit.INTERRUPTED]
    err = capfd.readouterr().err
    assert "4 follow-ups are left in the queue: k-1 'a'; k-2 'b'; and 2 more" in err


def test_an_ignored_hangup_stays_ignored() -> None:
    """Under nohup the program outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        shell = start("chat", "-m", "echo")
    finally:
        signal.signal(signal.SIGHUP, before)
    _answering(shell, b"a\n", b"a\n")
    shell.send_signal(signal.SIGHUP)
    out, _ = shell.communicate(b"b\n")
    assert (shell.returncode, out) == (0, b"b\n")
