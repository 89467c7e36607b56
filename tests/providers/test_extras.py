"""Providers whose libraries are extras: one turn, and what goes wrong, over their real clients.

They are skipped where the extra is not installed: pip install -e '.[google,groq,mistral]', and
of the rest bedrock, cohere, huggingface and xai.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from agent_shell import Delta, ModelUnusable, RateLimited, Usage
from agent_shell.agents.base import AgentEvent
from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import find_provider, parse
from agent_shell.errors import ModelUnreachable
from providers.story import (
    Cut,
    Forever,
    Garble,
    Refuse,
    Stall,
    Story,
    Used,
    call,
    html_page,
    refuse,
    request,
    result,
    say,
    user,
)
from providers.wire_server import WireServer
from support_provider import HandTools, HandTurn, NoSleep, Outcome, run

MODELS = ["google:gemini-2.5-flash", "groq:llama-3.3-70b-versatile", "mistral:mistral-large-2411"]


@pytest.fixture(params=MODELS)
def model(request: Any, monkeypatch: Any) -> str:
    """A model of each, where its library is installed; the scripted server knows its key."""
    name: str = request.param
    provider = parse(name).provider
    if not provider.installed:
        pytest.skip(provider.pip_line)
    monkeypatch.setenv(provider.keys[0], WireServer(Story()).key)
    return name


def agent_for(server: WireServer, model: str, **changes: Any) -> ProviderAgent:
    url = server.anthropic_url + ("/mistral" if model.startswith("mistral") else "")
    given: dict[str, Any] = {"base_url": url, "stall_s": 5.0, **changes}
    return ProviderAgent(ProviderSettings(parse(model), **given), sleep=NoSleep())


async def test_a_turn_with_a_tool(model: str):
    """Text, a call, its result and the answer, with what was used."""
    script = Story(
        user("what is in a?"),
        say("I look."),
        call("read", path="a"),
        Used(100, 10),
        result("read", "42"),
        say("It is 42."),
        Used(120, 8),
    )
    async with WireServer(script) as server:
        agent = agent_for(server, model, toolset=HandTools(Outcome("42")))
        done = await run(agent, HandTurn("what is in a?"))
        await agent.close()
    assert done.error is None
    assert done.text == "I look.\n\nIt is 42."
    used = done.of(Usage)[-1]
    assert (used.input_tokens, used.output_tokens) == (220, 18)


async def test_a_refused_key_holds_and_says_what_to_do(model: str):
    """The text names the variable and the keyring, and not the key that the server echoes."""
    async with WireServer(Story(Refuse(401, "bad key", echoes_key=True))) as server:
        done = await run(agent_for(server, model), HandTurn())
        assert len(server.asked) == 1
    assert isinstance(done.error, ModelUnusable)
    provider = parse(model).provider
    assert "does not accept the key" in str(done.error)
    assert f"set {provider.keys[0]}" in str(done.error)
    assert server.key not in str(done.error)


async def test_no_key_is_said_before_a_request(model: str, monkeypatch: Any):
    """So is what would mend it."""
    provider = parse(model).provider
    monkeypatch.delenv(provider.keys[0])
    async with WireServer(Story()) as server:
        done = await run(agent_for(server, model), HandTurn())
        assert server.asked == []
    assert isinstance(done.error, ModelUnusable)
    assert f"set {provider.keys[0]}" in str(done.error)


async def test_a_rate_limit_says_until_when(model: str):
    """The provider's time counts, and the library does not try again by itself."""
    async with WireServer(Story(refuse(429, "slow down", retry_after="7"))) as server:
        done = await run(agent_for(server, model), HandTurn())
        assert len(server.asked) == 1
    assert isinstance(done.error, RateLimited)
    assert done.error.retry_after_s == 7


async def test_a_model_that_is_not_there_is_said(model: str):
    """It holds; another try would not help."""
    async with WireServer(Story(refuse(404, "models/x is not found for this version"))) as server:
        done = await run(agent_for(server, model), HandTurn())
        assert len(server.asked) == 1
    assert isinstance(done.error, ModelUnusable)
    assert "has no model" in str(done.error)


@pytest.mark.parametrize(
    "fault", [refuse(500), refuse(503), html_page(502), Cut(), Stall()], ids=lambda f: str(f)[:16]
)
async def test_an_outage_is_tried_again_as_often_as_is_set(model: str, fault: Any):
    """By us alone, where it can be seen; then it is an outage."""
    script = Story(request(), fault, request(), fault)
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, tries=2, stall_s=0.5), HandTurn())
        assert len(server.asked) == 2
    assert isinstance(done.error, ModelUnreachable)
    assert type(done.error) is ModelUnreachable, done.error


async def test_an_answer_that_is_too_long_is_left(model: str):
    """The turn ends, and so does the connection, whoever still holds what it came to."""
    async with WireServer(Story(Forever("word" * 1_000 + " "))) as server:
        done = await run(agent_for(server, model, tries=1), HandTurn())
        asked = await server.request(1)
        await server.until(lambda: asked.gone_at is not None)
    assert "the answer was cut off" in str(done.error)


@pytest.mark.parametrize(
    "endless", [Garble("x" * 3_000_000), Refuse(500, "x" * 3_000_000)], ids=["line", "error"]
)
async def test_a_line_without_an_end_is_left(model: str, endless: Any, monkeypatch: Any):
    """What no event comes out of is bounded in bytes, whichever client reads it."""
    bounding = pytest.importorskip("agent_shell.agents.provider.library.bounding")
    monkeypatch.setattr(bounding, "_MOST", 1_000_000)
    async with WireServer(Story(endless)) as server:
        done = await run(agent_for(server, model, tries=1), HandTurn())
    assert type(done.error) is ModelUnreachable
    if isinstance(endless, Garble):  # of an error's page Groq's library says only that it failed
        assert "more than 1,000,000 bytes" in str(done.error)


async def test_a_turn_that_is_left_closes_its_answer(model: str):
    """Also where it was not waiting for the server just then."""
    async with WireServer(Story(Forever("word "))) as server:
        agent = agent_for(server, model)
        events = cast("AsyncGenerator[AgentEvent]", agent.run(HandTurn()))
        async for event in events:
            if isinstance(event, Delta):
                break
        await events.aclose()
        asked = await server.request(1)
        await server.until(lambda: asked.gone_at is not None)


@pytest.mark.parametrize(
    "name", ["bedrock:m", "cohere:m", "huggingface:a/m", "xai:m", *MODELS, "gateway/groq:m"]
)
async def test_a_client_is_made_off_the_loop(name: str, monkeypatch: Any):
    """Loading sends nothing, complains of nothing, and needs no loop in its thread."""
    provider = parse(name).provider
    if not provider.installed:
        pytest.skip(provider.pip_line)
    monkeypatch.setenv(provider.keys[0], "sk-test-0123456789")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("PYDANTIC_AI_GATEWAY_BASE_URL", "http://127.0.0.1:9")
    agent = ProviderAgent(ProviderSettings(parse(name)))
    await agent.load()
    await agent.close()


async def test_a_setting_that_a_library_lacks_is_not_complained_of(monkeypatch: Any):
    """Cohere's takes no time limit: that is not said on the terminal, at each request."""
    if not find_provider("cohere").installed:
        pytest.skip(find_provider("cohere").pip_line)
    async with WireServer(Story()) as server:
        monkeypatch.setenv("CO_API_KEY", server.key)
        monkeypatch.setenv("CO_BASE_URL", server.anthropic_url)
        agent = ProviderAgent(ProviderSettings(parse("cohere:command-a"), max_tokens=5))
        done = await run(agent, HandTurn())  # warnings are errors here
        await agent.close()
    assert "has no model" in str(done.error)


async def test_what_a_library_refuses_to_send_is_no_outage(monkeypatch: Any):
    """Hugging Face's looks at the key first: nothing is tried again, and its reason is said."""
    if not find_provider("huggingface").installed:
        pytest.skip(find_provider("huggingface").pip_line)
    monkeypatch.setenv("HF_TOKEN", "sk-not-theirs-0123")
    done = await run(ProviderAgent(ProviderSettings(parse("huggingface:a/m"))), HandTurn())
    assert isinstance(done.error, ModelUnusable)
    assert "auto-router" in str(done.error)
