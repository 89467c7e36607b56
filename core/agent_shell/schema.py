"""The JSON Schema of every event, made from the dataclasses that the events are.

A description of what `events.as_json` gives: `describe` and `as_json` read the
same fields, so neither can say what the other does not.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from agent_shell.events import EVENT_TYPES, Event

__all__ = ["event_schema"]

_PLAIN: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


def event_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) that every event's JSON object matches in one branch."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "agent-shell event",
        "description": (
            "One line of `agent-shell chat --output stream-json`. `seq` rises by one from event "
            "to event, and by `count` with a `missed` event; `time` is in seconds since the epoch. "
            "Properties may be added; none will be taken away."
        ),
        "oneOf": [{"$ref": f"#/$defs/{event.type}"} for event in EVENT_TYPES],
        "$defs": {event.type: _event(event) for event in EVENT_TYPES},
    }


def _event(event: type[Event]) -> dict[str, Any]:
    described = _object(event)
    properties = {
        "type": {"const": event.type},
        "session": described["properties"].pop("session"),
        "seq": {"type": "integer", "minimum": 1},
        **described["properties"],
    }
    return {
        "description": inspect.getdoc(event),
        **described,
        "properties": properties,
        "required": list(properties),
    }


def _object(shape: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(shape)
    properties = {field.name: _value(hints[field.name]) for field in dataclasses.fields(shape)}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _value(hint: Any) -> dict[str, Any]:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return {"anyOf": [_value(member) for member in typing.get_args(hint)]}
    if typing.get_origin(hint) is Mapping:
        return {"type": "object", "additionalProperties": _value(typing.get_args(hint)[1])}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _object(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"type": "string", "enum": [member.value for member in hint]}
    raise TypeError(f"the schema has no form for {hint!r}")
