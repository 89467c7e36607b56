"""A finished piece of an answer, as rows: Markdown without its marks, or as written.

What a row shows can be copied: no padding, no box, no rule as wide as the screen;
marks of lists and quotes, lines and blank lines stay as they were written. A link
is its text and its address, in sight; none is hidden in an escape sequence, which
not every terminal swallows, and which could lead elsewhere than it says.

Whatever is rendered passes `_Page.write`, which filters it once more: entities of
Markdown become control characters only after the answer was made printable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent_shell.records import record
from agent_shell_cli.printable import printable
from agent_shell_cli.repl.blocks import Carry, is_blank, is_many, sampled
from agent_shell_cli.repl.code import highlighted
from agent_shell_cli.repl.inlines import inline_lines
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.parser import Parsed, parse, split_cells
from agent_shell_cli.repl.rows import Row, part, row_starts, rows, text_of
from agent_shell_cli.repl.tables import Table, table_rows

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["as_written", "rendered"]

_LEAVES = ("paragraph_open", "heading_open", "fence", "code_block", "table_open", "hr")


def as_written(text: str) -> list[Row]:
    """The lines of `text`, which the terminal wraps by itself."""
    return [[("", line)] for line in text.removesuffix("\n").split("\n")]


def rendered(text: str, carry: Carry, look: Look, width: int) -> list[Row]:
    """A piece that stands in `carry`, as rows of at most `width` cells."""
    parsed = parse(carry.prelude + text)
    if parsed.too_deep:
        return [[("", row)] for row in rows(text.removesuffix("\n"), width)]
    walk = _Walk(parsed, carry, _Page(max(1, width)), look)
    walk.run()
    return walk.page.rows


@record
class _Container:
    """What stands before the rows of a quote or an item: at first, then later."""

    first: str
    later: str
    line: int
    shown: bool


class _Page:
    """The rows so far, and in which containers the next one stands."""

    def __init__(self, width: int) -> None:
        self.rows: list[Row] = []
        self.path: list[_Container] = []
        self._width = width

    @property
    def room(self) -> int:
        """How many cells a row has beside its containers."""
        return self._width - len(self._before())

    def gap(self) -> None:
        """A blank row, inside of what was begun already."""
        before = "".join(one.later for one in self.path if one.shown)[: self._width].rstrip()
        self.rows.append([("class:quiet", before)] if before else [])

    def write(self, lines: Sequence[Row]) -> None:
        """Writes lines, each as rows that fit; the one place that does."""
        for line in lines:
            safe = [(style, _safe(text)) for style, text in line]
            text = text_of(safe)
            starts = row_starts(text, max(1, self.room))
            for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
                row = part(safe, start, end)
                before = self._before() if row else self._before().rstrip()
                self.rows.append([("class:quiet", before), *row] if before else row)
                for one in self.path:
                    one.shown = True

    def _before(self) -> str:
        before = "".join(one.later if one.shown else one.first for one in self.path)
        # However deep it is nested, text keeps half of the row, and room for a wide sign.
        most = max(0, min(self._width // 2, self._width - 2))
        return before[max(0, len(before) - most) :]


class _Walk:
    """Writes the blocks of a piece that were not written with an earlier one."""

    def __init__(self, parsed: Parsed, carry: Carry, page: _Page, look: Look) -> None:
        self.page = page
        self._parsed = parsed
        self._carry = carry
        self._look = look
        self._numbers: list[int] = []
        self._lists = 0
        self._next = 0

    def run(self) -> None:
        """Writes them all."""
        while self._next < len(self._parsed.tokens):
            token = self._parsed.tokens[self._next]
            self._next += 1
            match token.type:
                case "bullet_list_open" | "ordered_list_open":
                    self._open_list(token)
                case "bullet_list_close" | "ordered_list_close":
                    self._numbers.pop()
                case "blockquote_open":
                    self._open(token, "> ", "> ")
                case "list_item_open":
                    self._open_item(token)
                case "blockquote_close" | "list_item_close":
                    self._close()
                case _:
                    self._block(token)

    def _open(self, token: Token, first: str, later: str) -> None:
        line = _lines_of(token)[0]
        shown = line < self._carry.lines + self._carry.midline
        self.page.path.append(_Container(first, later, line, shown))

    def _open_list(self, token: Token) -> None:
        item = self._parsed.tokens[self._next]
        number = int(item.info or 0)
        if _lines_of(token)[0] < self._carry.lines + self._carry.midline:
            if self._lists < len(self._carry.shifts):
                number += self._carry.shifts[self._lists]
            self._lists += 1
        self._numbers.append(number)

    def _open_item(self, token: Token) -> None:
        mark = f"{self._numbers[-1] if token.info else ''}{token.markup} "
        self._numbers[-1] += 1
        self._open(token, mark, " " * len(mark))

    def _close(self) -> None:
        if not self.page.path[-1].shown:  # it is empty
            self._gap(self.page.path[-1].line)
            self.page.write([[]])
        self.page.path.pop()

    def _block(self, token: Token) -> None:
        if token.type not in _LEAVES:
            return
        start, end = _lines_of(token)
        if end <= self._carry.lines:
            return  # it was written
        written = max(0, self._carry.lines - start)
        if not written and not (self._carry.midline and start == self._carry.lines):
            self._gap(start)
        match token.type:
            case "paragraph_open":
                self._write_inline(written, "")
            case "heading_open":
                style = "bold underline" if token.tag == "h1" else "bold"
                self._write_inline(written, f"class:heading {style}")
            case "fence":
                self._write_fence(token, written)
            case "code_block":
                said = token.content.removesuffix("\n").split("\n")[written:]
                self.page.write(highlighted(said, ""))
            case "table_open":
                self._write_table(token, written)
            case "hr":
                column = self._parsed.column(start, token.level)
                self.page.write([[("class:quiet", self._parsed.lines[start][column:])]])
            case _:
                pass

    def _gap(self, line: int) -> None:
        """Keeps the distance that the source has, before what begins at `line`."""
        line = min([line, *(one.line for one in self.page.path if not one.shown)])
        begun = self.page.rows or self._carry.lines
        if begun and line and is_blank(self._parsed.lines[line - 1]):
            self.page.gap()

    def _write_inline(self, written: int, style: str) -> None:
        content = self._parsed.tokens[self._next].content
        lines = content.split("\n")[written:]
        start = _lines_of(self._parsed.tokens[self._next])[0]
        if lines and self._carry.midline and start <= self._carry.lines:
            lines[0] = lines[0][2:]
        if lines:
            self.page.write(inline_lines("\n".join(lines), style, color=self._look.color))

    def _write_fence(self, token: Token, written: int) -> None:
        language, _, title = token.info.strip().partition(" ")
        if not written and title:
            self.page.write([[("class:quiet", title)]])
        if not token.content:
            if any(not one.shown for one in self.page.path):
                self.page.write([[]])
            return
        lines = token.content.removesuffix("\n").split("\n")
        known = max(0, written - 1)
        if self._carry.midline and written and known < len(lines):
            lines[known] = lines[known][2:]
        self.page.write(highlighted(lines, language)[known:])

    def _write_table(self, token: Token, written: int) -> None:
        start, end = _lines_of(token)
        table = self._table()
        first = max(0, written - 2)
        lines = self._parsed.lines[start:end]
        table.sample = first if written else sampled(lines[2:])
        table.grows = bool(written) or is_many(lines)
        rows = table_rows(
            table,
            first,
            self.page.room,
            with_header=not written,
            unicode=self._look.unicode,
        )
        self.page.write(rows)

    def _table(self) -> Table:
        aligns: list[str] = []
        body: list[list[Row]] = []
        line, row = 0, list[str]()
        while (one := self._parsed.tokens[self._next]).type != "table_close":
            self._next += 1
            match one.type:
                case "tr_open":
                    line, row = _lines_of(one)[0], []
                case "th_open":
                    aligns.append(str(one.attrs.get("style", "")).removeprefix("text-align:"))
                case "inline":
                    row.append(one.content)
                case "tr_close":
                    if body:  # the parser leaves out what the header has no column for
                        beyond = split_cells(self._parsed.lines[line].lstrip(" >"))[len(row) :]
                        row[-1] = " | ".join([row[-1], *beyond])
                    body.append([self._cell(text) for text in row])
                case _:
                    pass
        return Table(body[0], aligns, body[1:])

    def _cell(self, text: str) -> Row:
        (line, *_) = inline_lines(text, "", color=self._look.color)
        return line


def _lines_of(token: Token) -> tuple[int, int]:
    assert token.map is not None, token
    return token.map[0], token.map[1]


def _safe(text: str) -> str:
    return printable(text).replace("\n", "␊").replace("\t", "    ")
