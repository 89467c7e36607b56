"""The program with a provider's model: a real process, a real file, a scripted server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.story import Cut, Garble, Refuse, Story, call, refuse, request, result, say, user
from providers.wire_server import WireServer
from support_provider import KEY
from support_scripted import program


@dataclass
class Ended:
    code: int | None
    out: str
    err: str


async def chat(
    server: WireServer,
    folder: Path,
    *arguments: str,
    lines: str = "hello\n",
    start: Sequence[str] = program(),
) -> Ended:
    """`agent-shell chat` with the server's model, and its journal in the folder."""
    environ = {
        **os.environ,
        "HOME": str(folder),
        "AGENT_SHELL_CONFIG_DIR": str(folder / "config"),
        "OPENAI_COMPATIBLE_API_KEY": KEY,
        "OPENAI_COMPATIBLE_BASE_URL": server.openai_url,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    shell = await asyncio.create_subprocess_exec(
        *(*start, "chat", "-m", "openai-compatible:m", "-s", "k", *arguments),
        *("--journal", str(folder / "sessions.db")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ,
        cwd=folder,
    )
    out, err = await shell.communicate(lines.encode())
    return Ended(shell.returncode, out.decode(), err.decode())


async def test_follow_ups_are_answered_in_order(tmp_path: Path):
    """Each line is a turn, and the model is told those before."""
    script = Story(user("one"), say("first"), user("two"), say("second"))
    async with WireServer(script) as server:
        ended = await chat(server, tmp_path, lines="one\ntwo\n")
        assert server.asked[1].users == ["one", "two"]
    assert (ended.code, ended.out, ended.err) == (0, "first\nsecond\n", "")


async def test_no_warning_of_a_library_is_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A server that counts in fractions has the libraries complain, to nobody who asked."""
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)  # as users have it
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 1.5, "completion_tokens": None, "total_tokens": "x"}
    counted = json.dumps({**chunk, "choices": [], "usage": usage})
    async with WireServer(Story(user("one"), say("first"), Garble(counted))) as server:
        # As users start it: for the other tests a warning is an error.
        start = (sys.executable, "-m", "agent_shell_cli")
        ended = await chat(server, tmp_path, lines="one\n", start=start)
    assert (ended.code, ended.out, ended.err) == (0, "first\n", "")


async def test_a_rate_limit_is_waited_out(tmp_path: Path):
    """The queue holds until the provider's time, then goes on, with nothing burnt."""
    script = Story(
        user("one"),
        refuse(429, "slow down", retry_after="1"),
        user("one"),
        say("first"),
        user("two"),
        say("second"),
    )
    async with WireServer(script) as server:
        ended = await chat(server, tmp_path, lines="one\ntwo\n")
        assert server.asked[1].at - server.asked[0].at >= 1
        assert server.asked[2].users == ["one", "two"]
    assert (ended.code, ended.out) == (0, "first\nsecond\n")
    assert "slow down" in ended.err


async def test_a_refused_key_is_in_no_output_and_no_file(tmp_path: Path):
    """The run ends with 4 and what to do; the key stands nowhere, and the rest still waits."""
    async with WireServer(Story(Refuse(401, "who are you", echoes_key=True))) as server:
        ended = await chat(server, tmp_path, "--debug", lines="one\ntwo\n")
        assert len(server.asked) == 1
    assert ended.code == 4
    assert "does not accept the key" in ended.err
    assert "models key openai-compatible" in ended.err
    assert KEY not in ended.out + ended.err
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


async def test_a_turn_that_was_cut_goes_on_in_the_next_run(tmp_path: Path):
    """What was said stays in the journal, and the model is asked to go on from there."""
    (tmp_path / "a.txt").write_text("42")
    script = Story(
        user("look"), call("read", path="a.txt"), result("read", "42"), say("It is"), Cut(False)
    )
    async with WireServer(script) as server:
        ended = await chat(server, tmp_path, lines="look\n")
        assert ended.code == 4
        server.brain = Story(user("Go on with it"), say("42, I say."))
        ended = await chat(server, tmp_path, "--interrupted", "retry", lines="")
        last = server.asked[-1]
    assert "42, I say." in ended.out, ended
    assert last.users[0] == "look"
    assert "It is" in [said.text for said in last.said if said.role == "assistant"]


async def test_usage_and_tools_are_told_to_programs(tmp_path: Path):
    """The stream of events has the calls, their results and what the turn used."""
    (tmp_path / "a.txt").write_text("42")
    script = Story(request(), call("read", path="a.txt"), result("read", "42"), say("It is 42."))
    async with WireServer(script) as server:
        ended = await chat(server, tmp_path, "--output", "stream-json")
    events = [json.loads(line) for line in ended.out.splitlines()]
    by_type = {event["type"]: event for event in events}
    assert by_type["tool.called"]["arguments"] == {"path": "a.txt"}
    assert by_type["tool.returned"]["ok"]
    assert by_type["turn.ended"]["usage"]["input_tokens"] > 0


async def test_a_server_that_is_not_there_ends_the_run(tmp_path: Path):
    """It is tried again, then the run ends with 4; the follow-ups wait in the journal."""
    async with WireServer(Story(request())) as server:
        pass
    ended = await chat(server, tmp_path, lines="one\ntwo\n")
    assert ended.code == 4
    assert "can't be used" in ended.err
    assert ended.err.count("trying again") == 2
