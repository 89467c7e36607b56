"""Where a streaming Markdown answer is finished."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_shell_cli.repl.blocks import WINDOW, Carry, finished
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.markdown import rendered
from agent_shell_cli.repl.parser import parse
from agent_shell_cli.repl.rows import text_of
from agent_shell_cli.repl.stream import Stream
from support_markdown import answers, names_of, words_of

WIDTH, ROWS = 79, 6
LOOK = Look.of(color=True, encoding="utf-8")


def committed(text: str, width: int = WIDTH, tail_rows: int = ROWS) -> tuple[list[str], Carry]:
    """The finished pieces of a text that has come so far, and what its rest stands in."""
    pieces: list[str] = []
    carry = Carry()
    while True:
        boundary, after = finished(text, carry, width, tail_rows)
        if not boundary:
            return pieces, carry
        pieces.append(text[:boundary])
        text, carry = text[boundary:], after


def rest_of(text: str, width: int = WIDTH, tail_rows: int = ROWS) -> str:
    """What of a text that has come so far is not finished."""
    pieces, _ = committed(text, width, tail_rows)
    return text[len("".join(pieces)) :]


def streamed(pieces: list[str], width: int, tail_rows: int = ROWS) -> tuple[str, list[str]]:
    """What was committed of an answer that came in pieces, and the rows that it made."""
    stream = Stream()
    text, rows = "", list[str]()
    for piece in pieces:
        stream.feed(piece)
        for done in stream.take(width, tail_rows):
            text += done.text
            rows += shown(done.text, done.carry, width)
    for done in stream.end():
        text += done.text
        rows += shown(done.text, done.carry, width)
    return text, rows


def shown(text: str, carry: Carry | None, width: int) -> list[str]:
    assert carry is not None
    return [text_of(row) for row in rendered(text, carry, LOOK, width)]


@pytest.mark.parametrize(
    ("so_far", "unfinished"),
    [
        # A paragraph, until a blank line or another block follows.
        ("one", "one"),
        ("one\ntwo\n", "one\ntwo\n"),
        ("one\n\n", ""),
        ("one\n\ntw", "tw"),
        ("one\n# two\n", ""),
        ("one\n# tw", "one\n# tw"),
        ("one\n- two\n", "- two\n"),
        ("one\n===\n", ""),
        ("one\n---", "one\n---"),
        # A heading and a rule, with their lines.
        ("# one", "# one"),
        ("# one\n", ""),
        ("***\n", ""),
        # An item, when the next one begins; a blank line ends its paragraph.
        ("- one\n- two\n", "- two\n"),
        ("- one\n\n", ""),
        ("1. one\n2. two\n   more\n", "2. two\n   more\n"),
        ("- one\n  - two\n  - three\n", "  - three\n"),
        ("-\n", "-\n"),
        ("-\n\n", "-\n\n"),
        ("- one\n-\n", "-\n"),
        # A quote, paragraph by paragraph.
        ("> one\n", "> one\n"),
        ("> one\n>\n", ""),
        ("> one\n> - two\n> - three\n", "> - three\n"),
        # A fence, when it is closed; lines of it as soon as it is too tall.
        ("```py\na\n", "```py\na\n"),
        ("```py\na\n\nb\n", "```py\na\n\nb\n"),
        ("```py\na\n```\n", ""),
        ("````\n```\n", "````\n```\n"),
        ("```py\n" + "a\n" * 7, ""),
        ("```py\n" + "a\n" * 7 + "b", "b"),
        ("- x\n\n  ```py\n" + "  a\n" * 7, ""),
        ("> ```\n> a\n\n", ""),
        # A table, when it is over; rows of it once the first ones have set its columns.
        ("| a |\n|---|\n| b |\n", "| a |\n|---|\n| b |\n"),
        ("| a |\n|---|\n| b |\n\n", ""),
        ("| a |\n|---|\n" + "| b |\n" * 41 + "| c", "| c"),
        # Indented code may go on behind a blank line.
        ("    a\n\n", "    a\n\n"),
        ("    a\n\nb\n", "b\n"),
        # HTML and definitions are text.
        ("<div>\n\n", ""),
        ("[a]: b\n", "[a]: b\n"),
        # Blank lines wait for what follows.
        ("\n\n", "\n\n"),
    ],
)
def test_what_is_finished(so_far: str, unfinished: str) -> None:
    """A block is finished when no later text can change how it looks."""
    assert rest_of(so_far) == unfinished


@pytest.mark.parametrize(
    ("so_far", "opened_again"),
    [
        ("one\n\n", "# x\n\n"),
        ("- one\n", ""),
        ("- one\n- two\n", "- # x\n"),
        ("1. one\n2. two\n\n", "2. # x\n\n"),
        ("> one\n>\n", "> # x\n>\n"),
        ("> one\n\n", "# x\n\n"),
        ("- > one\n\n", "- # x\n\n"),
        ("> - one\n>   - two\n>   - three\n", "> - # x\n>   - # x\n"),
        ("-\n  one\n\n", "- # x\n\n"),
        ("```py\n" + "a\n" * 7, "```py\n" + "a\n" * 7),
        ("```py\n" + "a\n" * 99, "```py\n" + "a\n" * 30),
        ("- x\n- ```py\n" + "  a\n" * 7, "- ```py\n" + "  a\n" * 7),
        ("word " * 120, "x "),
        ("> - " + "word " * 120, "> - x "),
        ("# " + "word " * 120, "# x "),
    ],
)
def test_what_a_piece_stands_in(so_far: str, opened_again: str) -> None:
    """What is open is carried over as Markdown that opens it again."""
    assert committed(so_far)[1].prelude == opened_again


def test_numbers_go_on() -> None:
    """An item keeps the number that its place gives it, however it is written."""
    _, carry = committed("3. one\n3. two\n3. three\n3. four\n")
    assert (carry.prelude, carry.shifts) == ("3. # x\n", (2,))


def test_tall_paragraph_is_cut_by_rows() -> None:
    """A paragraph that is too tall keeps only its last row alive."""
    rest = rest_of("word " * 120)
    assert 0 < len(rest) <= WIDTH
    assert rest.startswith("word")


def test_tall_paragraph_is_not_cut_inside_of_markup() -> None:
    """Where emphasis, code or a link is open a paragraph waits, as long as is sensible."""
    for opened in ("**", "`", "[", "[a](", "~~", "_"):
        text = f"{'word ' * 20}{opened}{'word ' * 100}"
        pieces, _ = committed(text)
        assert opened not in "".join(pieces)
        assert text.startswith("".join(pieces))
    assert len(rest_of("**" + "word " * 2000)) < 4096 + WIDTH


def test_header_of_a_table_is_not_cut() -> None:
    """What may be the header of a table waits for the line below it."""
    header = "| column " * 70
    assert rest_of(header) == header


@given(st.lists(st.text(alphabet="ab *_`[]()#->1.|~\n 日\u0301", max_size=40)), st.integers(2, 90))
@example(["```\n", "a" * 5000, "\nb\n```\n"], 20)
@example(["- ```\n", "  " + "a b " * 500, "\n  b\n  ```\n"], 20)
@example(["| a |\n|---|\n", "| b |\n" * 100], 40)
@example(["> " * 100 + "a\n\nb\n"], 40)
def test_nothing_is_lost_or_committed_twice(pieces: list[str], width: int) -> None:
    """However it comes in pieces, what was committed makes up the answer."""
    text, _ = streamed(pieces, width)
    assert text == "".join(pieces)


@settings(max_examples=50)
@given(answers(), st.integers(1, 40), st.sampled_from([20, 40, 80, 200]))
@example("a\n- | w1w |\n  |---|\n", 1, 20)
@example("w1w\n> w2w `w3w `w4w`\n> w5w `w6w` w7w `w8w`", 1, 20)  # side by side: code ends oddly
def test_no_word_is_lost_or_doubled(answer: str, cut: int, width: int) -> None:
    """Each word of an answer is shown once, in order, however it was cut."""
    pieces = [answer[i : i + cut] for i in range(0, len(answer), cut)]
    _, rows = streamed(pieces, width)
    assert words_of(rows) == words_of([answer])
    assert names_of(rows) == names_of([answer])


@settings(max_examples=50)
@given(answers(), st.integers(1, 40))
def test_pieces_look_like_the_whole(answer: str, cut: int) -> None:
    """An answer that was written piece by piece looks as if it was written at once."""
    pieces = [answer[i : i + cut] for i in range(0, len(answer), cut)]
    # Where nothing is too tall: else a paragraph is cut at rows of its source.
    _, rows = streamed(pieces, 200, tail_rows=1000)
    assert solid(rows) == solid(shown(answer, Carry(), 200))


@given(st.text(alphabet="ab *_`#->1.|~\n ", max_size=120), st.integers(1, 9))
@example("- a\n-\n  b\n\nc", 1)
@example("> a\n- b\n  > c\n\n      d\n\n\n      e", 3)
@example(">\n>a\n>\n\n-\n  b\n", 2)
@example("1. a\n   1. b\n2. c\n   1. d\n3. e\n", 2)
def test_any_text_looks_like_the_whole(answer: str, cut: int) -> None:
    """Also where the marks make no sense."""
    pieces = [answer[i : i + cut] for i in range(0, len(answer), cut)]
    _, rows = streamed(pieces, 200, tail_rows=1000)
    assert solid(rows) == solid(shown(answer, Carry(), 200))


def solid(rows: list[str]) -> list[str]:
    """The rows that have something in them: how many blank ones begin an answer may differ."""
    return [row for row in rows if row.strip(" >")]


class Counted:
    """Counts the characters that the parser is given."""

    def __init__(self) -> None:
        self.most = self.all = 0

    def __call__(self, source: str):
        self.most = max(self.most, len(source))
        self.all += len(source)
        return parse(source)


@pytest.mark.parametrize(
    "answer",
    [
        "word " * 10_000,
        "word\n" * 10_000,
        "a" * 50_000,
        "```py\n" + "some = code\n" * 5_000,
        "```\n" + "a" * 50_000,
        "- item of a list\n" * 3_000,
        "    indented\n\n" * 4_000,
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 5_000,
        "|" + " a |" * 1000 + "\n|" + "---|" * 1000 + "\n" + ("|" + " b |" * 1000 + "\n") * 40,
        ">" * 10_000 + " a\n" + "- " * 10_000 + "b\n",
        "[" * 30_000,
        "**a _b " * 5_000,
        "-\n" + "\n" * 30_000,
        "[\n" * 15_000,
    ],
    ids=lambda answer: repr(answer[:12]),
)
@pytest.mark.parametrize("cut", [4, 1_000_000])
def test_work_is_linear(answer: str, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer has the parser read a character more often than a few times, or much at once."""
    counted = Counted()
    monkeypatch.setattr("agent_shell_cli.repl.blocks.parse", counted)
    stream = Stream()
    text = ""
    for i in range(0, len(answer), cut):
        stream.feed(answer[i : i + cut])
        text += "".join(piece.text for piece in stream.take(WIDTH, ROWS))
    text += "".join(piece.text for piece in stream.end())
    assert text == answer
    assert counted.most <= 2 * WINDOW
    assert counted.all <= 30 * len(answer)
