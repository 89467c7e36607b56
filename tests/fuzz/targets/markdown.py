"""An answer in Markdown: in any pieces, shown once to the last character, in rows that fit."""

from __future__ import annotations

from agent_shell_cli.printable import printable
from agent_shell_cli.repl import blocks, inlines, markdown, markup, parser, rows, stream, tables
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.markdown import rendered
from agent_shell_cli.repl.rows import cells, text_of
from agent_shell_cli.repl.stream import Piece, Stream
from fuzz.target import Take, Target

__all__ = ["MARKDOWN"]

_WIDTHS = (79, 20, 2, 200)
_TAILS = (6, 1, 3)
_LOOK = Look.of(color=False, encoding="utf-8", environ={})


def _answer(data: bytes) -> None:
    take = Take(data)
    width, tail_rows = take.one_of(_WIDTHS), take.one_of(_TAILS)
    sizes = [1 + take.byte() for _ in range(1 + take.byte() % 4)]
    text = printable(take.text()).replace("\t", "    ")
    pieces = _streamed(text, sizes, width, tail_rows)
    assert "".join(piece.text for piece in pieces) == text, "a character is lost or doubled"
    for piece in pieces:
        _check_rows(piece, width)


def _streamed(text: str, sizes: list[int], width: int, tail_rows: int) -> list[Piece]:
    answer = Stream()
    pieces: list[Piece] = []
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        answer.feed(text[at : at + size])
        at, turn = at + size, turn + 1
        if answer.has_finished(width, tail_rows):
            more = answer.take(width, tail_rows)
            assert more, "nothing is finished after all"
            assert all(piece.text for piece in more), "an empty piece"
            pieces += more
        # The tail is what was not taken: what was finished is not shown twice.
        rest = text[sum(len(piece.text) for piece in pieces) : at]
        assert rest.endswith(answer.tail), "the tail shows what it should not"
        assert answer.tail or not rest, "the tail shows nothing"
    return pieces + answer.end()


def _check_rows(piece: Piece, width: int) -> None:
    assert piece.carry is not None
    for row in rendered(piece.text, piece.carry, _LOOK, width):
        shown = text_of(row)
        assert "\n" not in shown
        assert "\t" not in shown
        assert printable(shown) == shown, f"not fit for a terminal: {shown!r}"
        assert cells(shown) <= width, f"{cells(shown)} cells where {width} are: {shown!r}"


MARKDOWN = Target(
    "markdown",
    _answer,
    [blocks, inlines, markdown, markup, parser, rows, stream, tables],
    seeds=[
        b"\0\0\0\x20# Title\n\nA *paragraph* with `code` and [a link](x).\n\n- one\n- two\n  - 3\n",
        b"\1\1\1\x30\x50```python\nprint(1)\nprint(2)\n```\n\n> quote\n> more\n",
        b"\1\1\1\x30\x50text\n1. a\n2. b\n\n   c\n\n     d\n",
        b"\1\0\0\x40| a | b |\n|---|:-:|\n" + b"| 1 | 2 |\n" * 6 + b"\n---\ntext\n===\n",
        b"\0\1\2\x50\x60\x70~~~\n"
        + b"line of code\n" * 9
        + b"~~~\nend **bold\nstill** \\* &amp; <b>\n",
        b"\1\0\0\x40" + "日本語 👍🏽 e\u0301 🇩🇪 wide\n".encode() * 3,
        b"\0\0\0\xff&#27;[2J &#x202e; &nbsp; &#9; `&#7;` [x](&#27;) ![y](z)\n\n",
    ],
    tokens=[
        b"\n\n",
        b"```\n",
        b"~~~~\n",
        b"> ",
        b"- ",
        b"1. ",
        b"12) ",
        b"    ",
        b"# ",
        b"---\n",
        b"***",
        b"__",
        b"`",
        b"| a | b |\n|---|---|\n",
        b"| 1 | 2 |\n",
        b"[x](y)",
        b"![",
        b"[a]: b\n",
        b"<!--",
        b"<http://x>",
        b"\\",
        b"~~",
        b"&#27;",
        b"&Tab;",
        b"&NewLine;",
        "👨\u200d👩\u200d👧".encode(),
        "\u0301".encode(),
        "\ufe0f".encode(),
        "\u3000".encode(),
        "\u00a0".encode(),
    ],
    limit=1024,
)
