"""What Anthropic's messages refuse of a request: one line a fault, in the server's words.

Stricter than that server in one point, for the others that speak its format: two messages
of one role in a row, which it joins and Bedrock refuses.
"""

from __future__ import annotations

import re
from typing import Any

TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+\Z")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
MOST_CACHE_MARKS = 4


def check_messages(body: dict[str, Any], headers: dict[str, str]) -> list[str]:
    """The faults of a whole request."""
    faults: list[str] = []
    if "anthropic-version" not in headers:
        faults.append("anthropic-version: header is required")
    faults += [f"{name}: Field required" for name in ("model", "max_tokens") if not body.get(name)]
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return [*faults, "messages: at least one message is required"]
    faults += _system(body.get("system")) + _tools(body) + _roles(messages)
    for at, message in enumerate(messages):
        faults += _message(at, message, last=at == len(messages) - 1)
    faults = faults or _pairs(messages)
    return faults + _cache_marks(body)


def blocks_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """A message's content as blocks."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def _system(system: Any) -> list[str]:
    if isinstance(system, list) and any(not block.get("text") for block in system):
        return ["system: text content blocks must be non-empty"]
    return []


def _tools(body: dict[str, Any]) -> list[str]:
    names = [tool.get("name", "") for tool in body.get("tools") or ()]
    faults = [
        f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        for at, name in enumerate(names)
        if not TOOL_NAME.match(name)
    ]
    if len(set(names)) < len(names):
        faults.append("tools: Tool names must be unique.")
    if body.get("tool_choice") and not names:
        faults.append("tool_choice may only be specified while providing tools.")
    used = any(
        block.get("type") in ("tool_use", "tool_result")
        for message in body["messages"]
        for block in blocks_of(message)
    )
    if used and not names:
        faults.append(
            "Requests which include `tool_use` or `tool_result` blocks must define tools."
        )
    return faults


def _roles(messages: list[dict[str, Any]]) -> list[str]:
    roles = [message.get("role") for message in messages]
    faults = [
        f'messages.{at}: Unexpected role "{role}"'
        for at, role in enumerate(roles)
        if role not in ("user", "assistant")
    ]
    if roles[0] != "user":
        faults.append('messages: first message must use the "user" role')
    faults += [
        f'messages.{at}: roles must alternate between "user" and "assistant", but found '
        f'multiple "{role}" roles in a row'
        for at, role in enumerate(roles[1:], 1)
        if role == roles[at - 1]
    ]
    if roles[-1] == "assistant":
        faults.append(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    return faults


def _message(at: int, message: dict[str, Any], last: bool) -> list[str]:
    blocks = blocks_of(message)
    if not blocks or message.get("content") == "":
        if last and message.get("role") == "assistant":
            return []
        fault = "all messages must have non-empty content except for the optional final assistant"
        return [f"messages.{at}: {fault} message"]
    return [fault for nr, block in enumerate(blocks) for fault in _block(at, nr, message, block)]


def _block(at: int, nr: int, message: dict[str, Any], block: dict[str, Any]) -> list[str]:
    where, kind, role = f"messages.{at}.content.{nr}", block.get("type"), message.get("role")
    if kind == "text":
        return _text(block)
    if kind == "tool_use":
        if role != "assistant":
            return [f"{where}: `tool_use` blocks can only be in `assistant` messages"]
        return _tool_use(where, block)
    if kind == "tool_result":
        if role != "user":
            return [f"{where}: `tool_result` blocks can only be in `user` messages"]
        inner = block.get("content")
        return [
            fault
            for part in (inner if isinstance(inner, list) else [])
            if part.get("type") == "text"
            for fault in _text(part)
        ]
    if kind == "thinking" and not block.get("signature"):
        return [f"{where}.thinking.signature: Field required"]
    if kind in ("thinking", "redacted_thinking", "image", "document"):
        return []
    return [f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected"]


def _text(block: dict[str, Any]) -> list[str]:
    text = block.get("text")
    if not isinstance(text, str) or not text:
        return ["messages: text content blocks must be non-empty"]
    if not text.strip():
        return ["messages: text content blocks must contain non-whitespace text"]
    return []


def _tool_use(where: str, block: dict[str, Any]) -> list[str]:
    faults: list[str] = []
    if not TOOL_ID.match(block.get("id") or ""):
        faults.append(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not TOOL_NAME.match(block.get("name") or ""):
        faults.append(f"{where}.tool_use.name: String should match pattern")
    if not isinstance(block.get("input"), dict):
        faults.append(f"{where}.tool_use.input: Input should be a valid dictionary")
    return faults


def _pairs(messages: list[dict[str, Any]]) -> list[str]:
    """The results of a message's calls stand first in the next one; no other has any."""
    faults: list[str] = []
    seen: set[str] = set()
    for at, message in enumerate(messages):
        calls = _ids(message, "tool_use", "id")
        before = _ids(messages[at - 1], "tool_use", "id") if at else []
        faults += _orphans(at, message, before)
        if seen & set(calls) or len(set(calls)) < len(calls):
            faults.append(f"messages.{at}: `tool_use` ids must be unique")
        seen |= set(calls)
        answered = _leading_results(messages[at + 1]) if at + 1 < len(messages) else []
        missing = [id for id in calls if id not in answered]
        if missing:
            faults.append(
                f"messages.{at}: `tool_use` ids were found without `tool_result` blocks "
                f"immediately after: {', '.join(missing)}. Each `tool_use` block must have a "
                "corresponding `tool_result` block in the next message."
            )
    return faults


def _orphans(at: int, message: dict[str, Any], calls: list[str]) -> list[str]:
    results = _ids(message, "tool_result", "tool_use_id")
    faults = [
        f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each "
        "`tool_result` block must have a corresponding `tool_use` block in the previous message."
        for id in results
        if id not in calls
    ]
    faults += [
        f"messages.{at}: each tool_use must have a single result. Found multiple `tool_result` "
        f"blocks with id: {id}"
        for id in sorted(set(results))
        if results.count(id) > 1
    ]
    return faults


def _ids(message: dict[str, Any], kind: str, name: str) -> list[str]:
    return [block[name] for block in blocks_of(message) if block.get("type") == kind]


def _leading_results(message: dict[str, Any]) -> list[str]:
    ids: list[str] = []
    for block in blocks_of(message):
        if block.get("type") != "tool_result":
            break
        ids.append(block["tool_use_id"])
    return ids


def _cache_marks(body: dict[str, Any]) -> list[str]:
    system = body.get("system")
    blocks = [
        *(system if isinstance(system, list) else ()),
        *(body.get("tools") or ()),
        *(block for message in body["messages"] for block in blocks_of(message)),
    ]
    count = sum(1 for block in blocks if block.get("cache_control"))
    count += 1 if body.get("cache_control") else 0
    if count > MOST_CACHE_MARKS:
        most = f"A maximum of {MOST_CACHE_MARKS} blocks with cache_control may be provided."
        return [f"{most} Found {count}."]
    return []
