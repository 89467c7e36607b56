"""A real server of somebody else's making: llama.cpp, with the embedded model behind it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_shell import Delta, ModelUnusable, Usage
from agent_shell.agents.embedded import ensure_weights_async
from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell.agents.provider.library.failures import WindowFull
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import parse
from support_provider import KEY, HandTools, HandTurn, past, run

pytestmark = pytest.mark.model
pytest.importorskip("xllamacpp")


@pytest.fixture
async def url(monkeypatch) -> AsyncIterator[str]:
    """The base URL of a server that runs for one test."""
    weights = await ensure_weights_async(lambda _: None)
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, str(Path(__file__).with_name("llama_server.py")), str(weights), KEY),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    address = (await server.stdout.readline()).decode().strip()
    assert address, f"the server ended with {await server.wait()}"
    monkeypatch.setenv("LLAMA_CPP_API_KEY", KEY)
    yield f"{address}/v1"
    server.kill()
    await server.wait()


def agent_at(url: str, **changes: object) -> ProviderAgent:
    return ProviderAgent(ProviderSettings(parse("llama.cpp:smollm2"), base_url=url, **changes))  # type: ignore[arg-type]


async def test_it_answers_with_usage(url: str):
    """Text streams, and the server's count of tokens is what the turn has used."""
    agent = agent_at(url, max_tokens=40)
    history = [past("Say A.", "A."), past("Say B.", "B.")]
    done = await run(agent, HandTurn("What is the capital of France?", past=history))
    assert done.error is None
    assert "Paris" in done.text
    assert len(done.of(Delta)) > 3
    assert done.of(Usage)[-1].input_tokens > 20
    await agent.close()


async def test_it_takes_tools_in_the_request(url: str):
    """Tools are no reason for it to refuse, though so small a model uses none."""
    agent = agent_at(url, max_tokens=30, toolset=HandTools())
    done = await run(agent, HandTurn("What is 1 + 1?"))
    assert done.error is None
    assert done.text
    await agent.close()


async def test_a_cancel_stops_it(url: str):
    """It ends the answer when the client goes, and answers the next turn at once."""
    agent = agent_at(url, max_tokens=1000)
    heard = asyncio.Event()

    async def listen() -> None:
        async for event in agent.run(HandTurn("Tell me a long story about a whale.")):
            if isinstance(event, Delta):
                heard.set()

    task = asyncio.create_task(listen())
    await heard.wait()
    begun = time.perf_counter()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert time.perf_counter() - begun < 0.2
    agent2 = agent_at(url, max_tokens=5)
    assert (await run(agent2, HandTurn("Say yes."))).error is None
    await agent.close()
    await agent2.close()


async def test_what_it_refuses_is_told_apart(url: str, monkeypatch):
    """A wrong key is the user's to mend; a prompt beyond its window fails the turn."""
    agent = agent_at(url)
    done = await run(agent, HandTurn("word " * 4000))
    assert isinstance(done.error, WindowFull)
    assert "longer than what the model" in str(done.error)
    await agent.close()
    monkeypatch.setenv("LLAMA_CPP_API_KEY", "sk-a-wrong-key")
    agent = agent_at(url)
    done = await run(agent, HandTurn())
    assert type(done.error) is ModelUnusable
    await agent.close()
