"""What tools ask: one question at a time, and only one that was seen is answered."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from agent_shell.tools import Approval, ApprovalRequest, Need
from agent_shell_cli import approvals
from agent_shell_cli.config import ConfigError
from agent_shell_cli.repl.asking import body, question_rows
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.questions import READ_S, Asked, Questions
from support_asking import MAKE, edit

LOOK = Look.of(color=True, encoding="utf-8")


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_questions_stand_one_at_a_time() -> None:
    """The next one stands when the one before is answered, and each gets its own answer."""
    clock = Clock()
    questions = Questions(clock)
    first, second = (asyncio.ensure_future(questions.ask(one)) for one in (MAKE, edit(1)))
    await asyncio.sleep(0)
    assert (questions.current, questions.count) == (MAKE, 2)
    questions.shown(MAKE)
    clock.now = READ_S
    assert questions.answer(Approval.once()) is MAKE
    assert await first == Approval.once()
    assert questions.current == edit(1)
    assert not questions.ready
    second.cancel()


async def test_an_answer_counts_once_the_question_has_stood() -> None:
    """Not before it was drawn, not in the first moment after, and never twice."""
    clock = Clock()
    questions = Questions(clock)
    asking = asyncio.ensure_future(questions.ask(MAKE))
    await asyncio.sleep(0)
    clock.now = 100.0
    assert questions.answer(Approval.once()) is None
    assert questions.shown(MAKE)
    assert not questions.shown(MAKE)  # only the first time it is drawn counts
    clock.now += READ_S - 0.01
    assert questions.answer(Approval.once()) is None
    clock.now += 0.01
    assert questions.answer(Approval.deny("no")) is MAKE
    assert questions.answer(Approval.once()) is None
    assert await asking == Approval.deny("no")


async def test_a_question_is_taken_back_with_its_turn() -> None:
    """Whoever asks no longer leaves no question behind, wherever it stood."""
    questions = Questions()
    changes: list[ApprovalRequest | None] = []
    questions.on_change = lambda: changes.append(questions.current)
    asking = [asyncio.ensure_future(questions.ask(one)) for one in (MAKE, edit(1), edit(2))]
    await asyncio.sleep(0)
    for one in (asking[1], asking[0], asking[2]):
        one.cancel()
        await asyncio.wait([one])
    assert changes == [MAKE, edit(2), None]


@given(
    st.text(max_size=200),
    st.text(max_size=400),
    st.integers(12, 200),
    st.integers(2, 40),
    st.booleans(),
)
def test_a_question_fits_its_room(
    subject: str, diff: str, width: int, height: int, ready: bool
) -> None:
    """No row is wider than the terminal, and from eight rows on no more are taken than given."""
    request = ApprovalRequest("shell", Need.RUN, subject, (), "", diff)
    lines = question_rows(Asked(request, ready), LOOK, width, height)
    assert all(sum(map(get_cwidth, text)) <= width for _, text in lines if text.strip())
    if height >= 8 and width >= 40:
        assert len(lines) <= height


def test_the_end_of_what_is_asked_is_shown() -> None:
    """A screenful of blanks hides nothing: the last row stands there, and the rest is counted."""
    request = ApprovalRequest("shell", Need.RUN, f"echo hi{chr(10) * 500}; rm -r .")
    said = [text for _, text in question_rows(Asked(request, above=True), LOOK, 80, 12)]
    assert "  ; rm -r ." in said
    assert any("more rows: all of it stands above" in line for line in said)


def test_the_exact_thing_is_shown() -> None:
    """Every character but blanks at the end of a row is there, however long it is."""
    command = "echo " + " ".join(f"word{n}" for n in range(200))
    text = "".join(
        row.strip() + " " for _, row in body(ApprovalRequest("s", Need.RUN, command), 40)
    )
    assert text.split() == command.split()


def test_what_is_always_allowed_is_kept_for_its_folder(tmp_path: Path) -> None:
    """Each entry counts where it was allowed; one without a folder counts everywhere."""
    file = tmp_path / "user" / "approvals.toml"
    assert approvals.load(tmp_path, file) == []
    approvals.add("run make *", tmp_path, file)
    approvals.add('write "odd\\name"\n\x7f\U0001f600*', tmp_path, file)
    approvals.add("run make *", tmp_path / "other", file)
    approvals.add("run make *", tmp_path, file)
    assert approvals.load(tmp_path, file) == ["run make *", 'write "odd\\name"\n\x7f\U0001f600*']
    assert approvals.load(tmp_path / "other", file) == ["run make *"]
    with file.open("a", encoding="utf-8") as out:
        out.write('\n[[allow]]\npattern = "run ls *"\n')
    assert approvals.load(tmp_path / "third", file) == ["run ls *"]
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in file.parent.iterdir()] == ["approvals.toml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("allow = 3", "must be written as"),
        ("[[allow]]\nfolder = '/x'", "has a 'pattern'"),
        ("[[allow]]\npattern = 'x'\nfoldr = '/x'", "may have a 'folder'"),
        ("[[alow]]\npattern = 'x'", "no key 'alow'"),
        ("allow", "mend or delete it"),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    """It is never written over, and nothing in it counts."""
    file = tmp_path / "approvals.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        approvals.load(tmp_path, file)
    with pytest.raises(ConfigError, match=said):
        approvals.add("run x", tmp_path, file)
    assert file.read_text(encoding="utf-8") == text


def test_a_pattern_that_is_no_unicode_is_not_kept(tmp_path: Path) -> None:
    """The file stays one that can be read."""
    with pytest.raises(ConfigError, match="not Unicode"):
        approvals.add("run \udc80", tmp_path, tmp_path / "approvals.toml")
    assert not (tmp_path / "approvals.toml").exists()


def test_shells_that_keep_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each reads what the other has written: whatever was always allowed is there in the end."""
    file = tmp_path / "user" / "approvals.toml"
    code = (
        "import sys; from pathlib import Path; from agent_shell_cli import approvals\n"
        "name, folder, file = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])\n"
        "print(flush=True); sys.stdin.readline()\n"
        "for n in range(25): approvals.add(f'run {name} {n}', folder, file)"
    )
    shells = [
        subprocess.Popen(
            [sys.executable, "-c", code, name, str(tmp_path), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("one", "two", "three")
    ]
    for shell in shells:
        assert shell.stdout is not None
        shell.stdout.readline()
    for shell in shells:
        assert shell.stdin is not None
        shell.stdin.write(b"\n")
        shell.stdin.flush()
    for shell in shells:
        shell.communicate()
    assert [shell.returncode for shell in shells] == [0, 0, 0]
    wanted = {f"run {name} {n}" for name in ("one", "two", "three") for n in range(25)}
    assert set(approvals.load(tmp_path, file)) == wanted


def test_a_shell_that_was_stopped_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    """It is said in a second at most, and nothing is written."""
    fcntl = pytest.importorskip("fcntl")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(ConfigError, match="another shell"):
        approvals.add("run x", tmp_path, tmp_path / "approvals.toml")
    os.close(folder)
    approvals.add("run x", tmp_path, tmp_path / "approvals.toml")
