"""`agent-shell send`: into a session that another process has open, or nobody."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from support_scripted import Ended, run_program, start
from support_sessions import owner


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


def send(path: Path, *arguments: str, input: bytes = b"") -> Ended:
    return run_program("send", "-s", "s", "--journal", str(path), *arguments, input=input)


def shown(path: Path) -> list[tuple[str, str, str]]:
    """Id, text and state of every follow-up."""
    out = run_program("sessions", "show", "s", "--json", "--journal", str(path)).out
    return [(f["id"], f["text"], f["state"]) for f in json.loads(out)["follow_ups"]]


class TestNobodyHasIt:
    def test_it_waits(self, path):
        """The session is made; id and position are printed, and that it waits is said."""
        ended = send(path, "--id", "x", "hello", "world")
        assert (ended.code, ended.lines) == (0, ["x position 1"])
        assert "waits until somebody does" in ended.err
        assert shown(path) == [("x", "hello world", "queued")]

    def test_the_text_may_come_from_a_pipe(self, path):
        """With - or without a TEXT; the last line end is not part of it."""
        send(path, "--id", "x", "-", input="one\ntwo ⚠️\n".encode())
        send(path, "--id", "y", input=b"three")
        assert [text for _, text, _ in shown(path)] == ["one\ntwo ⚠️", "three"]

    def test_the_same_id_and_text_is_acknowledged_again(self, path):
        """And accepted once; another text is refused with exit code 3."""
        for _ in range(2):
            assert send(path, "--id", "x", "hello").lines == ["x position 1"]
        refused = send(path, "--id", "x", "other")
        assert refused.code == 3
        assert "another text" in refused.err
        assert len(shown(path)) == 1

    @pytest.mark.parametrize(
        ("arguments", "input", "code", "said"),
        [
            (["  "], b"", 2, "empty"),
            ([], b"\n", 2, "empty"),
            ([], b"\xff", 2, "not UTF-8"),
            ([], b"x" * (2 << 20), 3, "limit"),
            (["--timeout", "1", "x"], b"", 2, "--wait"),
            (["--id", "", "x"], b"", 2, "--id"),
            (["--journal", "memory", "x"], b"", 2, "memory"),
            (["--journal", "/", "x"], b"", 2, "folder"),
        ],
    )
    def test_what_cannot_be_sent_is_refused(self, path, arguments, input, code, said):
        """With what, why and the right exit code; nothing is made."""
        ended = send(path, *arguments, input=input)
        assert ended.code == code
        assert said in ended.err
        assert "Traceback" not in ended.err
        assert not path.exists()

    def test_a_wait_in_vain_has_an_end(self, path):
        """Exit code 1, and it still waits in the session."""
        ended = send(path, "--wait", "--timeout", "0.3", "--id", "x", "hello")
        assert (ended.code, ended.out) == (1, b"")
        assert "nobody has the session open" in ended.err
        assert "no answer after 0.3 s" in ended.err
        assert shown(path) == [("x", "hello", "queued")]


class TestSomebodyHasIt:
    def test_the_owner_answers(self, path):
        """--wait prints the answer alone; id and position go to standard error."""
        with owner("echo", path):
            ended = send(path, "--wait", "--id", "x", "hello")
        assert (ended.code, ended.lines) == (0, ["hello"])
        assert "x position 0" in ended.err

    def test_json_has_the_receipt(self, path):
        """One object with the follow-up and its answer."""
        with owner("echo", path):
            said = json.loads(send(path, "--wait", "--json", "--id", "x", "hello").out)
        assert (said["session"], said["id"], said["state"]) == ("s", "x", "answered")
        assert said["answer"] == "hello"

    def test_the_position_is_that_of_the_owners_queue(self, path):
        """Behind a turn that runs."""
        with owner("endless", path):
            assert send(path, "--id", "x", "hello").lines == ["x position 1"]
            assert send(path, "--id", "y", "more").lines == ["y position 2"]
            assert send(path, "--id", "z", "--lane", "steer", "left").lines == ["z position 0"]

    def test_a_refusal_is_told(self, path):
        """A full queue: exit code 3, the reason, and nothing remains."""
        with owner("full", path):
            ended = send(path, "--id", "x", "hello")
        assert (ended.code, ended.out) == (3, b"")
        assert "limit" in ended.err
        assert "x" not in [id for id, _, _ in shown(path)]

    def test_an_owner_that_dies_loses_nothing(self, path):
        """What it had accepted waits, and the sender who waits is told."""
        with owner("endless", path) as process:
            sender = start(
                *("send", "-s", "s", "--journal", str(path), "--wait", "--id", "x", "hello")
            )
            assert sender.stderr is not None
            assert b"x position 1" in sender.stderr.readline()
            process.kill()
            assert b"nobody has the session open" in sender.stderr.readline()
            sender.send_signal(signal.SIGINT)
            sender.communicate()
        assert sender.returncode == 130
        assert ("x", "hello", "queued") in shown(path)

    def test_who_takes_over_a_dead_owners_inbox_accepts_it(self, path):
        """An owner that does not listen, and dies: the sender has it accepted itself."""
        with owner("deaf", path) as process:
            sender = start("send", "-s", "s", "--journal", str(path), "--id", "x", "hello")
            process.kill()
            out, _ = sender.communicate()
        assert (sender.returncode, out) == (0, b"x position 1\n")
        assert shown(path) == [("x", "hello", "queued")]
