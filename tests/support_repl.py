"""What the tests of the live prompt share: a puppet for a model, and two terminals."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import pexpect
import pyte
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input

from agent_shell import Agent, Delta, Journal, Lane, Turn
from agent_shell.errors import AgentError
from agent_shell_cli.config import Settings
from agent_shell_cli.journals import open_journal
from agent_shell_cli.models import Model
from agent_shell_cli.options import ChatOptions, InputForm, OnFailed, OnInterrupted, OutputForm
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.opening import converse
from agent_shell_cli.repl.prompting import Prompt
from agent_shell_cli.repl.questions import Questions
from agent_shell_cli.repl.terminal import FrameOutput, Terminal

ROOT = Path(__file__).parents[1]
ROWS, COLUMNS = 24, 80
# How long a state may take to come before a test fails.
PATIENCE_S = 10.0

DOWN, UP, ALT_ENTER = "\x1b[B", "\x1b[A", "\x1b\r"
CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"


def options(
    *,
    busy: Lane = Lane.QUEUE,
    on_failure: OnFailed | None = None,
    prompt: str | None = None,
    journal: Path | None = None,
    interrupted: OnInterrupted | None = None,
) -> ChatOptions:
    """The options of a plain `agent-shell chat`, by default with a journal in memory."""
    return ChatOptions(
        prompt,
        "puppet",
        "default",
        busy,
        on_failure,
        InputForm.LINES,
        OutputForm.TEXT,
        "memory" if journal is None else str(journal),
        color=True,
        debug=False,
        interrupted=interrupted,
        settings=Settings(status=()),
    )


class Puppet:
    """An agent that says what the test tells it to say, and ends when it is told to."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self._lines: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    async def run(self, turn: Turn) -> AsyncIterator[Delta]:
        self.turns.append(turn.text)
        while (line := await self._lines.get()) is not None:
            if isinstance(line, Exception):
                raise line
            turn.take_steers()
            yield Delta(line)

    def say(self, *pieces: str) -> None:
        """Has the turn say these pieces, and go on."""
        for piece in pieces:
            self._lines.put_nowait(piece)

    def end(self, *pieces: str) -> None:
        """Has the turn say these pieces, and end."""
        self.say(*pieces)
        self._lines.put_nowait(None)

    def fail(self, error: Exception | None = None) -> None:
        """Has the turn fail."""
        self._lines.put_nowait(error or AgentError("the puppet's string broke"))


class Screen:
    """A terminal, by default of `ROWS` and `COLUMNS`, with what has scrolled off it."""

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=0.5)
        self._stream = pyte.Stream(self.screen)
        self.raw = ""

    def feed(self, text: str) -> None:
        """Shows what a program wrote."""
        self.raw += text
        self._stream.feed(text)

    @property
    def lines(self) -> list[str]:
        """All lines from the first on, without the blanks that end them."""
        above = [
            "".join(row[column].data for column in range(self.screen.columns)).rstrip()
            for row in self.screen.history.top
        ]
        shown = [line.rstrip() for line in self.screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return above + shown

    @property
    def text(self) -> str:
        """The lines as one text, but for the one that counts a turn's seconds by itself."""
        return "\n".join(line for line in self.lines if not line.startswith("▸ "))

    def holds(self, expected: str) -> bool:
        """Whether it is there; the line about the running turn is looked at if it is asked for."""
        return expected in ("\n".join(self.lines) if "▸" in expected else self.text)


class _Stdout(io.TextIOBase):
    """The standard output of a shell in this process: a screen, and who waits for it."""

    encoding = "utf-8"

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        self.screen = Screen(rows, columns)
        self.changed = asyncio.Event()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.screen.feed(text)
        self.writes.append(text)
        self.changed.set()
        return len(text)

    def isatty(self) -> bool:
        return True


class Stage:
    """A shell in this process: `keys` goes in, `screen` comes out."""

    def __init__(self, keys: PipeInput, stdout: _Stdout, agent: Puppet) -> None:
        self.agent = agent
        self.screen = stdout.screen
        self.writes = stdout.writes
        self.shell: asyncio.Task[int] | None = None
        self._keys = keys
        self._stdout = stdout

    def type(self, *texts: str) -> None:
        """Presses keys; a lone surrogate stands for a byte that is no UTF-8."""
        for text in texts:
            self._keys.send_bytes(text.encode(errors="surrogateescape"))

    def hang_up(self) -> None:
        """Ends the input, as a terminal does that goes away."""
        self._keys.close()

    async def code(self) -> int:
        """The exit code, once the shell has left."""
        assert self.shell is not None
        async with asyncio.timeout(PATIENCE_S):
            return await self.shell

    async def until(self, *expected: str | Callable[[], bool]) -> None:
        """Waits until all of these are on the screen, or true."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(self._holds(one) for one in expected):
                    self._stdout.changed.clear()
                    await self._stdout.changed.wait()
        except TimeoutError:
            raise AssertionError(f"not seen: {expected!r} on\n{self.screen.text}") from None

    def _holds(self, expected: str | Callable[[], bool]) -> bool:
        return self.screen.holds(expected) if isinstance(expected, str) else expected()


@asynccontextmanager
async def stage(
    tmp_path: Path,
    chosen: ChatOptions | None = None,
    agent: Agent | None = None,
    *,
    ready: str = "/help shows the commands",
    journal: Journal | None = None,
    questions: Questions | None = None,
    size: tuple[int, int] = (ROWS, COLUMNS),
    linear: bool = False,
) -> AsyncIterator[Stage]:
    """A live prompt in this process; it is left at the end."""
    chosen = chosen or options()
    puppet = Puppet()
    stdout = _Stdout(*size)
    with create_pipe_input() as keys:
        output = FrameOutput(stdout, lambda: Size(*size), term="xterm")
        terminal = Terminal(keys, output, "utf-8", linear=linear)
        with create_app_session(input=keys, output=output):
            model = Model(agent or puppet, "puppet", "")
            look = Look.of(color=True, encoding="utf-8")
            journal = journal or open_journal(chosen.journal)
            on_stage = Stage(keys, stdout, puppet)
            folder = (lambda: tmp_path) if chosen.settings.history else None
            prompt = Prompt(terminal, look, folder, chosen.settings, lambda _: None)

            async def run() -> int:
                async with prompt:
                    return await converse(chosen, model, journal, prompt, questions)

            on_stage.shell = asyncio.create_task(run())
            try:
                await on_stage.until(ready)
                yield on_stage
            finally:
                keys.close()
                await on_stage.code()
                await journal.close()


class Program:
    """The real program on a real pseudo-terminal, or whatever `command` starts there."""

    def __init__(
        self,
        *arguments: str,
        data: Path,
        script: str = "",
        command: list[str] | None = None,
        **environ: str,
    ) -> None:
        self.screen = Screen()
        path = os.pathsep.join([str(ROOT / "core"), str(ROOT / "cli")])
        # The status line is looked at where it is the matter.
        (data / "config.toml").write_text("status = []\n")
        environment = {
            **{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX")},
            "PYTHONPATH": os.pathsep.join([path, str(ROOT / "tests")]),
            "PYTHONUTF8": "1",
            "TERM": "xterm-256color",
            "AGENT_SHELL_DATA_DIR": str(data),
            "AGENT_SHELL_CONFIG_DIR": str(data),
            **environ,
        }
        arguments = ("-c", script) if script else ("-m", "agent_shell_cli", "chat", *arguments)
        command = command or [sys.executable, *arguments]
        self.child: pexpect.spawn[str] = pexpect.spawn(
            command[0],
            command[1:],
            env=environment,
            encoding="utf-8",
            dimensions=(ROWS, COLUMNS),
        )
        self.child.delaybeforesend = None

    def type(self, text: str) -> None:
        """Presses keys."""
        self.child.send(text)

    def until(self, *expected: str | Callable[[], bool]) -> None:
        """Reads until all of these are on the screen, or true."""
        deadline = time.monotonic() + PATIENCE_S
        while not all(self._holds(one) for one in expected):
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"not seen: {expected!r} on\n{self.screen.text}")

    def end(self) -> int:
        """Reads to the end; returns the exit code."""
        while self._read():
            pass
        self.child.wait()
        assert self.child.exitstatus is not None, f"killed by signal {self.child.signalstatus}"
        return self.child.exitstatus

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.child.close(force=True)

    def _read(self) -> bool:
        with suppress(pexpect.TIMEOUT):
            try:
                self.screen.feed(self.child.read_nonblocking(1 << 16, timeout=1))
            except pexpect.EOF:
                return False
        return True

    def _holds(self, expected: str | Callable[[], bool]) -> bool:
        return self.screen.holds(expected) if isinstance(expected, str) else expected()
