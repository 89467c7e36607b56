"""Names of sessions as they are typed, and events as other programs read them."""

from __future__ import annotations

import functools
import json
import sqlite3
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from jsonschema import Draft202012Validator

from agent_shell import events, schema
from agent_shell.agents.base import Usage
from agent_shell.events import EVENT_TYPES, Event, as_json
from agent_shell.journal.sqlite.schema import migrate
from agent_shell_cli.exits import UsageError
from agent_shell_cli.sessions import finding
from fuzz.target import Take, Target

__all__ = ["EVENTS", "RESUME"]

_KEYS = ("default", "default-2", "20261122-1f3a", "日本", "a'b\"c", "\x1b[2J", "%", "_", "x" * 90)


@functools.cache
def _journal() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    for key in _KEYS:
        connection.execute("INSERT INTO sessions (key, created_at) VALUES (?, 1)", (key,))
    connection.execute(
        "INSERT INTO follow_ups (session, id, text, lane, sender, accepted_at, state)"
        " VALUES (1, 'fu-1', 'x', 'queue', 'user', 1, 'answered')"
    )
    return connection


def _resume(data: bytes) -> None:
    take = Take(data)
    in_full = bool(take.byte() % 2)
    name = take.text()
    try:
        key = finding.find(_journal(), name, in_full=in_full)
    except UsageError as error:
        assert name not in _KEYS, "a session that there is was not found"
        assert str(error).isprintable(), f"not fit for a terminal: {error}"
        return
    assert key in _KEYS
    if name in _KEYS:
        assert key == name
    else:
        assert not in_full
        assert key.startswith(name) or name == "fu-1"


def _tell(data: bytes) -> None:
    take = Take(data)
    kind = take.one_of(EVENT_TYPES)
    event = _made(kind, take)
    body = as_json(event, 1 + take.byte())
    line = json.dumps(body)
    assert "\n" not in line
    read = json.loads(line)
    _validator().validate(read)
    assert read["type"] == kind.type
    for field in fields(kind):
        value = getattr(event, field.name)
        if not isinstance(value, Usage):
            assert read[field.name] == value, f"{field.name} comes back as {read[field.name]!r}"


def _made(kind: type[Event], take: Take) -> Event:
    hints = typing.get_type_hints(kind)
    return kind(*(_value(hints[field.name], take) for field in fields(kind)))


def _value(hint: Any, take: Take) -> Any:
    if hint is str:
        return take.piece(take.byte() % 16).decode(errors="surrogateescape")
    if hint is int:
        return take.number() << take.byte() % 64
    if hint is float:
        return take.number() / (1 + take.byte())
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _value(take.one_of(typing.get_args(hint)), take)
    if typing.get_origin(hint) is Mapping:
        return {_value(str, take): take.number() for _ in range(take.byte() % 3)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return take.one_of(tuple(hint))
    if hint is type(None):
        return None
    return hint(*(_value(part, take) for part in typing.get_type_hints(hint).values()))


@functools.cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema.event_schema())


RESUME = Target(
    "resume",
    _resume,
    [finding],
    seeds=[b"\0default", b"\0fu-1", b"\1def", b"\0\xff", b"\0\xe6\x97"],
    tokens=[key.encode() for key in _KEYS],
    limit=256,
)
EVENTS = Target(
    "events",
    _tell,
    [events, schema],
    seeds=[bytes([number, *range(64)]) for number in range(len(EVENT_TYPES))],
    limit=256,
)
