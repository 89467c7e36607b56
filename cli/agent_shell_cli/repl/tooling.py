"""What an agent does with tools, as it is seen: a line while one is used, a few when it is over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_shell_cli.printable import printable_line

__all__ = ["OUTPUT_CHARS", "Use", "Uses", "about", "folded", "folded_end"]

# Of what a tool says meanwhile, in characters: the end is kept.
OUTPUT_CHARS = 4_096
# Of a result: so many lines from its beginning and from its end.
_FIRST, _LAST = 3, 2
_LINE_CHARS = 500
_ABOUT_CHARS = 160
# A shorter time is not worth a word, in seconds.
_LONG_S = 1.0

# What a use of a tool is about, by the names that arguments commonly have.
_NAMES = ("command", "path", "url", "pattern", "query", "file", "name")


@dataclass(slots=True)
class Use:
    """One use of a tool: what it is about, since when (epoch seconds), what it has said."""

    tool: str
    about: str
    since: float
    output: str = ""

    def title(self) -> str:
        """The tool and what it is about, on one line."""
        return f"{self.tool}  {self.about}".rstrip()


@dataclass(slots=True)
class Uses:
    """The uses of tools that are not over, by their names in the turn."""

    _open: dict[str, Use] = field(default_factory=dict[str, Use])

    def __iter__(self) -> Iterator[Use]:
        """Those that are not over, in their order."""
        return iter(self._open.values())

    def begin(self, call: str, tool: str, arguments: Mapping[str, Any], at: float) -> None:
        """One begins, at a time in seconds since the epoch."""
        self._open[call] = Use(printable_line(tool, 64), about(arguments), at)

    def say(self, call: str, text: str) -> bool:
        """It has said this; false where it is not under way."""
        use = self._open.get(call)
        if use is not None:
            use.output = (use.output + text)[-OUTPUT_CHARS:]
        return use is not None

    def end(self, call: str, tool: str, text: str, at: float) -> str:
        """It is over: what is to be shown of it, the first line its title."""
        use = self._open.pop(call, None) or Use(printable_line(tool, 64), "", at)
        return _result(use, text, at)

    def cut_off(self, at: float) -> list[str]:
        """None goes on: what is to be shown of those that had not ended."""
        uses = list(self._open.values())
        self._open.clear()
        return [_result(use, f"{use.output}\ncut off".lstrip("\n"), at) for use in uses]


def about(arguments: Mapping[str, Any]) -> str:
    """What a use of a tool is about, as far as a line has room for it."""
    named = next((arguments[name] for name in _NAMES if arguments.get(name)), None)
    if isinstance(named, str):
        return printable_line(named, _ABOUT_CHARS)
    if not arguments:
        return ""
    said = json.dumps(dict(arguments), ensure_ascii=False, default=str)
    return printable_line(said, _ABOUT_CHARS)


def folded(text: str) -> list[str]:
    """A few lines of a result; those that are left out are counted."""
    lines = [_last_written(line) for line in text.rstrip().split("\n")]
    lines = [line for line in lines if line.strip()]
    left = len(lines) - _FIRST - _LAST
    if left > 1:
        lines = [*lines[:_FIRST], f"… {left:,} more lines", *lines[-_LAST:]]
    return [line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}…" for line in lines]


def folded_end(text: str, count: int) -> list[str]:
    """The last lines of what a tool says, fit for the terminal; none of them is empty."""
    lines = [_last_written(line) for line in text.rstrip().split("\n")[-2 * count :]]
    return [f"    {printable_line(line)}" for line in lines if line.strip()][-count:]


def _last_written(line: str) -> str:
    """What is left of a line that was written over, as a bar of progress is."""
    return line.rstrip("\r").rpartition("\r")[2]


def _result(use: Use, text: str, at: float) -> str:
    took = at - use.since
    time = f" · {took:,.0f} s" if took >= _LONG_S else ""
    return "\n".join([f"{use.title()}{time}", *folded(text)])
