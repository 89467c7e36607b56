"""What OpenAI's chat completions refuse of a request: one line a fault, in the server's words.

Stricter than that server in one point, for the others that speak its format: arguments of
a tool call must be JSON, since llama.cpp, vLLM and LM Studio parse them for the prompt.
"""

from __future__ import annotations

import json
import re
from typing import Any

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
ROLES = ("system", "developer", "user", "assistant", "tool")
LONGEST_ID = 40  # characters of a tool call's id


def check_chat(body: dict[str, Any]) -> list[str]:
    """The faults of a whole request."""
    faults = [] if body.get("model") else ["you must provide a model parameter"]
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return [*faults, "[] is too short - 'messages'"]
    faults += check_options(body)
    for at, message in enumerate(messages):
        faults += _message(at, message)
    return faults or _pairs(messages)


def check_options(body: dict[str, Any]) -> list[str]:
    """The faults of tools and of the options that go with others."""
    faults = [
        f"'{option}' is only allowed when 'tools' are specified."
        for option in ("tool_choice", "parallel_tool_calls")
        if body.get(option) is not None and not body.get("tools")
    ]
    if body.get("stream_options") is not None and not body.get("stream"):
        faults.append("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    if body.get("tools") == []:
        faults.append("[] is too short - 'tools'")
    for at, tool in enumerate(body.get("tools") or ()):
        name = (tool.get("function") or tool).get("name", "")
        if not NAME.match(name):
            faults.append(f"Invalid 'tools[{at}].function.name': {name!r} does not match.")
    return faults


def _message(at: int, message: dict[str, Any]) -> list[str]:
    where, role, content = f"messages.[{at}]", message.get("role"), message.get("content")
    if role not in ROLES:
        return [f"Invalid value: {role!r}. Supported values are {ROLES}: {where}.role"]
    faults: list[str] = []
    if role == "assistant":
        faults += _assistant(where, message)
    elif content is None:
        faults.append(f"Invalid value for 'content': expected a string, got null: {where}.content")
    if role == "tool" and not message.get("tool_call_id"):
        faults.append(f"Missing parameter 'tool_call_id': {where}")
    if isinstance(content, list):
        faults += _parts(where, content)
    return faults


def _parts(where: str, content: list[Any]) -> list[str]:
    if not content:
        return [f"Invalid '{where}.content': empty array. Expected an array with minimum length 1."]
    return [
        f"Invalid '{where}.content[{at}]': a text part has a text"
        for at, part in enumerate(content)
        if part.get("type") == "text" and not isinstance(part.get("text"), str)
    ]


def _assistant(where: str, message: dict[str, Any]) -> list[str]:
    calls = message.get("tool_calls")
    if calls is None:
        if message.get("content") is None:
            return [f"Invalid value for 'content': expected a string, got null: {where}.content"]
        return []
    if not calls:
        return [f"[] is too short - '{where}.tool_calls'"]
    faults = [fault for at, call in enumerate(calls) for fault in _call(where, at, call)]
    ids = [call.get("id") for call in calls]
    if len(set(ids)) < len(ids):
        faults.append(f"Duplicate tool call ids: {where}.tool_calls")
    return faults


def _call(where: str, at: int, call: dict[str, Any]) -> list[str]:
    place, function = f"{where}.tool_calls[{at}]", call.get("function") or {}
    faults: list[str] = []
    id, arguments = call.get("id"), function.get("arguments")
    if not isinstance(id, str) or not id:
        faults.append(f"Missing required parameter: '{place}.id'.")
    elif len(id) > LONGEST_ID:
        faults.append(f"Invalid '{place}.id': string too long. Maximum length is {LONGEST_ID}.")
    if call.get("type") != "function":
        faults.append(f"Invalid value: '{place}.type'.")
    if not NAME.match(function.get("name") or ""):
        faults.append(f"Invalid '{place}.function.name': string does not match pattern.")
    if not isinstance(arguments, str):
        faults.append(f"Invalid type for '{place}.function.arguments': expected a string.")
    elif not is_object(arguments):
        faults.append(f"'{place}.function.arguments' is no JSON object: {arguments!r}")
    return faults


def is_object(text: str) -> bool:
    """Whether the text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _pairs(messages: list[dict[str, Any]]) -> list[str]:
    """Results follow their calls at once, each call has one, and no other has any."""
    faults: list[str] = []
    open: list[str] = []  # calls of the last assistant message that have no result yet
    for at, message in enumerate(messages):
        if message["role"] == "tool":
            id = message["tool_call_id"]
            if id in open:
                open.remove(id)
            else:
                faults.append(
                    "messages with role 'tool' must be a response to a preceeding message with "
                    f"'tool_calls': messages.[{at}].role"
                )
            continue
        faults += _unanswered(open)
        open = [call["id"] for call in message.get("tool_calls") or ()]
    return faults + _unanswered(open)


def _unanswered(open: list[str]) -> list[str]:
    if not open:
        return []
    return [
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        + ", ".join(open)
    ]
