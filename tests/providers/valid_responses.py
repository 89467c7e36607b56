"""What OpenAI's responses interface refuses of a request: one line a fault, in its words."""

from __future__ import annotations

from typing import Any

from providers.valid_chat import NAME, check_options, is_object

LONGEST_CALL_ID = 64  # characters
PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


def check_responses(body: dict[str, Any]) -> list[str]:
    """The faults of a whole request."""
    faults = [] if body.get("model") else ["Missing required parameter: 'model'."]
    items = body.get("input")
    if isinstance(items, str):
        return faults
    if not isinstance(items, list) or not items:
        return [*faults, "One of 'input' or 'previous_response_id' or 'prompt' must be provided."]
    faults += check_options(body)
    if body.get("previous_response_id"):
        id = body["previous_response_id"]
        faults.append(f"Previous response with id '{id}' not found.")
    for at, item in enumerate(items):
        faults += _item(f"input[{at}]", item)
    return faults or [*_unique(items), *_pairs(items), *_reasoning(items)]


def _item(where: str, item: dict[str, Any]) -> list[str]:
    kind = item.get("type", "message")
    faults = _id(where, kind, item.get("id"))
    if kind == "message":
        return faults + _message(where, item)
    if kind == "function_call":
        return faults + _call(where, item)
    if kind == "function_call_output":
        if not item.get("call_id"):
            faults.append(f"Missing required parameter: '{where}.call_id'.")
        if item.get("output") is None:
            faults.append(f"Missing required parameter: '{where}.output'.")
        return faults
    if kind == "item_reference":
        return [f"Item with id '{item.get('id')}' not found."]
    if kind not in PREFIXES:
        faults.append(f"Invalid value: '{kind}': '{where}.type'.")
    return faults


def _id(where: str, kind: str, id: Any) -> list[str]:
    prefix = PREFIXES.get(kind)
    if id is None or prefix is None:
        return []
    if not isinstance(id, str) or not id.startswith(prefix):
        return [f"Invalid '{where}.id': '{id}'. Expected an ID that begins with '{prefix}'."]
    return []


def _message(where: str, item: dict[str, Any]) -> list[str]:
    role, content = item.get("role"), item.get("content")
    if role not in ("user", "assistant", "system", "developer"):
        return [f"Invalid value: {role!r}: '{where}.role'."]
    if isinstance(content, str):
        return []
    if not isinstance(content, list) or not content:
        return [f"Invalid '{where}.content': expected a string or a non-empty array."]
    kinds = (
        ("output_text", "refusal")
        if role == "assistant"
        else ("input_text", "input_image", "input_file")
    )
    return [
        f"Invalid value: '{part.get('type')}'. Supported values are: {kinds}: "
        f"'{where}.content[{at}]'."
        for at, part in enumerate(content)
        if part.get("type") not in kinds
        or (part["type"].endswith("_text") and not isinstance(part.get("text"), str))
    ]


def _call(where: str, item: dict[str, Any]) -> list[str]:
    faults: list[str] = []
    id, arguments = item.get("call_id"), item.get("arguments")
    if not isinstance(id, str) or not id:
        faults.append(f"Missing required parameter: '{where}.call_id'.")
    elif len(id) > LONGEST_CALL_ID:
        faults.append(f"Invalid '{where}.call_id': string too long.")
    if not NAME.match(item.get("name") or ""):
        faults.append(f"Invalid '{where}.name': string does not match pattern.")
    if not isinstance(arguments, str):
        faults.append(f"Invalid type for '{where}.arguments': expected a string.")
    elif not is_object(arguments):
        faults.append(f"'{where}.arguments' is no JSON object: {arguments!r}")
    return faults


def _unique(items: list[dict[str, Any]]) -> list[str]:
    ids = [item["id"] for item in items if item.get("id")]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    return [
        f"Duplicate item found with id {id}. Remove duplicate items from your input and try again."
        for id in twice
    ]


def _pairs(items: list[dict[str, Any]]) -> list[str]:
    """Each call has one output after it, and each output a call before it."""
    faults: list[str] = []
    open: list[str] = []
    for item in items:
        if item.get("type") == "function_call":
            if item["call_id"] in open:
                faults.append(f"Duplicate function call with call_id {item['call_id']}.")
            open.append(item["call_id"])
        elif item.get("type") == "function_call_output":
            id = item["call_id"]
            if id in open:
                open.remove(id)
            else:
                faults.append(f"No tool call found for function call output with call_id {id}.")
    return faults + [f"No tool output found for function call {id}." for id in open]


def _reasoning(items: list[dict[str, Any]]) -> list[str]:
    """What the model thought comes with what it said then."""
    faults: list[str] = []
    for item, following in zip(items, [*items[1:], {}], strict=True):
        if item.get("type") != "reasoning":
            continue
        ours = following.get("type") in ("reasoning", "function_call")
        if not ours and following.get("role") != "assistant":
            faults.append(
                f"Item '{item.get('id')}' of type 'reasoning' was provided without its required "
                "following item."
            )
    return faults
