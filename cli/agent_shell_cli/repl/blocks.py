"""Where a streaming answer is finished: pure functions over text and widths.

What lies before the committed boundary is written once, above the prompt, and
never again; what lies behind it is the live tail. Texts are already printable.
"""

from __future__ import annotations

from prompt_toolkit.utils import get_cwidth

__all__ = ["committed_boundary", "cut", "row_starts", "rows"]


def committed_boundary(text: str, width: int, tail_rows: int) -> int:
    """How many characters of `text` are finished, in a terminal of `width` cells.

    Finished lines are. A line that still grows is live, until it takes more than
    `tail_rows` rows: then all of its rows but the last are finished.
    """
    boundary = text.rfind("\n") + 1
    if 2 * (len(text) - boundary) <= width:
        return boundary  # one row, however wide its characters are
    rest = text[boundary:]
    starts = row_starts(rest, width)
    return boundary + starts[-1] if len(starts) > tail_rows else boundary


def rows(text: str, width: int) -> list[str]:
    """`text` as the rows that show it, wrapped at spaces where there are any."""
    shown: list[str] = []
    for line in text.split("\n"):
        starts = row_starts(line, width)
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            shown.append(line[start:end].rstrip(" "))
    return shown


def row_starts(line: str, width: int) -> list[int]:
    """The offsets in `line`, which has no newline, at which its rows begin.

    Text that is appended later moves none of them but the last.
    """
    starts = [0]
    narrow = line.isascii()
    while True:
        start = starts[-1]
        end = start + width if narrow else start + _fitting(line, start, width)
        if end >= len(line):
            return starts
        space = line.rfind(" ", start, end + 1)
        # An indent is no place to break at: nothing would stand before it.
        breakable = space > start and not line[start:space].isspace()
        starts.append(space + 1 if breakable else end)


def cut(line: str, width: int, ellipsis: str) -> str:
    """`line` in at most `width` cells, ended by `ellipsis` where it was longer."""
    fits = width if line.isascii() else _fitting(line, 0, width)
    if fits >= len(line):
        return line
    room = max(0, width - get_cwidth(ellipsis))
    fits = room if line.isascii() else _fitting(line, 0, room, at_least=0)
    return f"{line[:fits]}{ellipsis}"


def _fitting(line: str, start: int, width: int, at_least: int = 1) -> int:
    """How many characters from `start` on fit into `width` cells."""
    cells = 0
    for place in range(start, len(line)):
        cells += get_cwidth(line[place])
        if cells > width:
            return max(at_least, place - start)
    return len(line) - start
