"""The blocks of a Markdown text, and where their contents begin.

The one place that loads the parser and the highlighter, both heavy: they come
with the first answer, or before it by `preload`. CommonMark with tables and
strikethrough, but without what would hide words: HTML and definitions of links
are text. Lists and tables are those of markdown-it; inline markup is parsed
apart, because where blocks end does not depend on it.
"""

from __future__ import annotations

from dataclasses import field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent_shell.records import record

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

__all__ = ["Parsed", "inline", "lexer", "parse", "preload", "split_cells"]

# Deeper, the parser would leave out what stands there.
_NESTING = 40
# The parser tries each of them against all the others.
_BRACKETS = 300


@record
class Parsed:
    """A text in blocks: `contents` has, by line and level, where in it a block begins.

    `too_deep` says that the nesting is beyond sense, and the tokens not all there.
    """

    lines: list[str]
    tokens: list[Token]
    too_deep: bool
    _offsets: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    _line_offsets: list[int] = field(default_factory=list[int])

    def column(self, line: int, level: int) -> int | None:
        """Where in its line the block begins that was opened there at that level."""
        offset = self._offsets.get((line, level))
        return None if offset is None else offset - self._line_offsets[line]


def parse(source: str) -> Parsed:
    """The blocks of `source`, whose last line counts as finished."""
    lines = source.removesuffix("\n").split("\n")
    offsets: dict[tuple[int, int], int] = {}
    tokens = _parser().parse(source, {"offsets": offsets})
    too_deep = any(token.level >= _NESTING - 2 for token in tokens)
    line_offsets = [0]
    for line in lines:
        line_offsets.append(line_offsets[-1] + len(line) + 1)
    return Parsed(lines, tokens, too_deep, offsets, line_offsets)


def inline(text: str) -> list[Token]:
    """The markup inside a paragraph, a heading or a cell."""
    tokens: list[Token] = []
    parser = _parser()
    if text.count("[") > _BRACKETS:
        # Imported here with the parser, of which it is a part.
        from markdown_it.token import Token

        return [Token("text", "", 0, content=text)]
    parser.inline.parse(text, parser, {}, tokens)
    return tokens


def split_cells(line: str) -> list[str]:
    """The cells of a row of a table, also those that its header has no column for."""
    from markdown_it.rules_block.table import escapedSplit

    found = escapedSplit(line.strip())
    first, last = (1 if found and not found[0] else 0), (-1 if found and not found[-1] else None)
    return [cell.strip() for cell in found[first:last]]


@cache
def lexer(language: str) -> Any:
    """The lexer for `language`, or None."""
    if not language:
        return None
    lexers: Any = import_module("pygments.lexers")
    util: Any = import_module("pygments.util")
    try:
        return lexers.get_lexer_by_name(language, stripnl=False)
    except util.ClassNotFound:
        return None


def preload() -> None:
    """Loads what the first answer needs; may run in a thread of its own."""
    _parser()
    lexer("python")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": _NESTING})
    parser.enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline", "reference", "inline", "text_join"])
    parser.block.ruler.before("table", "offsets", _note_offset, {"alt": []})
    return parser


def _note_offset(state: StateBlock, line: int, _end: int, _silent: bool) -> bool:
    """A rule that matches nothing: it is asked first wherever a block may begin."""
    state.env["offsets"][line, state.level] = state.bMarks[line] + state.tShift[line]
    return False
