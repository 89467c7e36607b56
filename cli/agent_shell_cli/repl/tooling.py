"""What an agent does with tools, as it is seen: a line while one is used, a few when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from agent_shell.records import record
from agent_shell_cli.printable import printable_line
from agent_shell_cli.tool_text import about, folded, last_written

__all__ = ["OUTPUT_CHARS", "Use", "Uses", "folded_end"]

# Of what a tool says meanwhile, in characters: the end is kept.
OUTPUT_CHARS = 4_096
# A shorter time is not worth a word, in seconds.
_LONG_S = 1.0


@record
class Use:
    """One use of a tool: what it is about, since when (epoch seconds), what it has said."""

    tool: str
    about: str
    since: float
    output: str = ""

    def title(self) -> str:
        """The tool and what it is about, on one line."""
        return f"{self.tool}  {self.about}".rstrip()


@record
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


def folded_end(text: str, count: int) -> list[str]:
    """The last lines of what a tool says, fit for the terminal; none of them is empty."""
    lines = [last_written(line) for line in text.rstrip().split("\n")[-2 * count :]]
    return [f"    {printable_line(line)}" for line in lines if line.strip()][-count:]


def _result(use: Use, text: str, at: float) -> str:
    took = at - use.since
    time = f" · {took:,.0f} s" if took >= _LONG_S else ""
    return "\n".join([f"{use.title()}{time}", *folded(text)])
