"""What became of a follow-up, step by step: what was said, what was done, what steered it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent_shell import Entry
from agent_shell.agents.provider.steps import Said, Steered, Step, Used, steps_of
from agent_shell_cli.tool_text import about

__all__ = ["answered_in_steps", "in_words", "rest_of", "steps_json"]

# What stands in an answer between the texts of two requests.
_SEPARATOR = "\n\n"


def answered_in_steps(entry: Entry, messages: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps, with what the answer has more than the messages: they are kept whole alone."""
    steps = steps_of(messages)
    texts = [step.text for step in steps if isinstance(step, Said)]
    rest = rest_of(entry.answer, texts).strip("\n")
    return [*steps, Said(rest)] if rest else steps


def rest_of(answer: str, texts: Sequence[str]) -> str:
    """What stands behind the texts; those of an earlier try of the turn are not in the answer."""
    for first in range(len(texts)):
        known = _SEPARATOR.join(texts[first:])
        if answer.startswith(known):
            return answer[len(known) :]
    return answer


def in_words(used: Used) -> str:
    """A use of a tool on one line."""
    end = {True: "ok", False: "failed", None: "cut off"}[used.ok]
    named = f"{used.tool}  {about(used.arguments)}".rstrip()
    return f"{named}: {end}"


def steps_json(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """The steps as JSON-ready data."""
    return [_json(step) for step in steps]


def _json(step: Step) -> dict[str, Any]:
    match step:
        case Said():
            return {"step": "said", "text": step.text}
        case Steered():
            return {"step": "steered", "text": step.text}
        case Used():
            return {
                "step": "used",
                "tool": step.tool,
                "arguments": step.arguments,
                "ok": step.ok,
                "text": step.text,
            }
