"""Older turns as a summary, before the window is full."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pytest

from agent_shell import AgentError, Exchange, RateLimited, State, Usage
from agent_shell.errors import BudgetSpent
from agent_shell.state import Budget
from providers.story import (
    Asked,
    Part,
    Story,
    Truncated,
    Used,
    call,
    refuse,
    request,
    say,
    user,
)
from providers.wire_server import WireServer
from support_provider import HandTools, HandTurn, Outcome, agent_for, run

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


async def test_a_summary_that_is_longer_than_the_window_ends_no_session():
    """A small model may repeat itself; what is kept of it leaves room for the turns."""

    def repeating(asked: Asked) -> Sequence[Part]:
        if "You summarise" in asked.said[0].text:
            return [say("BEGIN " + "again " * 5_000 + "END")]
        return [say("now this")]

    async with WireServer(repeating, window=1_500) as server:
        agent = agent_for(server, MODEL, window=1_200)
        done = await run(agent, HandTurn("and now?", past=turns(8), number=9))
        told = server.asked[-1].users[0]
    assert done.error is None
    assert done.text == "now this"
    assert "BEGIN again" in told
    assert told.endswith("again END")


@pytest.mark.parametrize("window", [1_500, None])
async def test_a_conversation_in_any_script_outlives_its_window(window: int | None):
    """Providers count a letter of some scripts as a token or two, one of English as a quarter."""

    def chinese(asked: Asked) -> Sequence[Part]:
        if "You summarise" in asked.said[0].text:
            return [say("THE SUMMARY")]
        return [say("\u5b57" * 120), Used(len(json.dumps(asked.body)) // 4, 180)]

    past: list[Exchange] = []
    async with WireServer(chinese, window=1_500) as server:
        agent = agent_for(server, "openai-compatible:m", window=window)
        for number in range(1, 13):
            turn = HandTurn("\u95ee", past=past, id=f"id{number}", number=number)
            done = await run(agent, turn)
            assert done.error is None, number
            past.append(done.exchange(turn))
        assert "THE SUMMARY" in server.asked[-1].users[0]


async def test_what_an_empty_summary_has_used_is_counted():
    """Else a budget would not see it, though it may come at each turn."""
    script = Story(request(), say(" "), Used(900, 50), request(), say("x"), Used(10, 1))
    async with WireServer(script) as server:
        done = await run(agent_for(server, MODEL, window=1_200), HandTurn(past=turns(8), number=9))
    assert done.of(Usage)[-1].input_tokens == 910


async def test_a_rate_limit_on_the_summary_holds_the_turn():
    """Nothing is sent on without it: the turn comes again when the pause is over."""
    async with WireServer(Story(refuse(429, retry_after="9"))) as server:
        done = await run(agent_for(server, MODEL, window=1_200), HandTurn(past=turns(8), number=9))
    assert isinstance(done.error, RateLimited)
    assert done.messages == []


def summarising(asked: Asked) -> Sequence[Part]:
    """A model that does what it is told; it reads a file where it is asked to."""
    if "You summarise" in asked.said[0].text:
        return [say("THE SUMMARY")]
    if "read it" in asked.users[-1] and not asked.results:
        return [call("read", path="a")]
    return [say("now this")]


@each_format
async def test_a_refusal_for_a_full_window_is_mended_once(model: str):
    """Where nobody knew the window: older turns are summarised then, and the turn goes on."""
    async with WireServer(summarising, window=1_500) as server:
        agent = agent_for(server, model)
        turn = HandTurn("and now?", past=turns(12), id="id13", number=13)
        done = await run(agent, turn)
        assert len(server.asked) == 3
        more = HandTurn("more", past=[*turns(12), done.exchange(turn)], id="id14", number=14)
        assert (await run(agent, more)).error is None
        assert len(server.asked) == 4, "the summary is heeded from then on"
        told = "\n".join(said.text for said in server.asked[-1].said)
    assert done.error is None
    assert done.text == "now this"
    assert "window is full: older turns are being summarised" in done.notices[0]
    assert "THE SUMMARY" in told
    assert "question 1\n" not in told
    assert told.index("question 12") < told.index("and now?") < told.index("more")


async def test_a_window_that_a_refusal_has_told_is_heeded_from_then_on():
    """The next turns are summarised before they are refused, and it is shown with what is used."""
    async with WireServer(summarising, window=1_500) as server:
        agent = agent_for(server, "openai-compatible:m")
        first = await run(agent, HandTurn("and now?", past=turns(12), id="id13", number=13))
        assert len(server.asked) == 3, "the refused one, the summary and the answer"
        again = await run(agent, HandTurn("and then?", past=turns(12), id="id14", number=14))
        assert len(server.asked) == 5
    assert again.error is None
    assert "nearly full" in again.notices[0]
    assert first.of(Usage)[-1].extra["window"] == 1_500


@each_format
async def test_a_window_that_a_tool_has_filled_is_mended_in_the_turn(model: str):
    """What the turn has done stays as it is, once, behind the summary."""
    tools = HandTools(Outcome("found " * 300))
    async with WireServer(summarising, window=1_500) as server:
        agent = agent_for(server, model, toolset=tools)
        done = await run(agent, HandTurn("read it", past=turns(8), id="id9", number=9))
        last = server.asked[-1]
    assert done.error is None
    assert done.text == "now this"
    assert len(tools.called) == 1
    assert last.users[-1] == "read it"
    assert [text.startswith("found found") for _, text in last.results] == [True]


async def test_a_window_of_unknown_size_is_found_out():
    """Half of what was refused is tried first, then less, as the summary is refused, too."""
    full = refuse(400, "the prompt is too long")
    script = Story(
        request(), full, request(), full, request(), say("SUMMARY"), user("now?"), say("this")
    )
    async with WireServer(script) as server:
        agent = agent_for(server, "openai-compatible:m")
        done = await run(agent, HandTurn("now?", past=turns(12), id="id13", number=13))
        sizes = [len(str(asked.body)) for asked in server.asked]
    assert done.error is None
    assert sizes[0] > sizes[1] > sizes[2]


async def test_a_conversation_that_is_too_long_says_what_to_do():
    """Where summaries are no help, or not wanted, the way out is named after a few tries."""
    for compact, most in ((True, 5), (False, 1)):
        async with WireServer(lambda _: [refuse(400, "the prompt is too long")]) as server:
            agent = agent_for(server, "openai-compatible:m", compact=compact)
            done = await run(agent, HandTurn(past=turns(30), number=31))
            assert len(server.asked) <= most
        assert isinstance(done.error, AgentError)
        assert "longer than what the model" in str(done.error)


@each_format
async def test_an_answer_may_be_as_long_as_the_budget_lets_it(model: str):
    """The provider is told how many tokens are left; cut off for that, the session holds."""
    name = {
        "openai-chat:gpt-4o": "max_completion_tokens",
        "openai:gpt-4o": "max_output_tokens",
    }.get(model, "max_tokens")
    script = Story(request(), say("It is a long"), Truncated(), Used(20, 70))
    async with WireServer(script) as server:
        turn = HandTurn(allowance=Budget(tokens=100))
        done = await run(agent_for(server, model), turn)
        assert 80 < server.asked[0].body[name] < 100
    assert isinstance(done.error, BudgetSpent)
    assert done.text == "It is a long"


async def test_a_request_that_the_budget_has_no_room_for_is_not_sent():
    """It says how much is left, and how much it would take."""
    script = Story(request(), call("read", path="a"), Used(60, 10))
    async with WireServer(script) as server:
        turn = HandTurn("word " * 100, allowance=Budget(tokens=100))
        done = await run(agent_for(server, MODEL, toolset=HandTools()), turn)
        assert len(server.asked) == 1
    assert isinstance(done.error, BudgetSpent)
    assert "30 are left" in str(done.error)


async def test_a_turns_first_request_is_sent_whatever_it_takes():
    """Whoever grants a small budget again and again gets on with a long conversation."""
    async with WireServer(Story(request(), say("yes"))) as server:
        turn = HandTurn("word " * 500, allowance=Budget(tokens=100))
        done = await run(agent_for(server, MODEL), turn)
        assert server.asked[0].body["max_completion_tokens"] == 100
    assert (done.error, done.text) == (None, "yes")


async def test_a_model_that_writes_less_than_the_budget_lets_it_is_asked_again():
    """Some refuse to be told of more than they can write: then they are not told."""
    said = "max_tokens is too large: 99900. This model supports at most 4096 completion tokens"
    async with WireServer(Story(request(), refuse(400, said), request(), say("hi"))) as server:
        turn = HandTurn(allowance=Budget(tokens=100_000))
        done = await run(agent_for(server, MODEL), turn)
        assert "max_completion_tokens" not in server.asked[1].body
    assert (done.error, done.text) == (None, "hi")


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


@pytest.mark.parametrize(
    ("budget", "used", "said"),
    [
        (Budget(cost_usd=1.0), Used(5, 3), "what this model costs"),
        (Budget(tokens=100), Used(0, 0), "does not count the tokens"),
        (Budget(turns=3), Used(0, 0), ""),
        (Budget(tokens=100), Used(5, 3), ""),
    ],
)
async def test_a_budget_that_nobody_counts_is_said_not_to_hold(
    budget: Budget, used: Used, said: str
):
    """Whoever has set it relies on it; a turn says so once."""
    script = Story(request(), call("read", path="a"), used, request(), say("x"), used)
    async with WireServer(script) as server:
        agent = agent_for(server, "openai-compatible:m", toolset=HandTools(Outcome("a")))
        done = await run(agent, HandTurn(allowance=budget))
    assert done.error is None
    assert len(done.notices) == bool(said)
    assert said in "".join(done.notices)
