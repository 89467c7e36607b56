"""Code with the colours of its language: the same characters, line by line."""

from __future__ import annotations

from functools import cache
from typing import Any

from agent_shell_cli.repl.parser import lexer
from agent_shell_cli.repl.rows import Row

__all__ = ["highlighted"]

# Some languages are read by patterns that take very long for what is no code.
_MOST_CHARS = 32_768
_LONGEST_LINE = 1000

_PLAIN = "class:code"
# By kinds of Pygments; what is not here has the colour of its parent, or none.
_STYLES = {
    "Token.Keyword": "class:code.keyword",
    "Token.Operator.Word": "class:code.keyword",
    "Token.Name.Function": "class:code.name",
    "Token.Name.Class": "class:code.name",
    "Token.Name.Tag": "class:code.keyword",
    "Token.Name.Decorator": "class:code.name",
    "Token.Literal.String": "class:code.string",
    "Token.Literal.Number": "class:code.number",
    "Token.Comment": "class:code.comment",
    "Token.Generic.Deleted": "class:code.deleted",
    "Token.Generic.Inserted": "class:code.inserted",
    "Token.Generic.Heading": "class:code.keyword",
    "Token.Generic.Subheading": "class:code.keyword",
}


def highlighted(lines: list[str], language: str) -> list[Row]:
    """`lines` of code, each in fragments."""
    code = "\n".join(lines)
    found = None
    if len(code) <= _MOST_CHARS and max(map(len, lines), default=0) <= _LONGEST_LINE:
        found = lexer(language.lower())
    if found is None:
        return [[(_PLAIN, line)] for line in lines]
    rows: list[Row] = [[]]
    for kind, text in found.get_tokens(f"{code}\n"):
        first, *others = text.split("\n")
        style = _style(kind)
        rows[-1].append((style, first))
        rows += [[(style, other)] for other in others]
    rows = rows[: len(lines)]
    if ["".join(text for _, text in row) for row in rows] != lines:
        return [[(_PLAIN, line)] for line in lines]  # a lexer that changes what it reads
    return rows


@cache
def _style(kind: Any) -> str:
    while kind is not None and str(kind) not in _STYLES:
        kind = kind.parent
    return "" if kind is None else _STYLES[str(kind)]
