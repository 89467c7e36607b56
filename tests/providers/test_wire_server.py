"""The scripted provider speaks the real formats: the providers' own clients understand it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from providers.story import (
    Asked,
    Cut,
    ErrorEvent,
    Forever,
    Garble,
    Part,
    Refuse,
    Said,
    Stall,
    Story,
    Truncated,
    Used,
    Wait,
    call,
    html_page,
    refuse,
    request,
    result,
    say,
    that,
    user,
)
from providers.wire_server import Pieces, WireServer, every, split_at

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")


@dataclass
class Heard:
    """What a client understood of an answer."""

    text: str = ""
    calls: list[tuple[str, str, Any]] | None = None
    input: int = 0
    output: int = 0
    cached: int = 0
    reason: str = ""


class Client(Protocol):
    """A provider's own client, asked one thing."""

    name: str

    def stream(self, server: WireServer, messages: list[Said]) -> AsyncIterator[str]: ...

    async def ask(self, server: WireServer, messages: list[Said]) -> Heard: ...

    @property
    def errors(self) -> Any: ...


class ChatClient:
    name = "chat"
    errors = openai

    def _messages(self, messages: list[Said]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for said in messages:
            if said.results:
                told += [
                    {"role": "tool", "tool_call_id": one.id, "content": one.text}
                    for one in said.results
                ]
                continue
            message: dict[str, Any] = {"role": said.role, "content": said.text}
            if said.calls:
                message["tool_calls"] = [
                    {
                        "id": one.id,
                        "type": "function",
                        "function": {"name": one.tool, "arguments": one.arguments},
                    }
                    for one in said.calls
                ]
            told.append(message)
        return told

    def _client(self, server: WireServer) -> Any:
        return openai.AsyncOpenAI(
            api_key=server.key,
            base_url=server.openai_url,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(verify=False),  # no time for certificates
        )

    async def stream(self, server: WireServer, messages: list[Said]) -> AsyncIterator[str]:
        async with (
            self._client(server) as client,
            client.chat.completions.stream(
                model="m",
                messages=self._messages(messages),
                tools=[{"type": "function", "function": {"name": "read", "parameters": {}}}],
            ) as stream,
        ):
            async for event in stream:
                if event.type == "content.delta":
                    yield event.delta

    async def ask(self, server: WireServer, messages: list[Said]) -> Heard:
        async with self._client(server) as client:
            manager = client.chat.completions.stream(
                model="m",
                messages=self._messages(messages),
                tools=[{"type": "function", "function": {"name": "read", "parameters": {}}}],
                stream_options={"include_usage": True},
            )
            async with manager as stream:
                done = await stream.get_final_completion()
        choice, usage = done.choices[0], done.usage
        return Heard(
            choice.message.content or "",
            [
                (one.id, one.function.name, json.loads(one.function.arguments))
                for one in choice.message.tool_calls or ()
            ],
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.prompt_tokens_details.cached_tokens,
            choice.finish_reason,
        )


class ResponsesClient:
    name = "responses"
    errors = openai

    def _input(self, messages: list[Said]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for said in messages:
            if said.text:
                told.append({"role": said.role, "content": said.text})
            told += [
                {
                    "type": "function_call",
                    "call_id": one.id,
                    "name": one.tool,
                    "arguments": one.arguments,
                }
                for one in said.calls
            ]
            told += [
                {"type": "function_call_output", "call_id": one.id, "output": one.text}
                for one in said.results
            ]
        return told

    def _stream(self, client: Any, messages: list[Said]) -> Any:
        return client.responses.stream(
            model="m",
            input=self._input(messages),
            tools=[{"type": "function", "name": "read", "parameters": {}, "strict": False}],
        )

    def _client(self, server: WireServer) -> Any:
        return openai.AsyncOpenAI(
            api_key=server.key,
            base_url=server.openai_url,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(verify=False),  # no time for certificates
        )

    async def stream(self, server: WireServer, messages: list[Said]) -> AsyncIterator[str]:
        async with self._client(server) as client, self._stream(client, messages) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    yield event.delta
                if event.type == "response.failed":
                    raise openai.APIError(event.response.error.message, None, body=None)

    async def ask(self, server: WireServer, messages: list[Said]) -> Heard:
        async with self._client(server) as client, self._stream(client, messages) as stream:
            done = None
            async for event in stream:
                if event.type in ("response.completed", "response.incomplete"):
                    done = event.response
        assert done is not None
        calls = [item for item in done.output if item.type == "function_call"]
        usage = done.usage
        return Heard(
            done.output_text,
            [(one.call_id, one.name, json.loads(one.arguments)) for one in calls],
            usage.input_tokens,
            usage.output_tokens,
            usage.input_tokens_details.cached_tokens,
            done.incomplete_details.reason if done.incomplete_details else done.status,
        )


class MessagesClient:
    name = "messages"
    errors = anthropic

    def _messages(self, messages: list[Said]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for said in messages:
            content: list[dict[str, Any]] = [
                {"type": "tool_result", "tool_use_id": one.id, "content": one.text}
                for one in said.results
            ]
            if said.text:
                content.append({"type": "text", "text": said.text})
            content += [
                {
                    "type": "tool_use",
                    "id": one.id,
                    "name": one.tool,
                    "input": json.loads(one.arguments),
                }
                for one in said.calls
            ]
            role = "assistant" if said.role == "assistant" else "user"
            told.append({"role": role, "content": content})
        return told

    def _stream(self, client: Any, messages: list[Said]) -> Any:
        return client.messages.stream(
            model="m",
            max_tokens=1000,
            messages=self._messages(messages),
            tools=[{"name": "read", "input_schema": {"type": "object"}}],
        )

    def _client(self, server: WireServer) -> Any:
        return anthropic.AsyncAnthropic(
            api_key=server.key,
            base_url=server.anthropic_url,
            max_retries=0,
            http_client=anthropic.DefaultAsyncHttpxClient(verify=False),
        )

    async def stream(self, server: WireServer, messages: list[Said]) -> AsyncIterator[str]:
        async with self._client(server) as client, self._stream(client, messages) as stream:
            async for text in stream.text_stream:
                yield text

    async def ask(self, server: WireServer, messages: list[Said]) -> Heard:
        async with self._client(server) as client, self._stream(client, messages) as stream:
            done = await stream.get_final_message()
        return Heard(
            "".join(block.text for block in done.content if block.type == "text"),
            [(one.id, one.name, one.input) for one in done.content if one.type == "tool_use"],
            done.usage.input_tokens + (done.usage.cache_read_input_tokens or 0),
            done.usage.output_tokens,
            done.usage.cache_read_input_tokens or 0,
            done.stop_reason,
        )


CLIENTS: list[Client] = [ChatClient(), ResponsesClient(), MessagesClient()]

each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)

HELLO = [Said("user", "hello")]
"""The shortest conversation."""


@each_client
async def test_text_and_calls_arrive_as_scripted(client: Client):
    """Words, calls with their arguments, usage and the reason of the end are what was said."""
    story = Story(
        user("hello"),
        say("Ich suche: größer — 🦊."),
        call("read", path="ä/🦊.py", lines=[1, 2]),
        call("read", path="b.py"),
        Used(120, 30, cached=100),
    )
    async with WireServer(story) as server:
        heard = await client.ask(server, HELLO)
    assert heard.text == "Ich suche: größer — 🦊."
    assert heard.calls is not None
    assert [one[1:] for one in heard.calls] == [
        ("read", {"path": "ä/🦊.py", "lines": [1, 2]}),
        ("read", {"path": "b.py"}),
    ]
    assert len({one[0] for one in heard.calls}) == 2
    assert (heard.input, heard.output, heard.cached) == (120, 30, 100)
    assert story.left == 0


@each_client
async def test_a_conversation_goes_on_over_a_result(client: Client):
    """The story sees the result of the tool that it called, whatever the format."""
    story = Story(
        user("hello"),
        call("read", path="a.py"),
        result("read", "42"),
        that("the whole history is there", lambda asked: asked.users == ["hello"]),
        say("It is 42."),
    )
    async with WireServer(story) as server:
        heard = await client.ask(server, HELLO)
        assert heard.calls is not None
        id, tool, arguments = heard.calls[0]
        history = [*HELLO, *_used(id, tool, json.dumps(arguments), "it says 42")]
        assert (await client.ask(server, history)).text == "It is 42."


def _used(id: str, tool: str, arguments: str, result: str) -> list[Said]:
    from providers.story import Called, Returned

    return [
        Said("assistant", calls=(Called(id, tool, arguments),)),
        Said("tool", results=(Returned(id, result),)),
    ]


STORY: list[Part] = [say("größer 🦊"), call("read", path="🦊"), Used(9, 9)]


@each_client
async def test_a_stream_may_be_split_at_any_byte(client: Client):
    """Pieces of each size from a single byte on, and two pieces, are understood alike."""
    async with WireServer(lambda asked: STORY, pieces=every(100_000)) as server:
        whole = await client.ask(server, HELLO)
        length = server.asked[0].bytes_sent
    sizes = [every(size) for size in range(1, 24)]
    sizes += [split_at(offset) for offset in range(1, length, max(1, length // 60))]
    wholes = {(whole.text, str(whole.calls and whole.calls[0][1:]), whole.input)}
    gate = asyncio.Semaphore(8)

    async def ask(pieces: Pieces) -> Heard:
        async with gate, WireServer(lambda asked: STORY, pieces=pieces) as server:
            return await client.ask(server, HELLO)

    for heard in await asyncio.gather(*(ask(pieces) for pieces in sizes)):
        assert (heard.text, str(heard.calls and heard.calls[0][1:]), heard.input) in wholes


@each_client
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 503, 529])
async def test_a_refusal_is_the_client_s_own_error(client: Client, status: int):
    """Each status comes as the error that the real client raises, with its message."""
    async with WireServer(Story(refuse(status, "not today", retry_after="7"))) as server:
        with pytest.raises(client.errors.APIStatusError) as caught:
            await client.ask(server, HELLO)
    assert caught.value.status_code == status
    assert "not today" in str(caught.value)
    assert caught.value.response.headers["retry-after"] == "7"


@each_client
async def test_a_page_of_a_proxy_is_no_json(client: Client):
    """An HTML page comes as the text that it is."""
    async with WireServer(Story(html_page(502))) as server:
        with pytest.raises(client.errors.InternalServerError) as caught:
            await client.ask(server, HELLO)
    assert caught.value.response.text.startswith("<html>")


@each_client
async def test_a_wrong_key_is_refused_and_echoed(client: Client):
    """Without the right key there is a 401, whose message repeats what came."""
    async with WireServer(Story()) as server:
        server.key, right = "sk-other", server.key
        caught = pytest.raises(client.errors.AuthenticationError)
        with caught as error:
            server_key_was = _WithKey(server, right)
            await client.ask(server_key_was, HELLO)  # type: ignore[arg-type]
    assert right in str(error.value)


class _WithKey:
    """The server, as a client with another key knows it."""

    def __init__(self, server: WireServer, key: str) -> None:
        self.key = key
        self.openai_url = server.openai_url
        self.anthropic_url = server.anthropic_url


@each_client
async def test_the_key_may_come_back_in_an_error(client: Client):
    """A careless server's error has the key that it was sent."""
    async with WireServer(Story(Refuse(500, "broken", echoes_key=True))) as server:
        with pytest.raises(client.errors.APIStatusError) as caught:
            await client.ask(server, HELLO)
        assert server.key in str(caught.value)


@each_client
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_a_cut_comes_after_what_was_said(client: Client, reset: bool):
    """What was sent before a cut arrives; then the client sees a broken connection."""
    heard: list[str] = []
    async with WireServer(Story(say("one two"), Cut(reset))) as server:
        with pytest.raises(Exception) as caught:
            async for text in client.stream(server, HELLO):
                heard += [text]
    assert "".join(heard) in ("one two", "one", "")
    assert "rror" in type(caught.value).__name__


@each_client
async def test_a_stream_may_say_that_it_failed(client: Client):
    """An error inside a stream reaches the client as an error."""
    story = Story(say("one"), ErrorEvent("overloaded_error", "Overloaded"))
    async with WireServer(story) as server:
        with pytest.raises(client.errors.APIError, match="Overloaded"):
            async for _ in client.stream(server, HELLO):
                pass


@each_client
async def test_garbage_is_no_event(client: Client):
    """A line that is no JSON breaks the client's reading."""
    async with WireServer(Story(say("one"), Garble(), say("two"))) as server:
        with pytest.raises(ValueError):
            async for _ in client.stream(server, HELLO):
                pass


@each_client
async def test_an_answer_may_be_cut_for_its_length(client: Client):
    """The reason of the end says so."""
    async with WireServer(Story(say("and so"), Truncated())) as server:
        try:
            heard = await client.ask(server, HELLO)
        except openai.LengthFinishReasonError:
            return  # how one of the clients says it
    assert heard.reason in ("max_tokens", "max_output_tokens", "length")


@each_client
@pytest.mark.parametrize("endless", [Forever("on and "), Stall()], ids=["forever", "stall"])
async def test_the_server_sees_its_client_go(client: Client, endless: Part):
    """A client that leaves in the middle is recorded, with the time, and nothing is sent on."""
    async with WireServer(Story(say("one "), endless)) as server:
        async for _ in client.stream(server, HELLO):
            break
        asked = await server.request(1)
        await server.until(lambda: asked.gone_at is not None)
        assert not asked.complete


@each_client
async def test_nothing_is_sent_before_the_script_lets_it(client: Client):
    """Before a `Wait` at the start of an answer not even the head is sent."""
    go = asyncio.Event()
    async with WireServer(Story(Wait(go), say("late"))) as server:
        asking = asyncio.create_task(client.ask(server, HELLO))
        asked = await server.request(1)
        await server.until(lambda: bool(server.points))
        assert (asked.bytes_sent, asking.done()) == (0, False)
        go.set()
        assert (await asking).text == "late"


@each_client
async def test_a_point_is_told_before_each_event(client: Client):
    """`on_point` stands at every place of an answer at which something may happen."""
    sent: list[int] = []

    async def look(point: object) -> None:
        sent.append(server.asked[0].bytes_sent)

    async with WireServer(Story(say("one two three")), on_point=look) as server:
        await client.ask(server, HELLO)
        assert len(server.points) == len(set(server.points)) >= 6
    assert sent == sorted(sent)
    assert sent[0] == sent[1] == 0


@each_client
async def test_what_the_story_did_not_expect_fails_the_test(client: Client):
    """A request that the story does not know is refused, and kept as a violation."""
    with pytest.raises(AssertionError, match="expected that the user says 'bye'"):
        async with WireServer(Story(user("bye"), say("bye"))) as server:
            with pytest.raises(client.errors.BadRequestError):
                await client.ask(server, HELLO)


@each_client
async def test_an_invalid_history_is_refused(client: Client):
    """A call without its result gets the 400 of the real server, and is kept."""
    history = [*HELLO, _used("call_1", "read", "{}", "")[0], Said("user", "and?")]
    async with WireServer(Story(request(), say("never"))) as server:
        with pytest.raises(client.errors.BadRequestError, match="call_1"):
            await client.ask(server, history)
        assert "call_1" in server.violations[0]
        server.violations.clear()


@each_client
async def test_a_full_window_is_refused(client: Client):
    """A request with more tokens than the window gets the error that says so."""
    async with WireServer(Story(), window=100) as server:
        with pytest.raises(client.errors.BadRequestError, match="maximum"):
            await client.ask(server, [Said("user", "word " * 200)])


def test_news_are_what_came_since_the_model_spoke():
    """A request's news are its last messages, without what went before."""
    said = [Said("system", "s"), Said("user", "a"), Said("assistant", "b"), Said("user", "c")]
    asked = Asked("chat", {}, {}, said, 1, 0.0)
    assert (asked.news, asked.users) == ([Said("user", "c")], ["a", "c"])
