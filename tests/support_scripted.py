"""Runs the program as its users do, and, as a script, with agents that fail on purpose.

    python support_scripted.py AGENT [ON_FAILURE]

is `agent-shell chat` in scripted mode with one of the `AGENTS` below.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent_shell import (
    Agent,
    AgentEvent,
    Delta,
    EchoAgent,
    Lane,
    Misbehaviour,
    ModelUnreachable,
    Notice,
    RateLimited,
    Turn,
)
from agent_shell_cli.models import Model
from agent_shell_cli.options import ChatOptions, InputForm, OnFailed, OutputForm
from agent_shell_cli.scripted import run

__all__ = [
    "Ended",
    "chat",
    "environment",
    "program",
    "run_program",
    "start",
    "start_with_agent",
    "with_agent",
]

# No run takes that long; it bounds a test that would hang.
_TIMEOUT_S = 60


@dataclass(slots=True)
class Ended:
    """How a run ended; a negative code is the signal that killed it."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        """Standard output, by line."""
        return self.out.decode().splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard output, as one JSON object a line."""
        return [json.loads(line) for line in self.lines]


@functools.cache
def _data_folder() -> str:
    folder = tempfile.TemporaryDirectory(prefix="agent-shell-tests-")
    atexit.register(folder.cleanup)
    return folder.name


def environment(**changes: str) -> dict[str, str]:
    """The environment of a run: no test sees or touches the user's own sessions."""
    return {**os.environ, "AGENT_SHELL_DATA_DIR": _data_folder(), **changes}


def program(*arguments: str) -> list[str]:
    """The command that runs the program; a warning is an error in it."""
    return [sys.executable, "-W", "error", "-m", "agent_shell_cli", *arguments]


def run_program(
    *arguments: str, input: bytes = b"", changes: Mapping[str, str] | None = None
) -> Ended:
    """Runs the program with `input` on a pipe, and `changes` to its environment."""
    return _finish(program(*arguments), input, changes)


def chat(*arguments: str, input: bytes = b"") -> Ended:
    """Runs `agent-shell chat -m echo` with `input` on a pipe."""
    return run_program("chat", "-m", "echo", *arguments, input=input)


def with_agent(name: str, on_failure: str = "continue", *, input: bytes = b"") -> Ended:
    """Runs scripted mode with the agent of that name."""
    return _finish([sys.executable, __file__, name, on_failure], input, None)


def start(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Starts the program with all of its streams on pipes, which the caller uses."""
    return _start(program(*arguments), stdout)


def start_with_agent(name: str) -> subprocess.Popen[bytes]:
    """Starts scripted mode with the agent of that name."""
    return _start([sys.executable, __file__, name, "continue"], subprocess.PIPE)


def _start(command: list[str], stdout: int) -> subprocess.Popen[bytes]:
    # Where the tests run in the background Ctrl-C is ignored, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environment(),
        )
    finally:
        signal.signal(signal.SIGINT, before)


def _finish(command: list[str], input: bytes, changes: Mapping[str, str] | None) -> Ended:
    done = subprocess.run(
        command,
        input=input,
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
        env=environment(**(changes or {})),
    )
    return Ended(done.returncode, done.stdout, done.stderr.decode())


def _bad_fails(turn: Turn) -> Misbehaviour | None:
    return Misbehaviour(fail="it would not") if turn.text == "bad" else None


def _stubborn(_: Turn) -> Misbehaviour:
    return Misbehaviour(clean_up_s=600, ignore_cancel=True)


class _Unreachable:
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        if turn.text == "gone":
            raise ModelUnreachable("nobody answers the phone")
        yield Delta(turn.text)


class _Limited:
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        if turn.number == 1:
            raise RateLimited("too fast", 0.01)
        yield Notice("all\x1b[2J is well")
        yield Delta(turn.text)


AGENTS: dict[str, Agent] = {
    "bad-fails": EchoAgent(misbehave=_bad_fails),
    "stubborn": EchoAgent(misbehave=_stubborn),
    "unreachable": _Unreachable(),
    "limited": _Limited(),
}


def _main(name: str, on_failure: str) -> int:
    options = ChatOptions(
        prompt=None,
        model=name,
        session="default",
        busy=Lane.QUEUE,
        on_failure=OnFailed(on_failure),
        input=InputForm.LINES,
        output=OutputForm.TEXT,
        journal="memory",
        color=None,
        debug=False,
    )
    return run(options, Model(AGENTS[name], name, ""), stdin=True)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
