"""What the real servers refuse of a history, and that the validators refuse just that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from providers.valid_chat import check_chat
from providers.valid_messages import check_messages
from providers.valid_responses import check_responses

Body = dict[str, Any]
Wrong = Callable[[Body], None]


def _function(id: str, arguments: str = "{}") -> Body:
    return {"id": id, "type": "function", "function": {"name": "read", "arguments": arguments}}


CHAT: Body = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "read", "parameters": {}}}],
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "read both"},
        {"role": "assistant", "content": None, "tool_calls": [_function("a"), _function("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
        {"role": "tool", "tool_call_id": "a", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "and?"}]},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "more"},
    ],
}


def _set(*path: Any, to: Any) -> Wrong:
    def wrong(body: Body) -> None:
        place: Any = body
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return wrong


def _drop(*path: Any) -> Wrong:
    def wrong(body: Body) -> None:
        place: Any = body
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return wrong


def _swap(name: str, one: int, other: int) -> Wrong:
    def wrong(body: Body) -> None:
        items = body[name]
        items[one], items[other] = items[other], items[one]

    return wrong


def _insert(name: str, at: int, item: Body) -> Wrong:
    return lambda body: body[name].insert(at, item)


CHAT_FAULTS: dict[str, tuple[Wrong, str]] = {
    "no model": (_drop("model"), "model parameter"),
    "no messages": (_set("messages", to=[]), "too short"),
    "a result is missing": (_drop("messages", 3), "did not have response messages: b"),
    "a result comes too late": (_swap("messages", 4, 5), "did not have response messages: a"),
    "a result has no call": (_drop("messages", 2), "must be a response"),
    "a result comes twice": (
        _insert("messages", 5, {"role": "tool", "tool_call_id": "a", "content": "A"}),
        "must be a response",
    ),
    "a call at the end": (lambda body: body["messages"].__delitem__(slice(3, None)), "a, b"),
    "no calls in a list": (_set("messages", 2, "tool_calls", to=[]), "too short"),
    "two calls of one id": (_set("messages", 2, "tool_calls", 1, "id", to="a"), "Duplicate"),
    "an id too long": (_set("messages", 2, "tool_calls", 1, "id", to="b" * 41), "too long"),
    "arguments cut off": (
        _set("messages", 2, "tool_calls", 0, "function", "arguments", to='{"pa'),
        "no JSON object",
    ),
    "a name with blanks": (
        _set("messages", 2, "tool_calls", 0, "function", "name", to="a b"),
        "does not match",
    ),
    "an empty assistant": (_set("messages", 6, "content", to=None), "got null"),
    "an empty user": (_set("messages", 7, "content", to=None), "got null"),
    "no parts": (_set("messages", 5, "content", to=[]), "empty array"),
    "an unknown role": (_set("messages", 7, "role", to="human"), "Supported values"),
    "stream options alone": (_set("stream", to=False), "'stream' is enabled"),
    "a choice of no tool": (
        lambda body: body.update(tools=None, tool_choice="auto"),
        "'tool_choice' is only allowed",
    ),
}

RESPONSES: Body = {
    "model": "m",
    "tools": [{"type": "function", "name": "read", "parameters": {}}],
    "input": [
        {"role": "user", "content": "read both"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "read", "arguments": "{}"},
        {"type": "function_call", "id": "fc_2", "call_id": "b", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "b", "output": "B"},
        {"type": "function_call_output", "call_id": "a", "output": ""},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "done"}],
        },
        {"role": "user", "content": [{"type": "input_text", "text": "more"}]},
    ],
}

RESPONSES_FAULTS: dict[str, tuple[Wrong, str]] = {
    "no model": (_drop("model"), "'model'"),
    "no input": (_set("input", to=[]), "must be provided"),
    "a result is missing": (_drop("input", 4), "No tool output found for function call b"),
    "a result has no call": (_drop("input", 3), "No tool call found"),
    "a result before its call": (_swap("input", 3, 4), "No tool call found"),
    "a result comes twice": (
        _insert("input", 5, {"type": "function_call_output", "call_id": "b", "output": "B"}),
        "No tool call found",
    ),
    "thoughts of nobody": (_swap("input", 1, 6), "required following item"),
    "a wrong kind of text": (
        _set("input", 6, "content", 0, "type", to="input_text"),
        "Supported values",
    ),
    "a text of a wrong kind of id": (_set("input", 6, "id", to="x_1"), "begins with 'msg'"),
    "an item twice": (_set("input", 3, "id", to="fc_1"), "Duplicate item"),
    "arguments cut off": (_set("input", 2, "arguments", to='{"pa'), "no JSON object"),
    "an id too long": (_set("input", 2, "call_id", to="b" * 65), "too long"),
    "an answer that it never kept": (_set("previous_response_id", to="resp_1"), "not found"),
    "an unknown item": (_set("input", 1, "type", to="thought"), "Invalid value"),
}

MESSAGES: Body = {
    "model": "m",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "read", "input_schema": {}}],
    "messages": [
        {"role": "user", "content": "read both"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I do."},
                {"type": "tool_use", "id": "a", "name": "read", "input": {}},
                {"type": "tool_use", "id": "b", "name": "read", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "b", "content": "B"},
                {"type": "tool_result", "tool_use_id": "a", "content": ""},
                {"type": "text", "text": "and then?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "done"}]},
        {"role": "user", "content": "more"},
    ],
}


def _marks(body: Body) -> None:
    for message in body["messages"]:
        if isinstance(message["content"], list):
            for block in message["content"]:
                block["cache_control"] = {"type": "ephemeral"}


MESSAGES_FAULTS: dict[str, tuple[Wrong, str]] = {
    "no model": (_drop("model"), "model: Field required"),
    "no bound": (_drop("max_tokens"), "max_tokens: Field required"),
    "no messages": (_set("messages", to=[]), "at least one message"),
    "the model begins": (_drop("messages", 0), 'must use the "user" role'),
    "two users in a row": (_drop("messages", 3), "roles must alternate"),
    "a system among them": (_set("messages", 0, "role", to="system"), "Unexpected role"),
    "the model has the last word": (_drop("messages", 4), "end with a user message"),
    "a result is missing": (_drop("messages", 2, "content", 0), "immediately after: b"),
    "a result after a text": (
        lambda body: body["messages"][2]["content"].insert(0, {"type": "text", "text": "hm"}),
        "immediately after: a, b",
    ),
    "a result has no call": (_drop("messages", 1, "content", 2), "unexpected `tool_use_id`"),
    "a result comes twice": (
        _set("messages", 2, "content", 1, "tool_use_id", to="b"),
        "each tool_use must have a single result",
    ),
    "two calls of one id": (
        _set("messages", 1, "content", 2, "id", to="a"),
        "ids must be unique",
    ),
    "a call of the user": (
        _set("messages", 4, "content", to=[dict(MESSAGES["messages"][1]["content"][1], id="c")]),
        "only be in `assistant`",
    ),
    "arguments that are none": (
        _set("messages", 1, "content", 1, "input", to='{"pa'),
        "valid dictionary",
    ),
    "an id with blanks": (_set("messages", 1, "content", 1, "id", to="a b"), "match pattern"),
    "an empty message": (_set("messages", 0, "content", to=""), "non-empty content"),
    "an empty text": (_set("messages", 3, "content", 0, "text", to=""), "non-empty"),
    "a blank text": (_set("messages", 3, "content", 0, "text", to=" \n"), "non-whitespace"),
    "an empty system": (_set("system", 0, "text", to=""), "system: text content"),
    "tools used and not defined": (_drop("tools"), "must define tools"),
    "two tools of one name": (
        lambda body: body["tools"].append(body["tools"][0]),
        "must be unique",
    ),
    "too many marks": (_marks, "maximum of 4"),
    "thoughts unsigned": (
        _set("messages", 3, "content", 0, to={"type": "thinking", "thinking": "hm"}),
        "signature",
    ),
}


def _messages(body: Body) -> list[str]:
    return check_messages(body, {"anthropic-version": "2023-06-01"})


FORMATS = {
    "chat": (CHAT, check_chat, CHAT_FAULTS),
    "responses": (RESPONSES, check_responses, RESPONSES_FAULTS),
    "messages": (MESSAGES, _messages, MESSAGES_FAULTS),
}


@pytest.mark.parametrize("format", FORMATS)
def test_a_right_history_has_no_fault(format: str):
    """What the real server takes is taken."""
    body, check, _ = FORMATS[format]
    assert check(body) == []


CASES = [(format, name) for format, (_, _, faults) in FORMATS.items() for name in faults]


@pytest.mark.parametrize(("format", "name"), CASES)
def test_a_wrong_history_is_refused(format: str, name: str):
    """One change to a right history, and the fault is named in the server's words."""
    body, check, faults = FORMATS[format]
    wrong, words = faults[name]
    body = copy.deepcopy(body)
    wrong(body)
    found = check(body)
    assert found
    assert any(words in fault for fault in found), found


def test_a_request_to_anthropic_names_its_version():
    """Without the header there is no answer."""
    assert check_messages(MESSAGES, {}) == ["anthropic-version: header is required"]
