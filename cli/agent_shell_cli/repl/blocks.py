"""Where a streaming Markdown answer is finished: pure functions over its text.

A block is finished when no later text can change how it looks. What is finished
is written once, above the prompt, and never again; the rest is the live tail.

- A heading and a rule are finished with their line; a paragraph and a table when
  a blank line or another block follows; a fence when it is closed.
- Lists and quotes are finished block by block and item by item: distances between
  blocks are those of the source, so that nothing depends on what follows.
- What would grow too tall stays live for its last part only. An open fence is
  finished by lines, a table after its first rows (which set the columns),
  a paragraph by rows, where no markup is open.

Where text goes on inside something that is open, its `Carry` says in what, as
Markdown: so a piece is parsed again with what it stands in, and no state of a
parser is kept. Texts are already printable, and have no tabs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent_shell.records import frozen, record
from agent_shell_cli.repl.markup import settled
from agent_shell_cli.repl.parser import Parsed, parse
from agent_shell_cli.repl.rows import row_starts

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["BEGUN", "WINDOW", "Carry", "finished", "is_blank", "is_many", "sampled"]

# At most so many rows of a table say how wide its columns are.
_SAMPLE_ROWS = 40
# No more of an answer is ever looked at at once, in characters.
WINDOW = 16_384
# What can't be finished by its rules is cut when it is longer, in characters.
_LIMIT = 4096
# How many lines of code the highlighter sees above those that it highlights.
_CONTEXT_LINES = 30
# Rows of a wider terminal are cut for this many cells.
_WIDEST = 1000

# Stand for what was written already: a block, and the beginning of a line.
_BLOCK = "# x"
_HALF = "x "

_OPENING = ("blockquote_open", "bullet_list_open", "ordered_list_open", "list_item_open")
_CLOSING = ("blockquote_close", "bullet_list_close", "ordered_list_close", "list_item_close")


@frozen
class Carry:
    """What is open where a piece of an answer begins.

    `prelude` is Markdown that opens it: lines that were written, or stand for them.
    Where its last line has no end, the piece goes on in the midst of a line, of
    which two characters stand for what was written. `shifts` is by how much the
    numbers of the ordered lists in it are ahead of those in the prelude.
    """

    prelude: str = ""
    shifts: tuple[int, ...] = ()

    @property
    def lines(self) -> int:
        """How many lines were written already."""
        return self.prelude.count("\n")

    @property
    def midline(self) -> bool:
        """Whether the piece goes on in the midst of a line."""
        return bool(self.prelude) and not self.prelude.endswith("\n")


# Something was written, and nothing is open.
BEGUN = Carry(f"{_BLOCK}\n")


@record
class _Container:
    """A quote, or a list with its items so far."""

    token: Token
    items: list[Token]


@record
class _Tail:
    """The last block of a text, and the containers that it stands in.

    `begin` is the line of the first container that has nothing else in it.
    """

    parsed: Parsed
    carry: Carry
    leaf: Token
    path: list[_Container]
    begin: int

    @property
    def start(self) -> int:
        """The line at which the block begins."""
        return _lines_of(self.leaf)[0]


def finished(text: str, carry: Carry, width: int, tail_rows: int) -> tuple[int, Carry]:
    """How many characters of `text`, which stands in `carry`, are finished.

    And what the next ones stand in. `width` cells and `tail_rows` are what the
    live tail may take. More may be finished behind them: ask until it is 0.
    """
    width = min(width, _WIDEST)
    whole = text.rfind("\n") + 1
    if whole:
        boundary, after = _by_lines(text[:whole], carry, width, tail_rows)
        if boundary:
            return boundary, after
    if len(text) > _LIMIT or _is_taller(text.split("\n"), width, tail_rows):
        return _by_rows(text, carry, width)
    return 0, carry


def is_blank(line: str) -> bool:
    """Whether a line has nothing on it but marks of quotes."""
    return not line.strip(" >")


def sampled(rows: Sequence[str]) -> int:
    """How many of the first rows of a table say how wide its columns are."""
    size = 0
    for count, row in enumerate(rows[:_SAMPLE_ROWS]):
        size += len(row)
        if size > _LIMIT:
            return count
    return min(len(rows), _SAMPLE_ROWS)


def is_many(lines: Sequence[str]) -> bool:
    """Whether a table or indented code of such lines is written before it is over."""
    return len(lines) > _SAMPLE_ROWS or sum(map(len, lines)) > _LIMIT


def _by_lines(text: str, carry: Carry, width: int, tail_rows: int) -> tuple[int, Carry]:
    parsed = parse(carry.prelude + text)
    if parsed.too_deep:
        return len(text), BEGUN
    tail = _tail(parsed, carry)
    if tail is None:
        return 0, carry
    shown = carry.lines
    if _is_over(tail):
        boundary, resumed = len(parsed.lines), list[str]()
    else:
        boundary, resumed = _grown(tail, width, tail_rows)
    if boundary <= shown or not (carry.prelude or any(map(str.strip, parsed.lines[:boundary]))):
        return 0, carry
    offset = sum(map(len, parsed.lines[:boundary])) + boundary - len(carry.prelude)
    return offset, _carry(tail, boundary, resumed)


def _is_over(tail: _Tail) -> bool:
    """Whether no later line can belong to the last block."""
    leaf = tail.leaf
    start, end = _lines_of(leaf)
    match leaf.type:
        case "heading_open" | "hr":
            return True
        case "fence" if leaf.content.count("\n") == end - start - 2:
            return True  # its last line closes it
        case "fence" | "paragraph_open" | "table_open":
            return end < len(tail.parsed.lines)
        case _:
            return False


def _grown(tail: _Tail, width: int, tail_rows: int) -> tuple[int, list[str]]:
    """Up to which line an open block is finished, and the lines that open it again."""
    lines, leaf = tail.parsed.lines, tail.leaf
    start, end = _lines_of(leaf)
    new = lines[max(start, tail.carry.lines) :]
    match leaf.type:
        case "fence" if _is_taller(new, width, tail_rows):
            return len(lines), _reopened_fence(tail)
        case "table_open" if is_many(new):
            return len(lines), lines[start : start + 2 + sampled(lines[start + 2 :])]
        case "code_block" if is_many(new):
            return end, []
        case _:
            return tail.begin, []


def _by_rows(text: str, carry: Carry, width: int) -> tuple[int, Carry]:
    """Cuts what is too tall, at the last row where that does no harm."""
    parsed = parse(carry.prelude + text)
    tail = None if parsed.too_deep else _tail(parsed, carry)
    lines = text.split("\n")
    first = 0 if tail is None else max(0, tail.start - carry.lines)
    begin, *places = _row_places(lines, first, width)
    boundary = _harmless(text, tail, begin, [one for one in places if _parts_words(text, one)])
    if not boundary:
        if len(text) <= _LIMIT or not places:
            return 0, carry
        boundary = places[-1]
    midline = text[boundary - 1] != "\n"
    if tail is not None:
        resumed = _resumed(tail, midline)
        if resumed:
            return boundary, _carry(tail, tail.start + 1, resumed)
    return boundary, Carry(BEGUN.prelude + _HALF) if midline else BEGUN


def _row_places(lines: Sequence[str], first: int, width: int) -> list[int]:
    """Where in the text rows begin, from line `first` on."""
    places: list[int] = []
    offset = sum(map(len, lines[:first])) + first
    for line in lines[first:]:
        places += [offset + start for start in row_starts(line, width)]
        offset += len(line) + 1
    return places


def _parts_words(text: str, place: int) -> bool:
    """Whether no word goes on at `place`; not every script has blanks between words."""
    return text[place - 1] in " \n" or not text[place - 1 : place + 1].isascii()


def _harmless(text: str, tail: _Tail | None, begin: int, places: list[int]) -> int:
    """The last of `places` at which the last block can be cut, or 0."""
    if tail is None or not places:
        return 0
    last_line = text.rfind("\n") + 1
    if tail.leaf.type == "fence":
        return places[-1] if places[-1] > last_line else 0
    header = text[last_line:].lstrip(" >").startswith("|")
    if not _is_inline(tail.leaf) or header:
        return 0  # it may be the header of a table
    return settled(text, begin, places)


def _resumed(tail: _Tail, midline: bool) -> list[str]:
    """The lines that open a block again which was cut inside, or none."""
    leaf = tail.leaf
    if leaf.type == "fence":
        line, said = tail.parsed.lines[-1], leaf.content.removesuffix("\n").split("\n")[-1]
        indent = line.removesuffix(said) if said else line
        return [*_reopened_fence(tail)[:-1], f"{indent}{_HALF}"]
    column = tail.parsed.column(tail.start, leaf.level)
    if not _is_inline(leaf) or column is None:
        return []
    marks = f"{leaf.markup} " if leaf.markup else ""
    return [f"{tail.parsed.lines[tail.start][:column]}{marks}{_HALF if midline else 'x'}"]


def _reopened_fence(tail: _Tail) -> list[str]:
    lines = tail.parsed.lines[tail.start :]
    context = lines[1:][-_CONTEXT_LINES:]
    while sum(map(len, context)) > _LIMIT:
        del context[0]
    return [lines[0][:_LIMIT], *context]


def _is_inline(leaf: Token) -> bool:
    """Whether it is a paragraph, or a heading that is one line."""
    return leaf.type == "paragraph_open" or (leaf.type == "heading_open" and "#" in leaf.markup)


def _carry(tail: _Tail, boundary: int, resumed: list[str]) -> Carry:
    """What is open before line `boundary`; `resumed` opens the last block again."""
    lines = tail.parsed.lines
    if resumed:
        heads, shifts = _open_containers(tail, tail.start + 1)
        heads.pop(tail.start, None)
        midline = resumed[-1].endswith(_HALF) and tail.leaf.type != "table_open"
    else:
        heads, shifts = _open_containers(tail, boundary)
        midline = False
        if not heads:
            heads[-1] = _BLOCK
        resumed = [lines[boundary - 1]] if is_blank(lines[boundary - 1]) else []
    prelude = "\n".join([*heads.values(), *resumed])
    return Carry(prelude if midline else f"{prelude}\n", shifts)


def _open_containers(tail: _Tail, boundary: int) -> tuple[dict[int, str], tuple[int, ...]]:
    """By line, what opens the containers again that are open before `boundary`."""
    parsed = tail.parsed
    heads: dict[int, str] = {}
    shifts: list[int] = []
    for container in tail.path:
        opened = container.token
        line, end = _lines_of(opened)
        if line >= boundary or (not container.items and end < boundary):
            break
        level = opened.level + 1
        item = None
        if container.items:
            index = max(i for i, one in enumerate(container.items) if _lines_of(one)[0] < boundary)
            item = container.items[index]
            shifts.append(_number(tail, container, len(shifts), index) - int(item.info or 0))
            line, level = _lines_of(item)[0], item.level + 1
        column = parsed.column(line, level)
        text = parsed.lines[line]
        # An item whose first line is empty begins one blank behind its mark.
        heads[line] = f"{text.rstrip()} {_BLOCK}" if column is None else f"{text[:column]}{_BLOCK}"
        if item is not None and item is not container.items[-1]:
            break
    return heads, tuple(shifts)


def _number(tail: _Tail, container: _Container, nth: int, index: int) -> int:
    """The number of an item of the `nth` open list."""
    first = container.items[0].info
    if not first:
        return 0
    shifts = tail.carry.shifts
    begun = _lines_of(container.token)[0] < tail.carry.lines + tail.carry.midline
    return int(first) + index + (shifts[nth] if begun and nth < len(shifts) else 0)


def _tail(parsed: Parsed, carry: Carry) -> _Tail | None:
    """The last block; an item or a quote that is still empty counts as one."""
    path: list[_Container] = []
    found: _Tail | None = None
    level, begin = 0, None
    for token in parsed.tokens:
        if token.type in _CLOSING:
            level, begin = token.level, None
            if token.type != "list_item_close":
                path.pop()
        if token.map is None or token.level != level:
            continue  # a part of a block
        begin = _lines_of(token)[0] if begin is None else begin
        if token.type == "list_item_open":
            path[-1].items.append(token)
        found = _Tail(parsed, carry, token, list(path), begin)
        if token.type in _OPENING:
            level += 1
            if token.type != "list_item_open":
                path.append(_Container(token, []))
        else:
            begin = None
    return found


def _lines_of(token: Token) -> tuple[int, int]:
    """The lines of a block, from the first to the one behind the last."""
    assert token.map is not None, token
    return token.map[0], token.map[1]


def _is_taller(lines: list[str], width: int, tail_rows: int) -> bool:
    """Whether the lines, of which the last may be empty, take more than so many rows."""
    count = 0
    for line in lines:
        count += 1 if 2 * len(line) <= width else len(row_starts(line, width))
        if count > tail_rows:
            return True
    return False
