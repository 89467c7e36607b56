"""Older turns as a summary, before the window is full."""

from __future__ import annotations

import dataclasses

import pytest

from agent_shell import AgentError, Exchange, RateLimited, State, Usage
from agent_shell.errors import BudgetSpent
from agent_shell.state import Budget
from providers.story import Story, Used, call, refuse, request, say, user
from providers.wire_server import WireServer
from support_provider import HandTools, HandTurn, agent_for, run

MODEL = "openai-chat:gpt-4o"
each_format = pytest.mark.parametrize(
    "model", ["openai-chat:gpt-4o", "openai:gpt-4o", "anthropic:claude-sonnet-5-5"]
)


def turns(count: int, words: int = 100) -> list[Exchange]:
    """So many turns, whose answers have so many words of four characters and a blank."""
    return [
        Exchange(f"id{n}", n, f"question {n}", f"answer {n}: " + "word " * words, State.ANSWERED)
        for n in range(1, count + 1)
    ]


@each_format
async def test_older_turns_are_summarised_before_the_window_is_full(model: str):
    """The model writes the summary, is told it in their place, and the user is told of it."""
    script = Story(
        user("question 1"),
        say("THE SUMMARY"),
        Used(900, 50),
        user("and now?"),
        say("now this"),
        Used(300, 10),
    )
    async with WireServer(script) as server:
        turn = HandTurn("and now?", past=turns(8), number=9)
        done = await run(agent_for(server, model, window=1_200), turn)
        first, second = server.asked
    assert done.error is None
    assert done.text == "now this"
    assert not any("and now?" in text for text in first.users)
    told = "\n".join(said.text for said in second.said)
    assert "THE SUMMARY" in told
    assert "question 1" not in told
    assert "question 8" in told
    assert "being summarised" in done.notices[0]
    assert "turns up to 6" in done.notices[1]
    assert done.of(Usage)[-1].input_tokens == 1_200


async def test_a_summary_is_used_until_the_next_one():
    """It is not written again, and stands for the same turns; a later one builds on it."""
    script = Story(request(), say("SUMMARY 1"), request(), say("one"))
    past = turns(8)
    async with WireServer(script) as server:
        agent = agent_for(server, MODEL, window=1_200)
        turn = HandTurn("nine", past=past, id="id9", number=9)
        done = await run(agent, turn)
        past.append(done.exchange(turn))
        server.brain = Story(user("ten"), say("two"))
        turn = HandTurn("ten", past=past, id="id10", number=10)
        done = await run(agent, turn)
        assert done.notices == []
        assert "SUMMARY 1" in server.asked[-1].users[0]
        past += [dataclasses.replace(e, turn=e.turn + 10) for e in turns(8)]
        server.brain = Story(user("SUMMARY 1"), say("SUMMARY 2"), request(), say("three"))
        done = await run(agent, HandTurn("last", past=past, id="last", number=30))
    assert done.text == "three"
    assert "SUMMARY 2" in server.asked[-1].users[0]
    assert "SUMMARY 1" not in "\n".join(server.asked[-1].users)


async def test_summaries_can_be_taken_back():
    """Without compaction the model is told every turn again, whatever summary there is."""
    script = Story(request(), say("SUMMARY"), request(), say("one"))
    past = turns(8)
    async with WireServer(script) as server:
        turn = HandTurn("nine", past=past, id="id9", number=9)
        done = await run(agent_for(server, MODEL, window=1_200), turn)
        past.append(done.exchange(turn))
        server.brain = Story(request(), say("two"))
        agent = agent_for(server, MODEL, window=1_200, compact=False)
        done = await run(agent, HandTurn("ten", past=past, id="id10", number=10))
    assert done.text == "two"
    told = "\n".join(server.asked[-1].users)
    assert "SUMMARY" not in told
    assert all(f"question {n}" in told for n in range(1, 9))


async def test_a_turn_that_runs_again_is_not_summarised_away():
    """What the running follow-up had done before stays as it is."""
    script = Story(request(), say("SUMMARY"), user("Go on with it"), say("rest"))
    broken = Exchange("f1", 9, "hello", "half an answer", State.QUEUED)
    async with WireServer(script) as server:
        turn = HandTurn("hello", past=[*turns(8, words=300), broken], number=10)
        done = await run(agent_for(server, MODEL, window=1_200), turn)
    assert done.text == "rest"
    told = "\n".join(said.text for said in server.asked[-1].said)
    assert "half an answer" in told


async def test_a_model_that_writes_no_summary_is_told_all():
    """The turn is not lost for it."""
    script = Story(request(), refuse(400, "no summaries here"), user("hello"), say("all right"))
    async with WireServer(script) as server:
        done = await run(agent_for(server, MODEL, window=1_200), HandTurn(past=turns(8), number=9))
    assert done.error is None
    assert done.text == "all right"
    assert "no summaries here" in done.notices[1]


async def test_a_rate_limit_on_the_summary_holds_the_turn():
    """Nothing is sent on without it: the turn comes again when the pause is over."""
    async with WireServer(Story(refuse(429, retry_after="9"))) as server:
        done = await run(agent_for(server, MODEL, window=1_200), HandTurn(past=turns(8), number=9))
    assert isinstance(done.error, RateLimited)
    assert done.messages == []


async def test_a_conversation_that_is_too_long_says_what_to_do():
    """Where the window is not known and the provider refuses, the way out is named."""
    async with WireServer(Story(), window=500) as server:
        agent = agent_for(server, "openai-compatible:m")
        done = await run(agent, HandTurn(past=turns(30), number=31))
    assert type(done.error) is AgentError
    assert "longer than what the model" in str(done.error)


async def test_the_budget_is_looked_at_before_each_request():
    """A turn that has used what it may ends before the next request, with what it did kept."""
    script = Story(request(), call("read", path="a"), Used(100, 20))
    async with WireServer(script) as server:
        turn = HandTurn(allowance=Budget(tokens=120))
        done = await run(agent_for(server, MODEL, toolset=HandTools()), turn)
        assert len(server.asked) == 1
    assert isinstance(done.error, BudgetSpent)
    assert [m["kind"] for m in done.messages] == ["request", "response", "request"]


async def test_summaries_can_be_undone_while_the_shell_runs():
    """Without `compact` the turns are told again, all of them; with it, the summary again."""
    script = Story(request(), say("SUMMARY"), request(), say("one"), request(), say("two"))
    async with WireServer(script) as server:
        agent = agent_for(server, MODEL, window=1_200)
        first = await run(agent, HandTurn("and now?", past=turns(8), number=9))
        kept = Exchange("f1", 9, "and now?", "one", State.ANSWERED, messages=first.messages)
        agent.compact = False
        second = await run(agent, HandTurn("more", past=[*turns(8), kept], id="f2", number=10))
        told = "\n".join(said.text for said in server.asked[-1].said)
    assert second.error is None
    assert "SUMMARY" not in told
    assert "question 1" in told
