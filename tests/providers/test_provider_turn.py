"""One turn with a model of a provider, over the real formats."""

from __future__ import annotations

import asyncio

import pytest

from agent_shell import AgentError, Messages, ModelUnusable, ToolCall, ToolResult, Usage
from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import parse
from providers.story import Call, Garble, Refuse, Truncated, Used, call, request, result, say, user
from providers.story import Story as Script
from providers.wire_server import WireServer, every
from support_provider import HandTools, HandTurn, Outcome, agent_for, run

each_format = pytest.mark.parametrize(
    "model", ["openai-chat:gpt-4o", "openai:gpt-4o", "anthropic:claude-sonnet-5-5"]
)


@each_format
async def test_an_answer_comes_piece_by_piece(model: str):
    """Text is yielded as it comes, and what it used at the end, with its price and window."""
    async with WireServer(Script(user("hello"), say("one two three"), Used(1000, 10, 400))) as s:
        done = await run(agent_for(s, model), HandTurn())
    assert done.error is None
    assert done.text == "one two three"
    assert len([e for e in done.events if type(e).__name__ == "Delta"]) > 1
    (usage,) = done.of(Usage)
    assert (usage.input_tokens, usage.output_tokens) == (1000, 10)
    assert usage.extra["cached_tokens"] == 400
    assert usage.extra["context_tokens"] == 1010
    assert usage.extra["window"] in (128_000, 1_000_000)
    assert 0 < usage.extra["cost_usd"] < 0.01


@each_format
async def test_bytes_may_be_split_anywhere(model: str):
    """A stream that comes in single bytes is read as the same."""
    script = Script(say("größer 🦊"), call("read", path="ä🦊"), result("read"), say("done"))
    tools = HandTools(Outcome("1"))
    async with WireServer(script, pieces=every(1)) as server:
        done = await run(agent_for(server, model, toolset=tools), HandTurn())
    assert done.error is None
    assert done.text == "größer 🦊\n\ndone"
    assert tools.called == [("read", {"path": "ä🦊"})]


@each_format
async def test_tools_are_used_in_their_order(model: str):
    """Each call has its result, in order, and the texts of two answers stand apart."""
    script = Script(
        user("hello"),
        say("I look."),
        call("read", path="a.py"),
        call("read", path="b.py"),
        result("read", "A"),
        result("read", "B is gone"),
        say("Done."),
    )
    tools = HandTools(Outcome("A"), Outcome("B is gone", ok=False))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, toolset=tools), HandTurn())
    assert done.error is None
    assert done.text == "I look.\n\nDone."
    assert tools.called == [("read", {"path": "a.py"}), ("read", {"path": "b.py"})]
    calls, results = done.of(ToolCall), done.of(ToolResult)
    assert [c.arguments for c in calls] == [{"path": "a.py"}, {"path": "b.py"}]
    assert [(r.call, r.ok, r.text) for r in results] == [
        (calls[0].call, True, "shown"),
        (calls[1].call, False, "shown"),
    ]


@each_format
async def test_what_was_done_is_kept_as_soon_as_it_is_whole(model: str):
    """The input, each response and each result are handed over before anything after them."""
    script = Script(call("read", path="a"), result("read"), say("Done."))
    tools = HandTools(Outcome("A"))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, toolset=tools), HandTurn())
    assert [type(e).__name__ for e in done.events if not hasattr(e, "input_tokens")] == [
        "Messages",  # the input
        "Messages",  # the call
        "ToolCall",
        "Messages",  # the result
        "ToolResult",
        "Delta",
        "Messages",  # the answer
    ]
    assert all(len(event.messages) == 1 for event in done.of(Messages))


@each_format
async def test_arguments_that_are_no_json_are_told_to_the_model(model: str):
    """A call that can't be read does nothing; the model is told, and goes on."""
    script = Script(Call("read", '{"path": '), result("read", "no JSON"), say("Sorry."))
    tools = HandTools()
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, toolset=tools), HandTurn())
    assert done.error is None
    assert done.text == "Sorry."
    assert tools.called == []


@each_format
async def test_arguments_that_are_cut_off_are_told_as_such(model: str):
    """As a lack of room, so that the model does not write as much again."""
    cut = Call("write", '{"path": "a", "content": "long')
    script = Script(cut, Truncated(), result("write", "Write less at once"), say("Sorry."))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, toolset=HandTools(names=("write",))), HandTurn())
    assert done.text == "Sorry."


@each_format
async def test_calls_that_no_provider_takes_back_are_mended(model: str):
    """Ids twice, again or too long, names with odd letters: each call has its own result.

    The server refuses a history with any of them, and would refuse every later one.
    """
    calls = [Call("read", {"path": path}, id) for path, id in (("a", "x"), ("b", "x"))]
    odd = Call("rm -rf\x1b[31m", {"path": "c"}, "i" * 100)
    script = Script(
        *calls,
        odd,
        result("read", "first"),
        result("read", "second"),
        result("rm_-rf__31m"),
        Call("read", {"path": "d"}, "x"),
        result("read", "fourth"),
        say("Done."),
    )
    tools = HandTools(*map(Outcome, ("first", "second", "third", "fourth")))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, toolset=tools), HandTurn())
    assert done.error is None
    assert done.text == "Done."
    assert len({used.call for used in done.of(ToolCall)}) == 4


async def test_an_answer_is_unicode_whatever_comes():
    """Half a letter would fit no later request; two halves in two pieces are one letter."""
    script = Script(
        Garble(_delta(r"a\ud83d")),
        Garble(_delta(r"\ude00 b \ud83d")),
        Garble(_delta(" c")),
        say(""),
        user("next"),
        say("d"),
    )
    async with WireServer(script) as server:
        agent = agent_for(server, "openai-chat:gpt-4o")
        first, turn = HandTurn("go"), HandTurn("next", id="f2", number=2)
        done = await run(agent, first)
        turn.past = [done.exchange(first)]
        again = await run(agent, turn)
    assert ascii(done.text) == ascii("a\U0001f600 b \ufffd c")
    assert again.text == "d"


def _delta(text: str) -> str:
    head = '{"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": '
    return head + f'[{{"index": 0, "delta": {{"content": "{text}"}}, "finish_reason": null}}]}}'


@each_format
async def test_a_steer_goes_in_before_the_next_request(model: str):
    """It stands after the results of the tools, says where it went in, and is kept there."""
    script = Script(
        call("read", path="a"), result("read", "A"), user("the other one"), say("I see.")
    )
    turn = HandTurn(steers={"before request 2": ["the other one"]})
    async with WireServer(script) as server:
        agent = agent_for(server, model, toolset=HandTools(Outcome("A")))
        done = await run(agent, turn)
        assert done.error is None
    assert turn.taken == ["before request 1", "before request 2"]
    kinds = [message["parts"][0]["part_kind"] for message in done.messages]
    assert kinds == ["user-prompt", "tool-call", "tool-return", "user-prompt", "text"]


@each_format
async def test_an_answer_that_is_too_long_says_so(model: str):
    """What the model may write at most is no failure, and is said."""
    async with WireServer(Script(say("one two"), Truncated())) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert done.error is None
    assert done.text == "one two"
    assert "cut off" in done.notices[0]


async def test_an_answer_may_end_for_a_reason_of_its_own():
    """Servers name others than OpenAI's, as `eos`: the answer is whole all the same."""
    head = '{"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": '
    end = head + '[{"index": 0, "delta": {}, "finish_reason": "eos"}]}'
    stream = f"data: {_delta('hello')}\n\ndata: {end}\n\ndata: [DONE]\n\n"
    answer = Refuse(200, "", headers={"content-type": "text/event-stream"}, body=stream)
    async with WireServer(Script(answer)) as server:
        done = await run(agent_for(server, "openai-compatible:m"), HandTurn())
    assert done.error is None
    assert done.text == "hello"


@each_format
async def test_an_empty_answer_is_a_failure(model: str):
    """Nothing at all is no answer."""
    async with WireServer(Script(request(), Used(5, 0))) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert isinstance(done.error, AgentError)
    assert "empty" in str(done.error)


@each_format
async def test_a_cancelled_turn_closes_the_connection(model: str):
    """The server sees the client go within 200 ms, and nothing is yielded after."""
    from providers.story import Forever

    async with WireServer(Script(Forever("word "))) as server:
        agent = agent_for(server, model)
        heard = asyncio.Event()

        async def listen() -> None:
            async for event in agent.run(HandTurn()):
                if type(event).__name__ == "Delta":
                    heard.set()

        task = asyncio.create_task(listen())
        await heard.wait()
        asked = await server.request(1)
        loop = asyncio.get_running_loop()
        cancelled_at = loop.time()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.until(lambda: asked.gone_at is not None)
        assert asked.gone_at is not None
        print(f"cancel reached the server after {1000 * (asked.gone_at - cancelled_at):.1f} ms")
        assert asked.gone_at - cancelled_at < 0.2


async def test_nothing_is_sent_before_the_first_turn():
    """Loading makes no request."""
    async with WireServer(Script()) as server:
        agent = agent_for(server, "openai-chat:m")
        await agent.load()
        await agent.close()
        assert server.asked == []


async def test_a_missing_key_is_said_before_anything_is_loaded(monkeypatch):
    """Without a key the turn fails with what to do; nothing is tried."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    agent = ProviderAgent(ProviderSettings(parse("anthropic:claude-x")))
    with pytest.raises(ModelUnusable, match=r"ANTHROPIC_API_KEY.*models key anthropic"):
        await agent.load()


@each_format
@pytest.mark.parametrize("key", ["sk-SECRET\nSECRET", "sk-SECRET-\xe9"])
async def test_a_key_that_can_not_be_sent_is_said_and_not_shown(model, key, monkeypatch):
    """The libraries would complain of it with all that is in it."""
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(variable, key)
    async with WireServer(Script()) as server:
        done = await run(agent_for(server, model), HandTurn())
    assert isinstance(done.error, ModelUnusable)
    assert "_API_KEY has a line end in it" in str(done.error)
    assert "SECRET" not in str(done.error)


@each_format
async def test_a_question_beside_the_session_does_nothing(model: str):
    """The model is told of the tools, and whatever it calls is answered by a refusal."""
    script = Script(
        user("who?"),
        call("read", path="a"),
        result("read", "this is a question beside the session: answer it without a tool"),
        say("You."),
    )
    tools = HandTools(Outcome("A"))
    async with WireServer(script) as server:
        done = await run(agent_for(server, model, toolset=tools), HandTurn("who?", number=0))
    assert done.error is None
    assert done.text == "You."
    assert tools.called == []


async def test_a_turn_after_a_failed_load_tries_again(monkeypatch):
    """A key that is there meanwhile is used; nothing is remembered of its absence."""
    from agent_shell import ModelUnusable

    async with WireServer(Script(say("here"))) as server:
        monkeypatch.delenv("OPENAI_COMPATIBLE_BASE_URL", raising=False)
        agent = ProviderAgent(ProviderSettings(parse("openai-compatible:m")))
        assert isinstance((await run(agent, HandTurn())).error, ModelUnusable)
        monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", server.openai_url)
        assert (await run(agent, HandTurn())).text == "here"
