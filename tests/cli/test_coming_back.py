"""Coming back to a session: what was accepted is there, whatever ended the program."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_shell import EchoAgent, Engine, FollowUp, Lane, MemoryJournal
from agent_shell.errors import SessionOwned
from agent_shell.journal import Restored
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell.journal.sqlite.reading import Summary
from agent_shell_cli.exits import UsageError
from agent_shell_cli.resuming import choose
from agent_shell_cli.scripted.opening import opened
from support_scripted import chat, environment, program, run_program, start


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "sessions.sqlite")


def show(journal: str, key: str) -> dict[str, Any]:
    """The session as `sessions show --json` has it."""
    ended = run_program("sessions", "show", key, "--json", "--journal", journal)
    assert (ended.code, ended.err) == (0, "")
    document: dict[str, Any] = json.loads(ended.out)
    return document


def states(journal: str, key: str) -> list[tuple[str, str, str]]:
    return [(f["text"], f["state"], f["reason"]) for f in show(journal, key)["follow_ups"]]


def keys(journal: str) -> list[str]:
    listed = run_program("sessions", "list", "--json", "--journal", journal)
    return [session["session"] for session in json.loads(listed.out)]


async def left_waiting(journal: str, *texts: str) -> None:
    """Leaves `texts` in the queue of session `k`."""
    kept = SqliteJournal(journal)
    session = await Engine(EchoAgent(), journal=kept).open("k")
    session.put_on_hold()
    for text in texts:
        await session.submit(text)
    await session.close(drain=False)
    await kept.close()


def in_a_turn(journal: str) -> subprocess.Popen[bytes]:
    """The program in the middle of a turn, with one follow-up behind it."""
    shell = start("chat", "-m", "echo:50", "-s", "k", "--journal", journal)
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(b"one " * 1000 + b"\nsecond\n")
    shell.stdin.flush()
    assert os.read(shell.stdout.fileno(), 100).startswith(b"one")
    while "second" not in [text for text, _, _ in states(journal, "k")]:
        pass
    return shell


def cut_off(journal: str) -> None:
    """Kills the program in the middle of a turn, with one follow-up behind it."""
    shell = in_a_turn(journal)
    shell.kill()
    shell.communicate()


def test_without_a_name_a_session_is_new(journal: str) -> None:
    """Each run without -s has a session of its own, with a key that says the day."""
    for _ in range(2):
        assert chat("hello", "--journal", journal).code == 0
    first, second = keys(journal)
    assert first != second
    assert [len(key) for key in (first, second)] == [len("20261122-1f3a")] * 2


def test_a_named_session_goes_on(journal: str) -> None:
    """With -s the session is made, and the next time it is the same one."""
    for text in ("a", "b"):
        assert chat(text, "-s", "k", "--journal", journal).lines == [text]
    assert states(journal, "k") == [("a", "answered", ""), ("b", "answered", "")]


def test_continue_is_the_last_session_of_the_folder(journal: str, tmp_path: Path) -> None:
    """-c takes the session last used of those that were begun in this folder."""

    def run(folder: Path, *arguments: str) -> int:
        folder.mkdir(exist_ok=True)
        command = program("chat", "-m", "echo", "--journal", journal, *arguments)
        return subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**environment(), "PYTHONPATH": os.pathsep.join(_absolute_paths())},
        ).returncode

    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    assert run(here, "-s", "old", "1") == run(here, "-s", "mine", "2") == 0
    assert run(elsewhere, "-s", "theirs", "3") == 0
    assert run(here, "-c", "4") == 0
    assert [text for text, _, _ in states(journal, "mine")] == ["2", "4"]


def _absolute_paths() -> list[str]:
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [str(Path(path).absolute()) for path in paths if path]


def test_continue_without_a_session_is_a_usage_error(journal: str) -> None:
    """Where no session was begun in the folder, -c says so and begins none."""
    ended = chat("-c", "hello", "--journal", journal)
    assert (ended.code, ended.out) == (2, b"")
    assert "so there is none to continue" in ended.err
    assert not Path(journal).exists()


def test_a_folder_that_was_removed_is_no_hindrance(journal: str, tmp_path: Path) -> None:
    """Where the working directory is gone, sessions are begun, sent to and not continued."""

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        gone = tmp_path / "gone"
        gone.mkdir()
        command = shlex.join([*program(*arguments), "--journal", journal])
        return subprocess.run(
            ["bash", "-c", f"rmdir {shlex.quote(str(gone))}; exec {command}"],
            cwd=gone,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**environment(), "PYTHONPATH": os.pathsep.join(_absolute_paths())},
        )

    chatted = run("chat", "-m", "echo", "-s", "k", "hello")
    assert (chatted.returncode, chatted.stdout, chatted.stderr) == (0, b"hello\n", b"")
    assert run("send", "-s", "new", "hello").returncode == 0
    continued = run("chat", "-m", "echo", "--continue", "hello")
    assert (continued.returncode, b"there is none to continue" in continued.stderr) == (2, True)


def test_resume_takes_the_beginning_of_a_key(journal: str) -> None:
    """--resume finds a session by the beginning of its key, if that is one alone."""
    for key in ("work-1", "work-2", "play"):
        chat("a", "-s", key, "--journal", journal)
    assert chat("b", "--resume", "pl", "--journal", journal).code == 0
    assert [text for text, _, _ in states(journal, "play")] == ["a", "b"]
    ended = chat("b", "--resume", "work", "--journal", journal)
    assert (ended.code, "did you mean 'work-2', 'work-1'" in ended.err) == (2, True)


def test_resume_without_an_id_has_one_chosen_by_its_number() -> None:
    """The list is shown with numbers, nothing of it is obeyed by a terminal, others are refused."""
    sessions = [
        Summary("b", "Second \x1b[2J", "/", 0.0, 2.0, 3, 1, None, None),
        Summary("a", "First", "/", 0.0, 1.0, 1, 0, None, None),
    ]
    typed, shown = iter(["x\n", "3\n", "2\n"]), list[str]()
    assert choose(sessions, lambda: next(typed), shown.append) == "a"
    assert shown[0].startswith("  1  b  Second ␛[2J  (")
    assert shown[0].endswith(", 3 turns, 1 waiting)\n")
    assert "3 is no number of the list.\n" in shown


def test_nothing_chosen_is_no_session() -> None:
    """An empty line, or the end of the input, chooses none."""
    with pytest.raises(UsageError, match="no session was chosen"):
        choose([Summary("a", "", "/", 0.0, 1.0, 1, 0, None, None)], lambda: "", list[str]().append)


async def test_what_was_left_runs_first(journal: str) -> None:
    """A queue from before is said, and runs in its order before the new input."""
    await left_waiting(journal, "one", "two")
    ended = chat("-s", "k", "--journal", journal, input=b"three\n")
    assert (ended.code, ended.lines) == (0, ["one", "two", "three"])
    assert "2 follow-ups are in session 'k' from before; they run first" in ended.err


@pytest.mark.parametrize("input", [b"", b"two\n"])
async def test_what_was_sent_before_runs_before_the_input(journal: str, input: bytes) -> None:
    """What is left in the inbox is taken in first, and also where there is no input."""
    await left_waiting(journal)
    kept = SqliteJournal(journal)
    await kept.send("k", FollowUp("x", "one", Lane.QUEUE, "ann", 1.0))
    await kept.close()
    ended = chat("-s", "k", "--journal", journal, input=input)
    assert (ended.code, ended.lines) == (0, ["one", *input.decode().split()])


async def test_the_document_holds_what_was_left(journal: str) -> None:
    """--output json has the follow-ups from before too, each with its end."""
    await left_waiting(journal, "one")
    ended = chat("-s", "k", "--journal", journal, "--output", "json", input=b"two\n")
    follow_ups = json.loads(ended.out)["follow_ups"]
    assert [(f["text"], f["answer"]) for f in follow_ups] == [("one", "one"), ("two", "two")]


async def test_a_long_queue_from_before_makes_the_input_wait(journal: str) -> None:
    """More than may wait at once is neither refused nor out of order."""
    left = [str(number) for number in range(1500)]
    await left_waiting(journal, *left)
    ended = chat("-s", "k", "--journal", journal, input=b"last\n" * 100)
    assert (ended.code, ended.lines) == (0, left + ["last"] * 100)


def test_a_turn_that_was_cut_off_is_skipped_and_said(journal: str) -> None:
    """By default it is cancelled, which is said, and what was behind it runs."""
    cut_off(journal)
    ended = chat("-s", "k", "--journal", journal)
    assert (ended.code, ended.lines) == (1, ["second"])
    assert "was cut off; it is skipped" in ended.err
    [(_, state, reason), second] = states(journal, "k")
    assert (state, reason, second) == ("cancelled", "a crash", ("second", "answered", ""))


def test_a_turn_that_was_cut_off_can_run_again(journal: str) -> None:
    """With --interrupted retry it runs again, whole, before the others."""
    cut_off(journal)
    ended = chat("-s", "k", "--journal", journal, "--interrupted", "retry")
    assert (ended.code, ended.lines) == (0, ["one " * 1000, "second"])
    assert "was cut off; it runs again" in ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_queue_in_the_journal(journal: str, number: signal.Signals) -> None:
    """What waits when a signal ends the program is named, and runs the next time."""
    shell = start("chat", "-m", "echo:50", "-s", "k", "--journal", journal)
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(b"one " * 1000 + b"\nsecond\n")
    shell.stdin.flush()
    assert os.read(shell.stdout.fileno(), 100).startswith(b"one")
    shell.send_signal(number)
    _, err = shell.communicate()
    assert b"1 follow-up is left in the queue" in err
    assert f"to go on: agent-shell chat -s k --journal {journal}".encode() in err
    assert chat("-s", "k", "--journal", journal).lines == ["second"]


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_loses_nothing_that_was_acknowledged(journal: str, seed: int) -> None:
    """After kill -9 at any point every accepted follow-up has, in the end, exactly one receipt."""
    shell = start(
        *("chat", "-m", "echo:200", "-s", "k", "--journal", journal, "--output", "stream-json")
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write("".join(f"{number}\n" for number in range(200)).encode())
    shell.stdin.flush()
    seen = random.Random(seed).randint(1, 400)
    events = [json.loads(shell.stdout.readline()) for _ in range(seen)]
    shell.kill()
    shell.communicate()
    ended = chat("-s", "k", "--journal", journal, "--interrupted", "retry")
    assert ended.code == 0
    follow_ups = show(journal, "k")["follow_ups"]
    assert {f["state"] for f in follow_ups} == {"answered"}
    assert [f["answer"] for f in follow_ups] == [f["text"] for f in follow_ups]
    assert [f["text"] for f in follow_ups] == [str(number) for number in range(len(follow_ups))]
    acknowledged = {event["id"] for event in events if event["type"] == "follow_up.accepted"}
    assert acknowledged <= {f["id"] for f in follow_ups}
    # Only what had no receipt ran again.
    answered = [event["id"] for event in events if event["type"] == "receipt"]
    assert len(answered) + len(ended.lines) <= len(follow_ups)


def test_a_session_that_is_open_elsewhere_is_refused(journal: str) -> None:
    """The second one says who has the session and how to reach it; the first is not disturbed."""
    shell = start("chat", "-m", "echo", "-s", "k", "--journal", journal)
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(b"a\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == b"a\n"
    second = chat("-s", "k", "--journal", journal, input=b"b\n")
    sent = run_program("send", "-s", "k", "--journal", journal, "--wait", "c")
    out, _ = shell.communicate(b"d\n")
    assert (second.code, second.out) == (3, b"")
    assert f"session 'k' is owned by process {shell.pid}, since" in second.err
    assert (sent.code, sent.lines, out.splitlines()) == (0, ["c"], [b"c", b"d"])


async def test_a_session_that_another_took_over_is_said(journal: str) -> None:
    """A stopped process that comes back says what it has lost: its turn and its queue."""
    shell = in_a_turn(journal)
    shell.send_signal(signal.SIGSTOP)
    kept = SqliteJournal(journal)
    taken = None
    while taken is None:
        with contextlib.suppress(SessionOwned):
            taken = await kept.open("k")
    shell.send_signal(signal.SIGCONT)
    _, err = shell.communicate()
    await kept.close()
    assert taken.cut_off is not None
    assert shell.returncode == 3
    assert b"another process has taken this session over" in err
    assert f"turn 1 ({taken.cut_off.id}) has no receipt".encode() in err
    assert b"1 follow-up is left in the queue" in err


class Owned(MemoryJournal):
    """A journal whose session another process has, when it is asked for the first few times."""

    def __init__(self, times: int, since: float) -> None:
        super().__init__()
        self.times = times
        self._since = since

    async def open(self, session_key: str) -> Restored:
        if self.times:
            self.times -= 1
            raise SessionOwned(session_key, 1, self._since)
        return await super().open(session_key)


async def test_who_has_a_session_for_a_moment_is_waited_for() -> None:
    """`send` takes a session that nobody has open, and lets go of it at once."""
    journal = Owned(3, since=time.time())
    assert (await opened(Engine(EchoAgent(), journal=journal), "k")).key == "k"


async def test_who_has_a_session_for_long_is_not_waited_for() -> None:
    """A shell that has it will have it on."""
    journal = Owned(3, since=time.time() - 60)
    with pytest.raises(SessionOwned):
        await opened(Engine(EchoAgent(), journal=journal), "k")
    assert journal.times == 2


def test_a_journal_that_cannot_be_opened_is_named(journal: str) -> None:
    """A file that is no journal is a matter of configuration, and stays as it is."""
    damage = b"this is no database, and long enough to see" * 100
    Path(journal).write_bytes(damage)
    ended = chat("-s", "k", "--journal", journal, input=b"a\n")
    assert (ended.code, ended.out) == (2, b"")
    assert journal in ended.err
    assert Path(journal).read_bytes() == damage


def test_a_journal_that_fails_ends_the_run(journal: str) -> None:
    """Where the disk takes no more it is said once and nothing is lost.

    Of the lines that were taken each is kept or named as refused, and of those that are
    kept each has a receipt or is named as left or cut off.
    """
    command = f"ulimit -f 300; exec {shlex.join(program('chat', '-m', 'echo', '-s', 'k'))}"
    lines = "".join(f"{number}\n" for number in range(5000)).encode()
    done = subprocess.run(
        ["bash", "-c", f"{command} --journal {shlex.quote(journal)}"],
        input=lines,
        capture_output=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 3
    assert done.stderr.count(b"the session can't be kept any more") == 1
    left = re.search(rb"(\d+) follow-ups are left in the queue", done.stderr)
    assert left is not None
    kept = Counter(state for _, state, _ in states(journal, "k"))
    assert kept["queued"] == int(left[1])
    assert kept["interrupted"] == done.stderr.count(b"has no receipt")
    ended = chat("-s", "k", "--journal", journal, "--interrupted", "retry")
    assert ended.code == 0
    accepted = show(journal, "k")["follow_ups"]
    assert [f["answer"] for f in accepted] == [str(number) for number in range(len(accepted))]
    taken = re.search(rb"the input was taken up to line (\d+)", done.stderr)
    assert taken is not None
    named = re.findall(rb"(?m)^agent-shell: line (\d+): ", done.stderr)
    assert [int(line) for line in named] == list(range(len(accepted) + 1, int(taken[1]) + 1))
