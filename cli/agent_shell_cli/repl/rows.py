"""How text becomes rows of cells: pure functions over text and widths.

Terminals disagree about emoji sequences, so a character takes as many cells here
as it takes on any of them: a row may be short, it is never too long.

A row ends before a wide sign that would stand far to the right. Where tmux (3.3 to 3.7)
joins rows that it had wrapped in three or more, and the last begins with a wide sign for
which one cell is left, it takes them for two lines and puts the cursor a line too high:
what is drawn there next would erase a row that is finished. Rows that end earlier are
wrapped in two at most, in any window of 40 columns or more.
"""

from __future__ import annotations

from collections.abc import Iterable

from prompt_toolkit.utils import get_cwidth

from agent_shell_cli.printable import printable

__all__ = [
    "Line",
    "Row",
    "cells",
    "cut",
    "grown_rows",
    "part",
    "row_starts",
    "rows",
    "shown",
    "text_of",
]

# A style class and a text without a newline.
Line = tuple[str, str]
# Style classes, each with a text that has no newline.
Row = list[tuple[str, str]]

# Behind which an address, a path or a tag can be cut with no word of it in two.
_MARKS = frozenset("/.-_?&=:,;#>")
_JOINER = "\u200d"
# No wide sign stands behind so many cells: 78, less what lists and quotes put before a row.
_WIDE_CELLS = 70
# Asks for the picture of the character before it, which may be twice as wide.
_PICTURE = "\ufe0f"


def shown(text: str) -> str:
    """An answer, or a piece of one, fit for the terminal and for being cut into rows."""
    # How far a tab goes depends on where it stands, and rows are cut later.
    return printable(text).replace("\t", "    ")


def cells(text: str) -> int:
    """How many cells `text`, which has no newline, takes at most."""
    return len(text) if _narrow(text) else sum(map(_width, text))


def rows(text: str, width: int) -> list[str]:
    """`text` as the rows that show it, wrapped at spaces where there are any."""
    shown: list[str] = []
    for line in text.split("\n"):
        starts = row_starts(line, width)
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            shown.append(line[start:end].rstrip(" "))
    return shown


def text_of(row: Row) -> str:
    """The text of a row."""
    return "".join(text for _, text in row)


def part(row: Row, start: int, end: int) -> Row:
    """The characters of a row from `start` to `end`, without the blanks that end them."""
    end = start + len(text_of(row)[start:end].rstrip(" "))
    found: Row = []
    offset = 0
    for style, text in row:
        piece = text[max(0, start - offset) : max(0, end - offset)]
        if piece:
            found.append((style, piece))
        offset += len(text)
    return found


def row_starts(line: str, width: int) -> list[int]:
    """The offsets in `line`, which has no newline, at which its rows begin.

    Text that is appended later moves none of them but the last.
    """
    starts = [0]
    narrow = _narrow(line)
    while True:
        start = starts[-1]
        end = start + width if narrow else start + _fitting(line, start, width)
        if end >= len(line):
            return starts
        space = line.rfind(" ", start, end + 1)
        # An indent is no place to break at: nothing would stand before it.
        breakable = space > start and not line[start:space].isspace()
        starts.append(space + 1 if breakable else _in_word(line, start, end))


def _in_word(line: str, start: int, end: int) -> int:
    """Where a word that is too long is cut: behind a mark, as in addresses, where one is near."""
    for place in range(end, start + (end - start) // 3, -1):
        if line[place - 1] in _MARKS:
            return place
    return end


def grown_rows(widths: Iterable[int], columns: int) -> int:
    """How many rows more such rows take in a terminal of `columns`, wrapped again."""
    return sum(max(0, -(-width // max(1, columns)) - 1) for width in widths)


def cut(line: str, width: int, ellipsis: str) -> str:
    """`line` in at most `width` cells, ended by `ellipsis` where it was longer."""
    fits = width if _narrow(line) else _fitting(line, 0, width)
    if fits >= len(line):
        return line
    room = max(0, width - cells(ellipsis))
    fits = room if _narrow(line) else _fitting(line, 0, room, at_least=0)
    return f"{line[:fits]}{ellipsis}"


def _narrow(text: str) -> bool:
    """Whether every character of `text` takes exactly one cell."""
    return text.isascii() and text.isprintable()


def _width(char: str) -> int:
    return 1 if char == _PICTURE else get_cwidth(char)


def _fitting(line: str, start: int, width: int, at_least: int = 1) -> int:
    """How many characters from `start` on fit into `width` cells."""
    taken = 0
    for place in range(start, len(line)):
        char = line[place]
        taken += _width(char)
        is_wide = char == _PICTURE or get_cwidth(char) > 1
        if taken > (min(width, _WIDE_CELLS) if is_wide else width):
            whole = _before_sequence(line, start, place)
            return max(at_least, (whole if whole > start else place) - start)
    return len(line) - start


def _before_sequence(line: str, start: int, place: int) -> int:
    """The last place up to `place` at which no sequence of one sign is cut."""
    while place > start and _continues(line, start, place):
        place -= 1
    return place


def _continues(line: str, start: int, place: int) -> bool:
    """Whether the character at `place` belongs to the sign before it."""
    char = line[place]
    if line[place - 1] == _JOINER or get_cwidth(char) == 0 or "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    if not _is_flag(char):
        return False
    flags = place
    while flags > start and _is_flag(line[flags - 1]):
        flags -= 1
    return (place - flags) % 2 == 1  # two letters make a flag


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
