"""What the model is told of the turns before, whatever cut them off.

The scripted server refuses every history that the real one would, and the test with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from agent_shell import Exchange, Messages, State
from agent_shell.agents.base import AgentEvent
from agent_shell.agents.provider.agent import ProviderAgent
from providers.story import Asked, Story, call, request, result, say
from providers.wire_server import WireServer
from support_provider import HandTools, HandTurn, Run, agent_for, past, run

each_format = pytest.mark.parametrize(
    "model", ["openai-chat:gpt-4o", "openai:gpt-4o", "anthropic:claude-sonnet-5-5"]
)


def whole_turn() -> Story:
    """Two tools at once, another, and an answer; then whatever is asked next."""
    return Story(
        request(),
        say("I look."),
        call("read", path="a"),
        call("read", path="b"),
        request(),
        call("read", path="c"),
        request(),
        say("It is done."),
        request(),
        say("next"),
    )


async def cut_after(server: WireServer, agent: ProviderAgent, events: int) -> Run:
    """The turn up to that many of its events, as the engine would have heard them."""
    server.brain, heard = whole_turn(), Run()
    turn = cast("AsyncGenerator[AgentEvent]", agent.run(HandTurn()))
    async with contextlib.aclosing(turn) as stream:
        async for event in stream:
            heard.events.append(event)
            if len(heard.events) == events:
                break
    return heard


async def asked_next(server: WireServer, agent: ProviderAgent, turn: HandTurn) -> Asked:
    """The first request of another turn, answered by whatever the model says next."""
    server.brain = Story(request(), say("next"))
    done = await run(agent, turn)
    assert done.error is None
    assert done.text == "next"
    return server.asked[-1]


async def lengths(server: WireServer, agent: ProviderAgent) -> int:
    return len((await cut_after(server, agent, -1)).events)


@each_format
@pytest.mark.parametrize("state", [State.CANCELLED, State.INTERRUPTED, State.FAILED])
async def test_a_turn_that_was_cut_anywhere_leaves_a_history_that_is_taken(
    model: str, state: State
):
    """After a cut at any event the next turn is answered, and the model knows of the cut."""
    async with WireServer(Story()) as server:
        agent = agent_for(server, model, toolset=HandTools())
        for events in range(1, await lengths(server, agent)):
            heard = await cut_after(server, agent, events)
            before = heard.exchange(HandTurn(), state)
            turn = HandTurn("and now?", past=[before], id="f2", number=2)
            asked = await asked_next(server, agent, turn)
            note = "on purpose" if state is State.CANCELLED else "broke off"
            assert any(note in text for text in asked.users)
            assert "may have done part" in "".join(asked.users)
            assert asked.users[-1].endswith("and now?")


@each_format
async def test_a_turn_that_runs_again_is_gone_on_with(model: str):
    """Its input stands there once; what it had done and said is there, and is to be continued."""
    async with WireServer(Story()) as server:
        agent = agent_for(server, model, toolset=HandTools())
        for events in range(1, await lengths(server, agent)):
            heard = await cut_after(server, agent, events)
            before = heard.exchange(HandTurn(), State.QUEUED)
            asked = await asked_next(server, agent, HandTurn(past=[before], number=2))
            told = "\n".join(asked.users)
            assert told.count("hello") == 1
            produced = any(message["kind"] == "response" for message in heard.messages)
            assert ("Go on with it" in told) == (produced or bool(heard.text))


@each_format
async def test_a_turn_that_ran_twice_is_told_as_one(model: str):
    """Later turns see the input once, both parts of the answer, and where it broke off."""
    async with WireServer(whole_turn()) as server:
        agent = agent_for(server, model, toolset=HandTools())
        first = await cut_after(server, agent, 5)
        before = first.exchange(HandTurn(), State.QUEUED)
        turn = HandTurn(past=[before], number=2)
        server.brain = Story(request(), say("the rest"))
        second = await run(agent, turn)
        after = second.exchange(turn)
        asked = await asked_next(
            server, agent, HandTurn("and now?", [before, after], id="f2", number=3)
        )
    told = "\n".join(said.text for said in asked.said if said.role != "system")
    assert told.count("hello") == 1
    assert told.index("I look.") < told.index("Go on with it") < told.index("the rest")


@each_format
async def test_an_input_that_was_edited_meanwhile_is_a_new_one(model: str):
    """Where the text is another one, what was asked before is told as broken off."""
    before = past("helo", "I do not", State.QUEUED, id="f1")
    async with WireServer(Story()) as server:
        agent = agent_for(server, model)
        asked = await asked_next(server, agent, HandTurn("hello", past=[before], number=2))
    assert "broke off" in "\n".join(asked.users)
    assert asked.users[-1].endswith("hello")


@each_format
async def test_turns_of_other_agents_are_told_by_their_texts(model: str):
    """What kept no messages, or some that can't be read, is told as input and answer."""
    foreign = ({"kind": "response", "parts": "?"}, {"odd": 1})
    turns = [
        past("one", "first answer"),
        past("two", "", State.FAILED),
        past("three", "third answer", messages=foreign),
    ]
    async with WireServer(Story()) as server:
        agent = agent_for(server, model)
        asked = await asked_next(server, agent, HandTurn("four", past=turns, id="f4"))
    told = "\n".join(said.text for said in asked.said)
    for text in ("one", "first answer", "two", "three", "third answer", "four"):
        assert text in told


@each_format
async def test_a_history_may_begin_in_the_middle(model: str):
    """Where older turns are left out, what is left is told as a conversation all the same."""
    async with WireServer(whole_turn()) as server:
        agent = agent_for(server, model, toolset=HandTools())
        first = await cut_after(server, agent, 6)
        messages = first.messages
        for start in range(len(messages)):
            rest = Exchange("f1", 1, "hello", "", State.ANSWERED, messages=messages[start:])
            await asked_next(server, agent, HandTurn("and now?", past=[rest], id="f2"))


@each_format
async def test_what_a_turn_kept_is_what_the_next_one_sends(model: str):
    """The messages of a turn come back as they were sent: a provider's cache still holds."""
    async with WireServer(whole_turn()) as server:
        agent = agent_for(server, model, toolset=HandTools())
        done = await run(agent, HandTurn())
        last = server.asked[-1].said
        before = done.exchange(HandTurn())
        asked = await asked_next(server, agent, HandTurn("and now?", past=[before], id="f2"))
    assert asked.said[: len(last)] == last


@each_format
async def test_a_steer_stays_at_its_place(model: str):
    """Later turns see what steered a turn where it went in."""
    script = Story(request(), call("read", path="a"), result("read"), say("I see."))
    turn = HandTurn(steers={"before request 2": ["the other one"]})
    async with WireServer(script) as server:
        agent = agent_for(server, model, toolset=HandTools())
        done = await run(agent, turn)
        before = done.exchange(turn)
        asked = await asked_next(server, agent, HandTurn("and now?", past=[before], id="f2"))
    assert [text for text in asked.users if text] == ["hello", "the other one", "and now?"]
    assert len(done.of(Messages)) == 5


@each_format
async def test_tools_that_are_gone_may_stand_in_the_history(model: str):
    """Without any tool the history still has its calls; Anthropic wants them declared."""
    async with WireServer(whole_turn()) as server:
        done = await run(agent_for(server, model, toolset=HandTools()), HandTurn())
        before = done.exchange(HandTurn())
        server.brain = Story(request(), call("read", path="z"), result("read", "no tool"), say("x"))
        done = await run(agent_for(server, model), HandTurn("more", past=[before], id="f2"))
    assert done.error is None
    assert done.text == "x"


@each_format
async def test_history_from_another_provider_is_taken(model: str):
    """A session may go on with another model: what one wrote, each other reads."""
    for other in ("openai-chat:gpt-4o", "openai:gpt-4o", "anthropic:claude-sonnet-5-5"):
        async with WireServer(whole_turn()) as server:
            agent = agent_for(server, model)
            done = await run(agent_for(server, other, toolset=HandTools()), HandTurn())
            before = done.exchange(HandTurn())
            await asked_next(server, agent, HandTurn("and now?", past=[before], id="f2"))
