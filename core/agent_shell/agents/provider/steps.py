"""What a turn said and did, step by step, read from the messages that the journal keeps of it.

For who shows it: nothing of the library is loaded, and whatever is not understood is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from agent_shell.records import record

__all__ = ["Said", "Steered", "Step", "Used", "steps_of"]


@record
class Said:
    """A part of the answer."""

    text: str


@record
class Steered:
    """An input that the turn took in here."""

    text: str


@record
class Used:
    """A tool was used; `ok` is `None` where it never returned, and `text` is what it gave."""

    call: str
    tool: str
    arguments: Mapping[str, Any]
    ok: bool | None = None
    text: str = ""


Step = Said | Steered | Used


def steps_of(messages: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps in their order, without the input that the turn answers."""
    steps: list[Step] = []
    asked = False
    for part in _parts(messages):
        match part.get("part_kind"), part.get("content"):
            case "user-prompt", str(text) if asked:
                steps.append(Steered(text))
            case "user-prompt", _:
                asked = True
            case "text", str(text) if text:
                steps.append(Said(text))
            case "tool-call", _:
                call, tool = str(part.get("tool_call_id")), str(part.get("tool_name"))
                steps.append(Used(call, tool, _arguments(part.get("args"))))
            case "tool-return", content:
                _return(steps, part, content)
            case _:
                pass
    return steps


def _parts(messages: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        parts: Any = message.get("parts")
        if isinstance(parts, list):
            for part in cast("Iterable[Any]", parts):
                if isinstance(part, dict):
                    yield cast("dict[str, Any]", part)


def _arguments(args: Any) -> Mapping[str, Any]:
    """A model's arguments may be a text that is no JSON."""
    if isinstance(args, str):
        try:
            args = json.loads(args)
        except (ValueError, RecursionError):
            return {"": args}
    return cast("dict[str, Any]", args) if isinstance(args, dict) else {}


def _return(steps: list[Step], part: Mapping[str, Any], content: Any) -> None:
    """Gives the use of a tool its end."""
    call = str(part.get("tool_call_id"))
    for step in reversed(steps):
        if isinstance(step, Used) and step.call == call and step.ok is None:
            step.ok = part.get("outcome", "success") == "success"
            step.text = content if isinstance(content, str) else json.dumps(content)
            return
