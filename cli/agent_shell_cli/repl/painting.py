"""From a finished block to the rows to write: pure, for a `Look` and a width.

What was written is never touched again, and the terminal reflows it as it likes.
"""

from __future__ import annotations

from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.rows import Row, cut, rows
from agent_shell_cli.repl.view import Block, Kind
from agent_shell_cli.tool_text import diff_style, is_diff

__all__ = ["named", "painted", "preload"]

_INDENT = "    "
# Rows of one line that a tool gave.
_LINE_ROWS = 3


def preload() -> None:
    """Loads what the first answer needs; may run in a thread."""
    from agent_shell_cli.repl import markdown, parser

    del markdown  # it is there now
    parser.preload()


def painted(block: Block, look: Look, width: int) -> list[Row]:
    """A finished block, as the rows to write, for rows of `width` cells."""
    match block.kind:
        case Kind.ANSWER:
            # Imported here: by then `preload` has done so.
            from agent_shell_cli.repl.markdown import as_written, rendered

            if block.carry is None:
                return as_written(block.text)
            return rendered(block.text, block.carry, look, width)
        case Kind.HEADING:
            return [[], [named(look.prompt, block.number, block.text, look, width)]]
        case Kind.STEERED:
            return [[named(look.steer, block.number, block.text, look, width)]]
        case Kind.MARK:
            return [[("class:mark", row)] for row in rows(f"{look.cross} {block.text}", width)]
        case Kind.NOTE:
            return [[("class:quiet", row)] for row in rows(block.text, width)]
        case Kind.BESIDE:
            return [[], [("class:quiet", cut(block.text, width, look.ellipsis))]]
        case Kind.ASKED:
            return [[line] for line in block.lines]
        case Kind.TOOL | Kind.TOOL_FAILED:
            return _tool(block, look, width)


def _tool(block: Block, look: Look, width: int) -> list[Row]:
    """A use of a tool: whether it went well, what it was about, a few lines of what it gave."""
    title, *lines = block.text.split("\n")
    failed = block.kind is Kind.TOOL_FAILED
    sign, style = (look.cross, "class:mark") if failed else (look.check, "class:quiet")
    head = (style, cut(f"{sign} {title}{' · failed' if failed else ''}", width, look.ellipsis))
    room = max(1, width - len(_INDENT))
    in_diff = is_diff("\n".join(lines[:2]))
    told = [
        (diff_style(line) if in_diff else "class:quiet", f"{_INDENT}{row}")
        for line in lines
        for row in rows(line, room)[:_LINE_ROWS]
    ]
    return [[head], *([row] for row in told)]


def named(sign: str, number: int, text: str, look: Look, width: int) -> tuple[str, str]:
    """An input on one row: its sign, its number and its text."""
    return ("class:quiet", cut(f"{sign} {number or '?'}  {text}", width, look.ellipsis))
