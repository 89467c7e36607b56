"""Tables in rows of cells, in columns where they fit, else one cell a line."""

from __future__ import annotations

from collections.abc import Sequence

from agent_shell.records import record
from agent_shell_cli.repl.rows import Row, cells, part, row_starts, text_of

__all__ = ["Table", "table_rows"]

# A column that is narrower shows no word.
_NARROWEST = 8
_HEADER = "bold"
_LINE = "class:quiet"


@record
class Table:
    """The cells of a table: `sample` of its rows say how wide its columns are.

    `grows` says that there may be more rows, which the sample does not have;
    `aligns` has `left`, `center`, `right` or nothing for each column of `header`.
    """

    header: list[Row]
    aligns: list[str]
    body: list[list[Row]]
    sample: int = 0
    grows: bool = False


def table_rows(
    table: Table, first: int, width: int, *, with_header: bool, unicode: bool
) -> list[Row]:
    """The rows of a table from its row `first` on."""
    widths = _widths(table, width)
    if widths is None:
        return _records(table, first)
    bar, cross, dash = ("│", "┼", "─") if unicode else ("|", "+", "-")
    rows: list[Row] = []
    if with_header:
        header = [[(f"{style} {_HEADER}", text) for style, text in cell] for cell in table.header]
        rows += _in_columns(header, table.aligns, widths, bar)
        rows.append([(_LINE, f"{dash}{cross}{dash}".join(dash * width for width in widths))])
    for number, row in enumerate(table.body[first:], first):
        if number >= table.sample and not _keeps_words(row, widths):
            rows += _record(table, row)
        else:
            rows += _in_columns(row, table.aligns, widths, bar)
    return rows


def _widths(table: Table, width: int) -> list[int] | None:
    """How wide the columns are, or None if they don't fit side by side."""
    sample = [table.header, *table.body[: table.sample]]
    natural = [max(1, *(cells(text_of(row[i])) for row in sample)) for i in range(len(sample[0]))]
    room = width - 3 * (len(natural) - 1)
    if table.grows:
        roomy = [max(one + 4, one * 3 // 2) for one in natural]
        natural = roomy if sum(roomy) <= room else natural
    if sum(min(one, _NARROWEST) for one in natural) > room:
        return None
    most = max(natural)
    while sum(min(one, most) for one in natural) > room:
        most -= 1
    widths = [min(one, most) for one in natural]
    rest = room - sum(widths)
    for i, one in enumerate(natural):
        more = min(rest, one - widths[i], 1)
        widths[i] += more
        rest -= more
    return widths


def _keeps_words(row: list[Row], widths: list[int]) -> bool:
    """Whether each column is as wide as the words in its cell."""
    words = ([cells(word) for word in text_of(cell).split()] for cell in row)
    return all(max(sizes, default=0) <= width for sizes, width in zip(words, widths, strict=True))


def _in_columns(row: list[Row], aligns: list[str], widths: list[int], bar: str) -> list[Row]:
    """The rows that a row of cells takes, as high as its highest cell."""
    wrapped = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    rows: list[Row] = []
    for height in range(max(map(len, wrapped))):
        line: Row = []
        for i, (cell, width) in enumerate(zip(wrapped, widths, strict=True)):
            if i:
                line.append((_LINE, f" {bar} "))
            line += _aligned(cell[height] if height < len(cell) else [], aligns[i], width)
        rows.append(line)
    return rows


def _wrapped(cell: Row, width: int) -> list[Row]:
    text = text_of(cell)
    starts = row_starts(text, width)
    return [part(cell, a, b) for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def _aligned(cell: Row, align: str, width: int) -> Row:
    blanks = max(0, width - cells(text_of(cell)))
    before = {"right": blanks, "center": blanks // 2}.get(align, 0)
    return [("", " " * before), *cell, ("", " " * (blanks - before))]


def _records(table: Table, first: int) -> list[Row]:
    """One line for each cell, after the name of its column."""
    if not table.body:
        return [[(f"{style} {_HEADER}", text) for style, text in cell] for cell in table.header]
    rows: list[Row] = []
    for row in table.body[first:]:
        if rows or first:
            rows.append([])
        rows += _record(table, row)
    return rows


def _record(table: Table, row: list[Row]) -> list[Row]:
    return [[*_named(name), *cell] for name, cell in zip(table.header, row, strict=True)]


def _named(name: Sequence[tuple[str, str]]) -> Row:
    named = [(f"{style} {_HEADER}", text) for style, text in name]
    return [*named, ("", ": ")] if named else []
