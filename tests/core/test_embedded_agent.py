"""The embedded agent, with the real model."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent_shell.agents.base import AgentEvent, Delta, Exchange, Notice, Usage
from agent_shell.agents.embedded import (
    EmbeddedAgent,
    Progress,
    ensure_weights,
    require_xllamacpp,
)
from agent_shell.errors import AgentError, ModelUnreachable
from agent_shell.state import Budget, FollowUp, Lane, State


class FakeTurn:
    """A turn outside of any session."""

    def __init__(self, text: str, history: list[Exchange] | None = None, key: str = "demo") -> None:
        self.text = text
        self.session_key = key
        self.sender = "user"
        self.past = history or []
        self.number = len(self.past) + 1
        self.id = f"f{self.number}"
        self.stopping = False
        self.allowance = Budget()
        self.steers: list[FollowUp] = []

    async def history(self, limit: int = 1000) -> list[Exchange]:
        return self.past[-limit:]

    def take_steers(self, where: str = "", /) -> list[FollowUp]:
        taken, self.steers = self.steers, []
        return taken


class Running:
    """A turn that runs in a task; its events can be waited for."""

    def __init__(self, agent: EmbeddedAgent, turn: FakeTurn) -> None:
        self.events: list[AgentEvent] = []
        self._changed = asyncio.Event()
        self.task = asyncio.create_task(self._run(agent, turn))

    async def _run(self, agent: EmbeddedAgent, turn: FakeTurn) -> None:
        async for event in agent.run(turn):
            self.events.append(event)
            self._changed.set()

    @property
    def answer(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    async def until_answering(self) -> None:
        while not self.answer:
            self._changed.clear()
            await self._changed.wait()

    async def cancelled(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task


async def answered(agent: EmbeddedAgent, turn: FakeTurn) -> Running:
    running = Running(agent, turn)
    await running.task
    return running


def past(*pairs: tuple[str, str]) -> list[Exchange]:
    return [
        Exchange(f"f{turn}", turn, text, answer, State.ANSWERED)
        for turn, (text, answer) in enumerate(pairs, 1)
    ]


LONG = "Tell me a very long story about a dog, a cat and a mouse."

# Where there is no model


async def test_a_damaged_model_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the file, and the next load tries again."""
    require_model_runtime()
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(1000))
    monkeypatch.setenv("AGENT_SHELL_MODEL_PATH", str(damaged))
    steps: list[Progress] = []
    agent = EmbeddedAgent(steps.append)
    for _ in range(2):
        with pytest.raises(ModelUnreachable, match=str(damaged)):
            await agent.load()
    assert [step.stage for step in steps] == ["loading", "loading"]
    await agent.close()


async def test_without_xllamacpp_the_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched for a model that cannot run here."""
    for entry in [entry for entry in sys.path if (Path(entry) / "xllamacpp").exists()]:
        monkeypatch.setattr(sys, "path", [other for other in sys.path if other != entry])
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    steps: list[Progress] = []
    with pytest.raises(ModelUnreachable, match="pip install xllamacpp"):
        await EmbeddedAgent(steps.append).load()
    assert steps == []


# The real model


def require_model_runtime() -> None:
    try:
        require_xllamacpp()
    except ModelUnreachable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def weights() -> Path:
    """The real weights, fetched into the user's cache if they are not there."""
    require_model_runtime()
    try:
        return ensure_weights(lambda _: None)
    except ModelUnreachable as error:
        pytest.skip(str(error))


Make = Callable[..., EmbeddedAgent]


@pytest.fixture
async def make(weights: Path) -> AsyncIterator[Make]:
    """Makes agents on the real model that are closed with the test."""
    agents: list[EmbeddedAgent] = []

    def make(window: int = 1024, max_tokens: int = 1024) -> EmbeddedAgent:
        agents.append(EmbeddedAgent(window=window, max_tokens=max_tokens))
        return agents[-1]

    yield make
    for agent in agents:
        await agent.close()


@pytest.mark.model
async def test_the_model_answers_in_pieces(make: Make) -> None:
    """An answer streams, is right, and ends with what it used."""
    turn = await answered(make(), FakeTurn("What is the capital of France?"))
    assert "Paris" in turn.answer
    assert len(turn.events) > 2
    usage = turn.events[-1]
    assert isinstance(usage, Usage)
    assert usage.input_tokens > 20
    assert 0 < usage.output_tokens < 30


@pytest.mark.model
async def test_the_model_knows_what_was_said_before(make: Make) -> None:
    """The history of the session is shown to it."""
    history = past(("My name is Anna.", "Hello Anna."))
    assert "Anna" in (await answered(make(), FakeTurn("What is my name?", history))).answer


@pytest.mark.model
async def test_concurrent_loads_are_one_load(make: Make) -> None:
    """Callers share it, and a cancelled caller leaves it to the others."""
    agent = make()
    cancelled, kept = asyncio.create_task(agent.load()), asyncio.create_task(agent.load())
    await asyncio.sleep(0)
    cancelled.cancel()
    await kept
    assert cancelled.cancelled()
    runtime = agent._runtime
    await agent.load()
    assert agent._runtime is runtime


@pytest.mark.model
async def test_a_cancelled_turn_is_over_when_it_says_so(make: Make) -> None:
    """Cancelled while it answers, it ends, and the model is free for the next one."""
    agent = make()
    running = Running(agent, FakeTurn(LONG))
    await running.until_answering()
    await running.cancelled()
    events = len(running.events)
    assert "Paris" in (await answered(agent, FakeTurn("What is the capital of France?"))).answer
    assert len(running.events) == events


@pytest.mark.model
async def test_a_turn_is_cancelled_while_the_model_reads(make: Make) -> None:
    """A prompt that takes seconds to read does not hold up a cancel."""
    agent = make(4096)
    running = Running(agent, FakeTurn("word " * 3000))
    await agent.load()
    await asyncio.wait({running.task}, timeout=0.3)
    await running.cancelled()
    assert running.events == []
    assert "Paris" in (await answered(agent, FakeTurn("What is the capital of France?"))).answer


@pytest.mark.model
async def test_sessions_share_the_model_in_order(make: Make) -> None:
    """A turn waits for the one before it; a waiting one can be cancelled."""
    agent = make(max_tokens=40)
    first = Running(agent, FakeTurn(LONG, key="a"))
    second = Running(agent, FakeTurn(LONG, key="b"))
    third = Running(agent, FakeTurn("What is the capital of France?", key="c"))
    await first.until_answering()
    assert second.events == third.events == []
    await second.cancelled()
    assert not first.task.done()
    await third.task
    assert first.task.done()
    assert "Paris" in third.answer
    assert second.events == []


@pytest.mark.model
async def test_old_turns_are_left_out_and_it_is_said_once(make: Make) -> None:
    """The notice comes when the cut moves, not with each turn."""
    agent = make(window=512, max_tokens=10)
    history = past(*[("Say yes, yes, yes and yes again.", "Yes, yes, yes and yes.")] * 20)
    notices = (await answered(agent, FakeTurn("Say no.", history))).notices
    assert "turns no longer fit the model's 512-token window and were left out." in notices[0]
    history += [Exchange("f21", 21, "Say no.", "No.", State.ANSWERED)]
    again = await answered(agent, FakeTurn("Say no.", history))
    assert not any("window" in notice for notice in again.notices)
    usage = again.events[-1]
    assert isinstance(usage, Usage)
    assert usage.extra["cached_tokens"] > 100


@pytest.mark.model
async def test_an_input_that_does_not_fit_fails_with_sizes(make: Make) -> None:
    """Nothing is cut out of an input in silence."""
    with pytest.raises(AgentError, match=r"384 fit into its 512-token window") as caught:
        await answered(make(window=512), FakeTurn("word " * 600))
    assert not isinstance(caught.value, ModelUnreachable)


@pytest.mark.model
async def test_an_answer_at_its_limit_says_so(make: Make) -> None:
    """A story that ends in the middle is not passed off as whole."""
    turn = await answered(make(max_tokens=5), FakeTurn(LONG))
    assert turn.notices == ["The answer was cut off at 5 tokens."]


@pytest.mark.model
async def test_steers_are_taken_before_the_model_is_asked(make: Make) -> None:
    """What was typed while the model loaded is part of the question."""
    turn = FakeTurn("Hello.")
    turn.steers = [FollowUp("s1", "What is the capital of France?", Lane.STEER, "me", 0.0)]
    assert "Paris" in (await answered(make(), turn)).answer
    assert turn.steers == []


@pytest.mark.model
async def test_control_characters_do_no_harm(make: Make) -> None:
    """NUL, escapes and rare scripts reach the model as they are."""
    turn = await answered(make(max_tokens=5), FakeTurn("Say \x00\x1b[31m yes \U0001f600 ß 漢\r\n"))
    assert turn.answer


@pytest.mark.model
async def test_a_model_that_died_is_unreachable_and_loaded_again(make: Make) -> None:
    """A crash in native code ends one process, and it is not this one."""
    agent = make()
    running = Running(agent, FakeTurn(LONG))
    await running.until_answering()
    assert agent._runtime
    assert agent._runtime._child
    agent._runtime._child._process.kill()
    with pytest.raises(ModelUnreachable, match="signal 9"):
        await running.task
    assert "Paris" in (await answered(agent, FakeTurn("What is the capital of France?"))).answer


@pytest.mark.model
@pytest.mark.skipif(sys.platform == "win32", reason="loop.add_signal_handler is POSIX only")
async def test_signals_stay_with_the_program(make: Make) -> None:
    """llama.cpp takes over SIGINT where it runs, and that is not here."""
    agent, interrupted = make(), asyncio.Event()
    await agent.load()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupted.set)
    os.kill(os.getpid(), signal.SIGINT)
    await interrupted.wait()
    loop.remove_signal_handler(signal.SIGINT)
    assert "Paris" in (await answered(agent, FakeTurn("What is the capital of France?"))).answer


# The end of the program

PROGRAM = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from test_embedded_agent import LONG, FakeTurn, Running
from agent_shell.agents.embedded import EmbeddedAgent

async def main():
    agent = EmbeddedAgent(window=1024)
    running = Running(agent, FakeTurn(LONG))
    await running.until_answering()
    print(agent._runtime._child._process.pid, flush=True)
    if sys.argv[2] == "exit":
        sys.exit(7)
    await running.task

asyncio.run(main())
"""


async def program(how: str) -> tuple[asyncio.subprocess.Process, int]:
    """A program that generates; and its model's process id."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-c", PROGRAM, str(Path(__file__).parent), how),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    return process, int(await process.stdout.readline())


async def gone(pid: int) -> None:
    """Waits until no such process runs any more (it may wait to be reaped)."""
    while _runs(pid):
        await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
async def test_a_program_that_exits_while_the_model_answers_exits(weights: Path) -> None:
    """With its exit code, without a word, and without leaving the model's process."""
    process, model = await program("exit")
    output, errors = await process.communicate()
    assert (process.returncode, output, errors) == (7, b"", b"")
    await gone(model)


@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
async def test_a_program_that_is_killed_takes_the_model_along(weights: Path) -> None:
    """The model's process ends with the pipe to its program."""
    process, model = await program("stay")
    process.kill()
    await process.wait()
    await gone(model)
