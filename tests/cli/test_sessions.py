"""`agent-shell sessions`: what is kept, and what can be done with it."""

from __future__ import annotations

import html.parser
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from agent_shell_cli.sessions.exporting import fenced
from agent_shell_cli.sessions.output import ago
from support_scripted import Ended, program, run_program
from support_sessions import fill, owner

EVIL = "\x1b]0;title\x07<script>alert(1)</script>\n```\n# \u202eheading"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


def sessions(path: Path, *arguments: str) -> Ended:
    return run_program("sessions", *arguments, "--journal", str(path))


def on_terminal(answer: bytes, *arguments: str) -> int:
    """The exit code of the program, which asks on a terminal and is answered."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        program(*arguments), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        asked = b""
        while b"[y/N] " not in asked:
            asked += os.read(ours, 1000)
        os.write(ours, answer)
        process.communicate()
    os.close(ours)
    return process.returncode


class TestList:
    def test_without_a_journal_the_list_is_empty(self, path):
        """That is said, nothing is made, and it is no error."""
        ended = sessions(path, "list")
        assert (ended.code, ended.out) == (0, b"")
        assert "not there" in ended.err
        assert json.loads(sessions(path, "list", "--json").out) == []
        assert not path.exists()

    async def test_the_last_used_one_is_first(self, path):
        """A line a session: title, turns, what waits."""
        await fill(path, "old", ["a question\nof two lines"])
        await fill(path, "new", ["b", "c"], waiting=1)
        head, first, second = sessions(path, "list").lines
        assert head.split() == ["SESSION", "TITLE", "LAST", "USED", "TURNS", "WAITING", "OWNER"]
        assert first.split() == ["new", "b", "just", "now", "1", "1"]
        assert second.split() == ["old", "a", "question", "just", "now", "1", "0"]

    async def test_json_has_times_that_programs_read(self, path):
        """ISO 8601, and the owner as an object."""
        await fill(path, "s", ["a"])
        with owner("deaf", path) as process:
            (session,) = json.loads(sessions(path, "list", "--json").out)
            assert session["owner"] == {"pid": process.pid, "stopped": False}
            assert f"open in process {process.pid}" in sessions(path, "list").lines[1]
        assert session["used_at"].endswith("+00:00")
        assert (session["session"], session["turns"], session["waiting"]) == ("s", 1, 0)

    async def test_a_title_obeys_no_escape_sequence(self, path):
        """What a user typed is shown, not obeyed."""
        await fill(path, "s", [EVIL])
        for command in ("list", "show", "export"):
            out = sessions(path, command, *(["s"] if command != "list" else [])).out.decode()
            assert "\x1b" not in out
            assert "\u202e" not in out

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [(-5, "just now"), (59, "just now"), (60, "1 min ago"), (7200, "2 h ago"), (1e7, "")],
    )
    def test_times_are_said_as_people_do(self, seconds, said):
        """From a month on the date says more."""
        assert ago(seconds) == said


class TestShow:
    async def test_json_is_one_object_with_every_receipt(self, path):
        """The names are those of the contract."""
        await fill(path, "s", ["a", "b"], waiting=1)
        shown = json.loads(sessions(path, "show", "s", "--json").out)
        assert (shown["session"], shown["state"]) == ("s", "held")
        assert shown["hold"]["detail"] == "for a test"
        names = ("id", "text", "lane", "state", "reason", "turn", "answer")
        assert [tuple(f[name] for name in names) for f in shown["follow_ups"]] == [
            ("s-1", "a", "queue", "answered", "", 1, "a"),
            ("s-2", "b", "queue", "queued", "", None, ""),
        ]
        first, second = shown["follow_ups"]
        assert first["accepted_at"] <= first["ended_at"]
        assert second["ended_at"] is None

    async def test_people_see_what_was_said_and_what_waits(self, path):
        """Question, answer, receipt; then the queue in its order."""
        await fill(path, "s", ["first question", "second"], waiting=1)
        lines = sessions(path, "show", "s").lines
        assert "> first question" in lines
        assert "first question" in lines
        assert "  — answered  (id s-1, turn 1)" in lines
        assert "   1. second  (id s-2)" in lines

    async def test_a_turn_that_was_cut_off_is_shown_as_such(self, path):
        """With its process gone it is interrupted, not running."""
        with owner("endless", path):
            shown = json.loads(sessions(path, "show", "s", "--json").out)
            assert (shown["state"], shown["follow_ups"][0]["state"]) == ("running", "running")
        shown = json.loads(sessions(path, "show", "s", "--json").out)
        assert (shown["state"], shown["follow_ups"][0]["state"]) == ("held", "interrupted")

    async def test_a_name_may_be_short(self, path):
        """The beginning of one key alone, or the id of a follow-up."""
        await fill(path, "alpha", ["a"])
        await fill(path, "alto", ["b"])
        for name in ("alpha", "alp", "alpha-1"):
            shown = json.loads(sessions(path, "show", name, "--json").out)
            assert shown["session"] == "alpha"
        ambiguous = sessions(path, "show", "al")
        assert ambiguous.code == 2
        assert "did you mean 'alto', 'alpha'?" in ambiguous.err

    async def test_an_unknown_name_is_answered_with_near_ones(self, path):
        """Exit code 2; also where there is no journal."""
        assert sessions(path, "show", "x").code == 2
        await fill(path, "alpha", ["a"])
        ended = sessions(path, "show", "alhpa")
        assert (ended.code, ended.out) == (2, b"")
        assert "did you mean 'alpha'?" in ended.err

    def test_a_damaged_journal_is_an_error_in_words(self, path):
        """It names the command that helps."""
        path.write_bytes(b"\x55" * 5000)
        ended = sessions(path, "list")
        assert ended.code == 3
        assert "agent-shell doctor" in ended.err
        assert "Traceback" not in ended.err


class TestExport:
    async def test_a_page_runs_and_loads_nothing(self, path, tmp_path):
        """Whatever was said is text in it."""
        await fill(path, "s", [EVIL])
        page = tmp_path / "page.html"
        assert sessions(path, "export", "s", "--format", "html", "-o", str(page)).code == 0
        tags: list[str] = []
        parser = html.parser.HTMLParser()
        parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
        parser.feed(page.read_text())
        assert {"article", "pre", "style"} <= set(tags)
        assert not {"script", "link", "img", "iframe"} & set(tags)

    @pytest.mark.parametrize("text", ["plain", "```", "a ````` b", "`"])
    def test_no_text_ends_its_block(self, text):
        """The fence is longer than every run of backticks inside."""
        first, *inside, last = fenced(text).split("\n")
        assert "\n".join(inside) == text
        assert first == f"{last}text"
        assert last not in text

    async def test_json_is_what_show_gives(self, path, tmp_path):
        """To a file, too."""
        await fill(path, "s", ["a"])
        file = tmp_path / "s.json"
        assert sessions(path, "export", "s", "--format", "json", "-o", str(file)).out == b""
        assert json.loads(file.read_text()) == json.loads(sessions(path, "show", "s", "--json").out)

    async def test_a_file_that_cannot_be_written_is_named(self, path, tmp_path):
        """Exit code 2, and nothing is left behind."""
        await fill(path, "s", ["a"])
        ended = sessions(path, "export", "s", "-o", str(tmp_path / "no" / "file"))
        assert ended.code == 2
        assert "can't be written" in ended.err


class TestChange:
    async def test_a_fork_leaves_the_queue_where_it_is(self, path):
        """And says so."""
        await fill(path, "s", ["a", "b"], waiting=1)
        ended = sessions(path, "fork", "s", "copy")
        assert ended.code == 0
        assert "1 that wait or run in s were not copied" in ended.err
        shown = json.loads(sessions(path, "show", "copy", "--json").out)
        assert [f["text"] for f in shown["follow_ups"]] == ["a"]
        again = sessions(path, "fork", "s", "copy")
        assert again.code == 2
        assert "already" in again.err

    async def test_a_title_can_be_given(self, path):
        """The list shows it."""
        await fill(path, "s", ["a"])
        assert sessions(path, "rename", "s", "About fifos").code == 0
        assert "About fifos" in sessions(path, "list").lines[1]

    async def test_deleting_needs_a_yes(self, path):
        """Without a terminal only --yes is one, and then the key is to be in full."""
        await fill(path, "alpha", ["a"])
        assert sessions(path, "delete", "alpha").code == 2
        assert sessions(path, "delete", "alp", "--yes").code == 2
        assert sessions(path, "delete", "alpha", "--yes").code == 0
        assert json.loads(sessions(path, "list", "--json").out) == []

    @pytest.mark.parametrize(("answer", "left"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
    async def test_on_a_terminal_it_asks(self, path, answer, left):
        """Only a yes deletes."""
        await fill(path, "s", ["a"])
        assert on_terminal(answer, "sessions", "delete", "s", "--journal", str(path)) == left
        assert len(json.loads(sessions(path, "list", "--json").out)) == left

    async def test_what_is_open_is_not_deleted(self, path):
        """Exit code 3, and who has it."""
        with owner("deaf", path) as process:
            ended = sessions(path, "delete", "s", "--yes")
        assert ended.code == 3
        assert f"process {process.pid}" in ended.err
