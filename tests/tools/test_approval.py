"""Who decides what a tool may do."""

from __future__ import annotations

import asyncio

import pytest

from agent_shell.tools import (
    Approval,
    ApprovalRequest,
    Denied,
    Gate,
    Mode,
    Need,
    Policy,
    Scope,
    Verdict,
)
from agent_shell.tools.requests import about_command, about_file
from agent_shell.tools.workspace import Place
from support_tools import Answers

READ = ApprovalRequest("read", Need.READ, "a.py", ("read a.py",), "read a.py")
SECRET = ApprovalRequest("read", Need.READ, ".env", ("read .env",), "read .env", sensitive=True)
OUTSIDE = ApprovalRequest("read", Need.READ, "/etc/hosts", outside=True)
WRITE = ApprovalRequest(
    "write", Need.WRITE, "src/a.py", ("write src/a.py", "write src/*"), "write src/*"
)
RUN = ApprovalRequest("shell", Need.RUN, "make", ("shell make",), "shell make", session="s")
REACH = ApprovalRequest("fetch", Need.NETWORK, "https://a.example/")


@pytest.mark.parametrize(
    ("mode", "allowed", "else_"),
    [
        (Mode.ASK, [READ], Verdict.ASK),
        (Mode.READ_ONLY, [READ], Verdict.DENY),
        (Mode.ALL, [READ, SECRET, OUTSIDE, WRITE, RUN, REACH], Verdict.ASK),
    ],
)
def test_the_mode_decides_what_needs_no_question(mode, allowed, else_):
    """Reading in the project is free but for secrets; the rest is asked, denied or allowed."""
    policy = Policy(mode)
    for request in (READ, SECRET, OUTSIDE, WRITE, RUN, REACH):
        wanted = Verdict.ALLOW if request in allowed else else_
        assert policy.decide(request) is wanted, request


def test_a_pattern_allows_what_names_it_and_nothing_else():
    """Patterns are compared with those that the request itself names."""
    policy = Policy(always=["write src/*"])
    assert policy.decide(WRITE) is Verdict.ALLOW
    assert policy.decide(RUN) is Verdict.ASK


def test_what_is_always_allowed_is_not_so_in_read_only():
    """The mode is stricter than any pattern."""
    assert Policy(Mode.READ_ONLY, ["write src/*"]).decide(WRITE) is Verdict.DENY


def test_an_answer_for_the_session_holds_in_no_other():
    """And ends when the session is forgotten."""
    policy = Policy()
    policy.remember(RUN, Scope.SESSION)
    assert policy.decide(RUN) is Verdict.ALLOW
    other = ApprovalRequest("shell", Need.RUN, "make", RUN.patterns, session="t")
    assert policy.decide(other) is Verdict.ASK
    policy.forget("s")
    assert policy.decide(RUN) is Verdict.ASK


async def test_once_is_asked_again_and_always_is_not():
    """The pattern of the request is what is remembered."""
    approver = Answers(Approval.once(), Approval.always())
    gate = Gate(Policy(), approver)
    for _ in range(4):
        await gate.permit(RUN)
    assert len(approver.asked) == 2


async def test_what_has_no_pattern_is_only_allowed_once():
    """An answer "always" to it remembers nothing."""
    approver = Answers(Approval.always())
    gate = Gate(Policy(), approver)
    await gate.permit(REACH)
    await gate.permit(REACH)
    assert len(approver.asked) == 2


async def test_a_denial_says_what_and_why():
    """So that the model can do something else."""
    gate = Gate(Policy(), Answers(Approval.deny("not on a Friday")))
    with pytest.raises(Denied, match=r"^running make was denied: not on a Friday$"):
        await gate.permit(RUN)


async def test_where_nobody_can_be_asked_it_is_denied():
    """A gate without an approver lets only through what is free."""
    gate = Gate(Policy())
    await gate.permit(READ)
    with pytest.raises(Denied, match="nobody is there to ask"):
        await gate.permit(RUN)


async def test_read_only_says_which_flag_allows_it():
    """Without a question to anybody."""
    approver = Answers(Approval.once())
    with pytest.raises(Denied, match="--approve all allows it"):
        await Gate(Policy(Mode.READ_ONLY), approver).permit(WRITE)
    assert approver.asked == []


async def test_one_question_is_asked_at_a_time_and_may_settle_the_next():
    """The second of two equal requests is allowed by the answer to the first."""
    approver = Answers(Approval.session())
    gate = Gate(Policy(), approver)
    await asyncio.gather(*(gate.permit(RUN) for _ in range(3)))
    assert len(approver.asked) == 1


@pytest.mark.parametrize(
    ("command", "pattern"),
    [
        ("git status -s", "shell git status *"),
        ("make", "shell make"),
        ("npm exec x", "shell npm exec x"),
        ("git grep -O x", "shell git grep -O x"),
        ("make -j4 all", "shell make -j4 all"),
        ("python -m pytest", "shell python -m pytest"),
        ("sudo apt install x", "shell sudo apt install x"),
        ("/usr/bin/env git status", "shell /usr/bin/env git status"),
        ("git status; rm -rf /", "shell git status; rm -rf /"),
        ("git status\nrm x", "shell git status\nrm x"),
        ("git status $(rm x)", "shell git status $(rm x)"),
        ("git status `rm x`", "shell git status `rm x`"),
        ("git status > /etc/x", "shell git status > /etc/x"),
        ("git status & rm x", "shell git status & rm x"),
        ("A=b git status", "shell A=b git status"),
        ("git 'stat us' x", "shell git 'stat us' x"),
        ("setsid bash x", "shell setsid bash x"),
        (". script x", "shell . script x"),
        ("npx eslint x", "shell npx eslint x"),
    ],
)
def test_the_pattern_of_a_command_stands_for_no_other_program(command, pattern):
    """A program and its first word, where the line is plain; else the line itself."""
    assert about_command("shell", command, "shell").pattern == pattern


@pytest.mark.parametrize(
    "command",
    [
        "git status; rm -rf /",
        "git status && x",
        "git status | sh",
        "git status\nx",
        "x=1 git status",
        "git status <(x)",
        "git status \\\n; x",
        "git status #",
        "git status {a,b}",
    ],
)
def test_no_remembered_start_allows_a_line_that_does_more(command):
    """Signs of the shell make a line one of its own."""
    policy = Policy(always=["shell git status *", "shell git *", "shell x *"])
    assert policy.decide(about_command("shell", command, "shell")) is Verdict.ASK


@pytest.mark.parametrize("command", ["rm *", "bash *", "git status *"])
def test_a_line_that_reads_as_a_pattern_can_only_be_allowed_once(command):
    """Kept as it stands, `rm *` would allow `rm` with whatever comes behind it."""
    asked = about_command("shell", command, "shell")
    policy = Policy()
    policy.remember(asked, Scope.SESSION)
    assert asked.pattern == ""
    program = command.removesuffix("*")
    assert policy.decide(about_command("shell", f"{program}-rf x", "shell")) is Verdict.ASK
    assert policy.decide(asked) is Verdict.ASK


def test_a_file_that_is_called_as_a_pattern_can_only_be_allowed_once():
    """Else leave to write the file `*` would be leave to write all of the project."""
    asked = about_file("write", Need.WRITE, Place(("*",)))
    policy = Policy()
    policy.remember(asked, Scope.SESSION)
    assert policy.decide(about_file("write", Need.WRITE, Place(("src", "a.py")))) is Verdict.ASK
    # In a folder it can be allowed with the folder, as all that is in there.
    assert about_file("write", Need.WRITE, Place(("src", "*"))).pattern == "write src/*"
