"""A request that fails: what is tried again, what holds the queue, what fails the turn."""

from __future__ import annotations

import datetime as dt
import email.utils

import pytest

from agent_shell import AgentError, ModelUnreachable, ModelUnusable, RateLimited, Usage
from agent_shell.agents.provider.library.failures import WindowFull
from providers.story import (
    Cut,
    ErrorEvent,
    Garble,
    Refuse,
    Stall,
    Story,
    call,
    html_page,
    refuse,
    request,
    result,
    say,
)
from providers.wire_server import WireServer
from support_provider import (
    KEY,
    HandTools,
    HandTurn,
    NoSleep,
    Outcome,
    agent_for,
    run,
)

each_format = pytest.mark.parametrize(
    "model", ["openai-chat:gpt-4o", "openai:gpt-4o", "anthropic:claude-sonnet-5-5"]
)


@each_format
@pytest.mark.parametrize("status", [500, 502, 503, 529])
async def test_an_outage_is_tried_again(model: str, status: int):
    """A server that fails is asked again, after pauses that double, and each is said."""
    clock = NoSleep()
    script = Story(
        request(), refuse(status), request(), refuse(status), request(), say("here I am")
    )
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, sleep=clock), HandTurn())
    assert done.error is None
    assert done.text == "here I am"
    assert clock.slept == [1.0, 2.0]
    assert [said.rpartition("; ")[2] for said in done.notices] == [
        "trying again in 1 s",
        "trying again in 2 s",
    ]


@each_format
async def test_an_outage_that_stays_holds_the_queue(model: str):
    """After the last try the model is unreachable, for the same turn to be run again."""
    script = Story(*[step for _ in range(3) for step in (request(), refuse(503, "down"))])
    async with WireServer(script) as server:
        done = await run(agent_for(server, model), HandTurn())
        assert len(server.asked) == 3
    assert type(done.error) is ModelUnreachable
    assert "down" in str(done.error)
    assert "tried 3 times" in str(done.error)


@each_format
async def test_a_server_that_is_not_there_is_an_outage(model: str):
    """A refused connection says where nobody listens."""
    async with WireServer(Story()) as server:
        agent = agent_for(server, model, tries=2)
        port = server.port
    done = await run(agent, HandTurn())
    assert type(done.error) is ModelUnreachable
    assert f"127.0.0.1:{port}" in str(done.error)


@each_format
@pytest.mark.parametrize("seconds", ["7", "0", "1.5"])
async def test_a_rate_limit_waits_as_long_as_it_says(model: str, seconds: str):
    """Retry-After in seconds is the wait, with a floor of one."""
    async with WireServer(Story(refuse(429, "slow down", retry_after=seconds))) as server:
        done = await run(agent_for(server, model), HandTurn())
        assert len(server.asked) == 1
    assert isinstance(done.error, RateLimited)
    assert done.error.retry_after_s == max(1.0, float(seconds))
    assert "slow down" in str(done.error)


@each_format
async def test_a_rate_limit_may_name_a_time(model: str):
    """Retry-After as an HTTP date is the wait until then."""
    when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    date = email.utils.format_datetime(when, usegmt=True)
    async with WireServer(Story(refuse(429, retry_after=date))) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert isinstance(done.error, RateLimited)
    assert 60 < done.error.retry_after_s <= 90


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after-ms": "2500"}, 2.5),
        ({"x-ratelimit-reset-requests": "1m30s", "x-ratelimit-reset-tokens": "20ms"}, 90.0),
        ({"x-ratelimit-reset-tokens": "soon"}, 30.0),
        ({"x-ratelimit-reset-tokens": "1.2.3s"}, 30.0),
        ({"retry-after": "nan"}, 30.0),
        ({"retry-after": "inf"}, 30.0),
        ({"retry-after": "999999999"}, 86_400.0),
        ({"retry-after": "Wed, 21 Oct 9999 07:28:00 GMT"}, 86_400.0),
        ({}, 30.0),
    ],
)
async def test_a_rate_limit_by_a_provider_s_own_headers(headers: dict[str, str], expected: float):
    """What else tells the time is heeded; where nothing does, half a minute is waited.

    And never longer than a day, whatever is said.
    """
    async with WireServer(Story(Refuse(429, "slow", headers=headers))) as server:
        done = await run(agent_for(server, "openai-chat:m"), HandTurn())
    assert isinstance(done.error, RateLimited)
    assert done.error.retry_after_s == expected


@each_format
@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (refuse(401, "who are you"), "does not accept the key"),
        (refuse(403, "not for you"), "does not accept the key"),
        (refuse(402, "pay first"), "no credit"),
        (refuse(404, "no such model"), "has no model"),
        (refuse(400, "model nonsense-1 does not exist"), "has no model"),
    ],
)
async def test_what_only_the_user_can_mend_says_how(model: str, refusal: Refuse, said: str):
    """No key, no credit and a wrong model are not tried again, and hold with what to do."""
    async with WireServer(Story(refusal)) as server:
        done = await run(agent_for(server, model), HandTurn())
        assert len(server.asked) == 1
    assert type(done.error) is ModelUnusable
    assert said in str(done.error)
    assert refusal.message in str(done.error)


async def test_a_quota_that_is_used_up_is_no_rate_limit():
    """OpenAI says with a 429 that there is no credit: waiting would not help."""
    refusal = Refuse(429, "You exceeded your current quota", kind="insufficient_quota")
    async with WireServer(Story(refusal)) as server:
        done = await run(agent_for(server, "openai-chat:m"), HandTurn())
    assert type(done.error) is ModelUnusable


@each_format
async def test_a_bad_request_fails_the_turn_alone(model: str):
    """What is wrong with this input is no reason to hold it for ever."""
    async with WireServer(Story(refuse(400, "image too large"))) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert type(done.error) is AgentError
    assert "image too large" in str(done.error)


@pytest.mark.parametrize(
    "said",
    [
        "request (4029 tokens) exceeds the available context size (2048 tokens), try increasing it",
        "the requested tokens exceed the context window of 4096",
        "prompt is too long: 5 tokens > 4 maximum",
    ],
)
async def test_a_window_that_is_exceeded_is_told_in_many_words(said: str):
    """Servers of one's own have their own words for it; the way out is the same."""
    async with WireServer(Story(refuse(400, said))) as server:
        done = await run(agent_for(server, "openai-compatible:m"), HandTurn())
    assert isinstance(done.error, AgentError)
    assert not isinstance(done.error, ModelUnusable | ModelUnreachable)
    assert "with a model that has a longer window" in str(done.error)


@each_format
async def test_a_web_page_is_not_shown_as_it_is(model: str):
    """The page of a proxy in between becomes one line."""
    script = Story(*[step for _ in range(3) for step in (request(), html_page(502))])
    async with WireServer(script) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert type(done.error) is ModelUnreachable
    assert "web page" in str(done.error)
    assert "<html" not in str(done.error)


@each_format
async def test_a_stall_is_an_outage(model: str):
    """No byte for as long as that is set is like no server; nothing is shown twice."""
    script = Story(request(), Stall(), request(), say("now"))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, stall_s=0.3), HandTurn())
    assert done.error is None
    assert done.text == "now"
    assert "0.3 s" in done.notices[0]


@each_format
async def test_a_stall_in_the_middle_keeps_what_came(model: str):
    """Once text was shown the request is not tried again: the turn can be gone on with."""
    async with WireServer(Story(say("one two"), Stall())) as server:
        done = await run(agent_for(server, model, stall_s=0.3), HandTurn())
        assert len(server.asked) == 1
    assert type(done.error) is ModelUnreachable
    assert done.text == "one two"


@each_format
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_a_cut_keeps_what_came(model: str, reset: bool):
    """A connection that ends in the middle of the answer leaves its part, and says so."""
    async with WireServer(Story(say("one two three"), Cut(reset))) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert type(done.error) is ModelUnreachable
    if not reset:  # what was on its way when a peer resets may be lost
        assert done.text == "one two three"
    assert "one two three".startswith(done.text)


@each_format
async def test_a_cut_before_anything_was_shown_is_tried_again(model: str):
    """Nobody saw a thing, so nobody sees it twice."""
    script = Story(request(), Cut(), request(), say("whole"))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert done.error is None
    assert done.text == "whole"


@each_format
async def test_garbage_in_the_stream_is_an_outage(model: str):
    """What is no JSON is not shown, and what came before it is kept."""
    async with WireServer(Story(say("one"), Garble())) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert type(done.error) is ModelUnreachable
    assert done.text == "one"


@each_format
async def test_a_stream_may_say_that_it_failed(model: str):
    """An error that comes inside a stream counts as the same error before it."""
    script = Story(say("one"), ErrorEvent("overloaded_error", "Overloaded"))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert type(done.error) is ModelUnreachable
    assert "Overloaded" in str(done.error)


@each_format
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_no_error_has_the_key(model: str, status: int):
    """A server that echoes the key has it taken out of all that is said, cause and all."""
    script = Story(
        *[s for _ in range(3) for s in (request(), Refuse(status, "no", echoes_key=True))]
    )
    async with WireServer(script) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert done.error is not None
    assert "[key]" in str(done.error)
    shown = [str(done.error), repr(done.error), *done.notices]
    assert not any(KEY in text for text in shown)
    assert done.error.__cause__ is None
    assert done.error.__suppress_context__


@each_format
async def test_a_failure_after_a_tool_keeps_what_was_done(model: str):
    """The calls, results and usage of the requests before are there when it fails."""
    script = Story(call("read", path="a"), result("read"), refuse(429, retry_after="3"))
    async with WireServer(script) as server:
        agent = agent_for(server, model, toolset=HandTools(Outcome("A")))
        done = await run(agent, HandTurn())
    assert isinstance(done.error, RateLimited)
    assert [m["parts"][0]["part_kind"] for m in done.messages] == [
        "user-prompt",
        "tool-call",
        "tool-return",
    ]
    assert len(done.of(Usage)) == 1


async def test_a_window_that_is_no_number_is_not_heeded():
    """The refusal is told all the same."""
    said = "This model's maximum context length is ,,,, tokens"
    refusal = Refuse(400, said, kind="context_length_exceeded")
    async with WireServer(Story(refusal)) as server:
        done = await run(agent_for(server, "openai-chat:m"), HandTurn())
    assert type(done.error) is WindowFull
    assert done.error.window is None
