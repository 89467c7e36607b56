"""Running a command line: what comes of it, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_shell.tools import Approval, Gate, Mode, Policy, Result, Toolset, Workspace
from agent_shell.tools.environment import cleaned
from agent_shell.tools.sandbox import Sandbox, find_sandbox
from agent_shell.tools.shell import ShellTool
from support_tools import Answers, put

UNCONFINED = Sandbox(None, "as the test wants it")


class Shell:
    """The shell tool alone, in a sandbox or not."""

    def __init__(self, root: Path, sandbox: Sandbox, mode: Mode = Mode.ALL) -> None:
        self.root = root
        self.sandbox = sandbox
        self.workspace = Workspace(root)
        self.approver = Answers(Approval.once())
        self.said: list[str] = []
        tool = ShellTool(self.workspace, sandbox)
        self.tools = Toolset([tool], Gate(Policy(mode), self.approver))

    async def run(self, command: str, **arguments: object) -> Result:
        arguments["command"] = command
        return await self.tools.call("shell", arguments, on_output=self.said.append)

    async def until(self, name: str) -> None:
        """Waits until the command has made this file."""
        while not (self.root / name).exists():
            await asyncio.sleep(0.01)

    def held(self, name: str) -> bool:
        """Whether a living process has locked the file: a namespace hides its number."""
        with (self.root / name).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False


@pytest.fixture(params=["unconfined", "sandboxed"])
def shell(request, root: Path) -> Iterator[Shell]:
    sandbox = UNCONFINED if request.param == "unconfined" else working_sandbox()
    shell = Shell(root, sandbox)
    yield shell
    shell.workspace.close()


@pytest.fixture
def sandboxed(root: Path) -> Iterator[Shell]:
    shell = Shell(root, working_sandbox())
    yield shell
    shell.workspace.close()


def working_sandbox() -> Sandbox:
    sandbox = find_sandbox()
    if sandbox.program is None:
        pytest.skip(sandbox.why)
    return sandbox


async def test_output_and_errors_are_given_in_their_order(shell):
    """As they come, and as a whole."""
    result = await shell.run("echo one; echo two >&2; printf three")
    assert result == Result("one\ntwo\nthree", "one\ntwo\nthree", ok=True)
    assert "".join(shell.said) == "one\ntwo\nthree"


async def test_it_runs_in_the_project(shell, root):
    """And may write there."""
    result = await shell.run("pwd && touch made")
    assert result.text == str(root)
    assert (root / "made").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("exit 3", "[exit status 3]"),
        ("kill -9 $$", "[exit status 137: SIGKILL]"),
        ("true", "[no output]"),
        ("no-such-program-here", "[exit status 127]"),
    ],
)
async def test_how_it_ended_is_told(shell, command, said):
    """Where it is not ended well, it is not `ok`."""
    result = await shell.run(command)
    assert result.text.endswith(said)
    assert result.ok == (command == "true")


async def test_it_has_no_input(shell):
    """What asks gets an end of file, not the keys of the prompt."""
    assert (await shell.run("cat; read x || echo none")).text == "none"


async def test_output_comes_while_it_runs(shell, root):
    """Not only at its end."""
    running = asyncio.ensure_future(shell.run("echo first; until [ -e go ]; do sleep 0.01; done"))
    while not shell.said:
        await asyncio.sleep(0.01)
    assert not running.done()
    put(root / "go", "")
    assert (await running).ok


async def test_output_is_bounded_at_both_ends(shell):
    """Of what a program writes without end, and the loop goes on meanwhile."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.ensure_future(beat())
    result = await shell.run("echo begin; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo end")
    beating.cancel()
    assert result.text.startswith("begin\nxxx")
    assert result.text.endswith("xxx\nend")
    assert "bytes were left out]" in result.text
    assert len(result.text) < 60_000
    assert sum(map(len, shell.said)) <= 1 << 20
    assert beats > 3


async def test_bytes_that_are_no_text_are_replaced(shell):
    """A letter may be cut in two by the pipe."""
    assert (await shell.run(r"printf 'a\377\303'; sleep 0.05; printf '\251'")).text == "a\ufffd\xe9"


HOLD = "exec 9>{name}; flock 9; touch {name}.ready; sleep 1000"
WAYS = {
    "in the foreground": HOLD,
    "in the background": "(" + HOLD + ") & wait",
    "deaf to requests": "trap '' TERM HUP INT; " + HOLD,
    "in a session of its own": "setsid bash -c '" + HOLD + "' & wait",
    "a daemon": "(setsid env -i /bin/bash -c '"
    + HOLD
    + "' >/dev/null 2>&1 </dev/null &) ; sleep 1000",
    "having stopped who watches it": "kill -STOP $PPID; " + HOLD,
    "deep": 'bash -c "bash -c \'bash -c \\"' + HOLD + '\\" & wait\' & wait"',
}


@pytest.mark.parametrize("way", list(WAYS))
async def test_a_cancellation_ends_all_that_it_has_started(shell, way):
    """Whatever has forked, however, is gone when the call is."""
    running = asyncio.ensure_future(shell.run(WAYS[way].format(name="lock")))
    await shell.until("lock.ready")
    assert shell.held("lock")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not shell.held("lock")


@pytest.mark.parametrize("way", ["in the background", "a daemon"])
async def test_the_time_limit_ends_all_that_it_has_started(shell, way):
    """And says so, with what was said until then."""
    result = await shell.run("echo begun; " + WAYS[way].format(name="lock"), timeout=1)
    assert not result.ok
    assert result.text == "begun\n[ended with all that it had started: it took longer than 1 s]"
    assert not shell.held("lock")


async def test_what_it_leaves_in_the_background_ends_with_it(shell):
    """Nobody would end it later."""
    way = "(setsid bash -c '" + HOLD + "' &) ; until [ -e {name}.ready ]; do sleep 0.01; done"
    result = await shell.run(way.format(name="lock"))
    assert result.ok
    assert not shell.held("lock")


async def test_what_forks_without_end_is_ended(shell):
    """Faster than it forks."""
    bomb = "touch ready; f() { sleep 0.05; f & f & }; f; sleep 1000"
    running = asyncio.ensure_future(shell.run(HOLD.format(name="lock") + " & " + bomb))
    await shell.until("ready")
    await asyncio.sleep(0.3)  # some generations of it
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not shell.held("lock")


OWNER = """
import asyncio, os, sys
from pathlib import Path
from agent_shell.tools.process import run
asyncio.run(run(sys.argv[2:], folder=Path(sys.argv[1]), environment=os.environ, limit_s=1000,
                on_output=print))
"""


async def test_it_ends_when_we_are_killed(shell, root):
    """A program that was killed could not end anything any more."""
    line = ["bash", "-c", WAYS["a daemon"].format(name="lock")]
    command = shell.sandbox.around(line, root)
    script = put(root.parent / "owner.py", OWNER)
    owner = await asyncio.create_subprocess_exec(sys.executable, str(script), str(root), *command)
    await shell.until("lock.ready")
    assert shell.held("lock")
    owner.send_signal(signal.SIGKILL)
    await owner.wait()
    until = time.monotonic() + 20
    while shell.held("lock"):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


async def test_a_command_may_kill_who_watches_it(root):
    """That is told as its end."""
    shell = Shell(root, UNCONFINED)
    result = await shell.run("kill -9 $PPID")
    assert (result.ok, result.text) == (False, "[exit status 137: SIGKILL]")
    shell.workspace.close()


async def test_a_line_that_no_system_takes_is_told_without_a_question(root):
    """With what would help."""
    shell = Shell(root, UNCONFINED, Mode.ASK)
    assert "write a script" in (await shell.run("echo " + "x" * 130_000)).text
    assert "is no Unicode text" in (await shell.run("echo \ud800")).text
    assert shell.approver.asked == []
    shell.workspace.close()


async def test_a_polite_program_may_say_farewell(root):
    """It is asked to end before it is killed."""
    shell = Shell(root, UNCONFINED)
    command = "trap 'touch farewell; exit' TERM; touch ready; while :; do sleep 0.01; done"
    running = asyncio.ensure_future(shell.run(command))
    await shell.until("ready")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (root / "farewell").exists()
    shell.workspace.close()


async def test_the_question_has_the_exact_line_and_how_it_is_confined(root):
    """A pattern that was allowed for the sandbox does not count without it."""
    confined = Sandbox("/usr/bin/bwrap", "")
    for sandbox, arguments, kind, note in (
        (UNCONFINED, {}, "shell:unconfined", "it can do what you can: as the test wants it"),
        (confined, {}, "shell", "in a sandbox, without a network"),
        (confined, {"network": True}, "shell:network", "in a sandbox, with the network"),
    ):
        shell = Shell(root, sandbox, Mode.ASK)
        shell.approver = shell.tools.gate.approver = Answers(Approval.deny("no"))
        result = await shell.run("touch made && git status", **arguments)
        assert result.text == "running touch made && git status was denied: no"
        (asked,) = shell.approver.asked
        assert asked.subject == "touch made && git status"
        assert asked.pattern == f"{kind} touch made && git status"
        assert asked.note == note
        shell.workspace.close()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "x"), ("ANTHROPIC_AUTH_TOKEN", "x"), ("AWS_SECRET_ACCESS_KEY", "x"),
        ("GITHUB_TOKEN", "x"), ("PGPASSWORD", "x"), ("DB_PASSWORD", "x"), ("APIKEY", "x"),
        ("MYTOKEN", "x"), ("SSH_AUTH_SOCK", "/tmp/x"), ("BASH_ENV", "x"), ("SENTRY_DSN", "x"),
        ("DATABASE_URL", "postgres://me:pass@host/db"), ("X", "sk-proj-0123456789abcdefghij"),
        ("X", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    ],
)  # fmt: skip
def test_the_environment_has_no_keys(name, value):
    """By their names, or by how they look."""
    assert name not in cleaned({name: value})


def test_the_environment_keeps_what_opens_nothing():
    """And has no pager and no prompt."""
    kept = {"PATH": "/bin", "HOME": "/home/me", "GIT_AUTHOR_NAME": "me", "PWD": "/",
            "KEYBOARD": "de", "MONKEY": "x", "PATHEXT": "x", "SSL_CERT_FILE": "/x"}  # fmt: skip
    made = cleaned(kept)
    assert {name: made[name] for name in kept} == kept
    assert (made["PAGER"], made["GIT_TERMINAL_PROMPT"]) == ("cat", "0")


async def test_in_the_sandbox_only_the_project_can_be_written(sandboxed, root, tmp_path):
    """The rest is read-only, and its /tmp is its own."""
    other = put(tmp_path / "other.txt", "x")
    result = await sandboxed.run(
        f"echo y > {other}; echo y > /etc/made; echo y > own; echo y > /tmp/y; cat /tmp/y own"
    )
    assert "y\ny" in result.text
    assert other.read_text() == "x"
    assert not Path("/etc/made").exists()
    assert (root / "own").read_text() == "y\n"
    assert not Path("/tmp/y").exists()


async def test_in_the_sandbox_there_is_no_network_unless_it_is_allowed(sandboxed):
    """Not even to this machine."""
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached"
    assert "reached" not in (await sandboxed.run(line)).text
    assert (await sandboxed.run(line, network=True)).text == "reached"
    server.close()
    await server.wait_closed()


async def test_in_the_sandbox_no_wall_can_be_taken_down(sandboxed, tmp_path):
    """It has no capability, also where we are root."""
    result = await sandboxed.run(
        "mount -o remount,rw,bind /; umount /etc; grep CapEff /proc/self/status; "
        f"echo x > {tmp_path}/x"
    )
    assert "CapEff:\t0000000000000000" in result.text
    assert not (tmp_path / "x").exists()


async def test_in_the_sandbox_keys_in_the_home_folder_are_hidden(root, tmp_path, monkeypatch):
    """And what we keep ourselves."""
    home = tmp_path / "home"
    put(home / ".ssh/id_rsa", "THE-KEY")
    put(home / ".netrc", "THE-KEY")
    put(home / ".config/agent-shell/config.toml", "THE-KEY")
    put(home / "notes.txt", "THE-NOTES")
    monkeypatch.setenv("HOME", str(home))
    shell = Shell(home if home.is_relative_to("/tmp") else root, working_sandbox())
    result = await shell.run(
        f"cat {home}/.ssh/id_rsa {home}/.netrc {home}/.config/agent-shell/* {home}/notes.txt"
    )
    assert "THE-KEY" not in result.text
    assert "THE-NOTES" in result.text
    shell.workspace.close()


async def test_in_the_sandbox_hooks_can_not_be_planted(sandboxed, root):
    """What would run outside of it later is read-only, and can't be moved out of the way."""
    for name in (".git/hooks/pre-commit", ".git/config", ".agent-shell/config.toml"):
        put(root / name, "own")
    put(root / ".git/HEAD", "x")
    await sandboxed.run(
        "for f in .git/hooks/pre-commit .git/config .agent-shell/config.toml; "
        "do echo evil > $f; done; "
        "mv .git .git2; mv .agent-shell x; rm -rf .git/hooks; mkdir -p .git/hooks; "
        "echo evil > .git/hooks/post-checkout; echo y > .git/HEAD"
    )
    for name in (".git/hooks/pre-commit", ".git/config", ".agent-shell/config.toml"):
        assert (root / name).read_text() == "own"
    assert [path.name for path in (root / ".git/hooks").iterdir()] == ["pre-commit"]
    assert (root / ".git/HEAD").read_text() == "y\n"  # the rest of it is the project's


async def test_in_the_sandbox_git_is_not_led_elsewhere(sandboxed, root):
    """To another configuration, nor to hooks where none were."""
    put(root / ".git/HEAD", "x")
    put(root / ".git/config", "own")
    await sandboxed.run(
        "mkdir -p .git/hooks evil; echo ../evil > .git/commondir; "
        "for f in .git/hooks/pre-commit .git/config.worktree evil/config; do echo evil > $f; done"
    )
    assert sorted(path.name for path in (root / ".git").iterdir()) == ["HEAD", "config"]
    assert (root / "evil/config").exists()  # the rest is as it was left


async def test_in_the_sandbox_an_empty_project_is_empty(sandboxed):
    """Many programs make something only in a folder that has nothing in it."""
    assert (await sandboxed.run("ls -A")).text == "[no output]"


async def test_in_the_sandbox_a_worktree_stays_one_of_its_repository(sandboxed, root):
    """The file that says where its repository is can be neither written nor replaced."""
    put(root / ".git", "gitdir: /elsewhere\n")
    await sandboxed.run("echo 'gitdir: evil' > .git; rm -f .git; mv .git x; ln -sf evil .git")
    assert (root / ".git").read_text() == "gitdir: /elsewhere\n"


async def test_what_is_taken_away_is_of_this_project(sandboxed, root, tmp_path):
    """A link that a command has put leads to what is somebody else's."""
    other = put(tmp_path / "other/commondir", "../..")
    await sandboxed.run(f"ln -s {other.parent} .git")
    assert other.exists()


def test_a_sandbox_that_is_not_there_is_said(tmp_path):
    """Or that is there and does not work, with its own words."""
    assert find_sandbox(str(tmp_path)).why == "bubblewrap is not installed"
    broken = put(tmp_path / "broken/bwrap", "#!/bin/sh\necho 'bwrap: no namespaces' >&2; exit 1\n")
    broken.chmod(0o755)
    found = find_sandbox(str(broken.parent))
    assert found.program is None
    assert found.why == "bubblewrap can't make a sandbox here: bwrap: no namespaces"
    assert found.around(["x"], tmp_path) == ["x"]
