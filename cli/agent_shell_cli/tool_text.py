"""A use of a tool in words: what it was about, and a few lines of what it gave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent_shell_cli.printable import printable_line

__all__ = ["about", "diff_style", "folded", "is_diff", "last_written"]

# Of a result: so many lines from its beginning and from its end.
_FIRST, _LAST = 3, 2
_FIRST_OF_DIFF = 20
_LINE_CHARS = 500
_ABOUT_CHARS = 160

_DIFF_STYLES = {"+": "class:code.inserted", "-": "class:code.deleted", "@": "class:quiet"}

# What a use of a tool is about, by the names that arguments commonly have.
_NAMES = ("command", "path", "url", "pattern", "query", "file", "name")


def about(arguments: Mapping[str, Any]) -> str:
    """What a use of a tool is about, as far as a line has room for it."""
    named = next((arguments[name] for name in _NAMES if arguments.get(name)), None)
    if isinstance(named, str):
        return printable_line(named, _ABOUT_CHARS)
    if not arguments:
        return ""
    said = json.dumps(dict(arguments), ensure_ascii=False, default=str)
    return printable_line(said, _ABOUT_CHARS)


def is_diff(text: str) -> bool:
    """Whether it is the unified diff of a file."""
    first, _, rest = text.partition("\n")
    return first.startswith("--- ") and rest.startswith("+++ ")


def diff_style(line: str) -> str:
    """The style class of a line of a diff; the signs say the same without colours."""
    return "" if line.startswith(("+++", "---")) else _DIFF_STYLES.get(line[:1], "")


def folded(text: str) -> list[str]:
    """A few lines of a result, more of a diff; those that are left out are counted."""
    lines = [last_written(line) for line in text.rstrip().split("\n")]
    lines = [line for line in lines if line.strip()]
    first = _FIRST_OF_DIFF if is_diff(text) else _FIRST
    left = len(lines) - first - _LAST
    if left > 1:
        lines = [*lines[:first], f"… {left:,} more lines", *lines[-_LAST:]]
    return [line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}…" for line in lines]


def last_written(line: str) -> str:
    """What is left of a line that was written over, as a bar of progress is."""
    return line.rstrip("\r").rpartition("\r")[2]
