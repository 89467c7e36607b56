"""A finished piece of an answer as rows: what is shown, and what can never be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.styles import Style

from agent_shell_cli.printable import printable
from agent_shell_cli.repl.blocks import Carry
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.markdown import as_written, rendered
from agent_shell_cli.repl.rows import Row, cells, cut, part, row_starts, rows, text_of
from support_markdown import answers, words_of

LOOK = Look.of(color=True, encoding="utf-8")
PLAIN = Look.of(color=False, encoding="ascii")

lines = st.text(alphabet="ab ,日\u0301", max_size=200)
texts = st.text(alphabet="ab ,日\u0301\n", max_size=200)
widths = st.integers(2, 30)


def shown(text: str, width: int = 79, look: Look = LOOK) -> list[str]:
    return [text_of(row) for row in rendered(text, Carry(), look, width)]


def styled(text: str, word: str) -> str:
    """The style of the fragment that has `word`."""
    return next(
        style for row in rendered(text, Carry(), LOOK, 79) for style, said in row if word in said
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\ntwo *three* **four** ~~five~~", ["One", "two three four five"]),
        ("One\n===\n\n\n\ntwo", ["One", "", "two"]),
        ("a line\nand another", ["a line", "and another"]),
        ("- one\n* two\n+ three", ["- one", "* two", "+ three"]),
        ("1. one\n1. two\n\n7) three", ["1. one", "2. two", "", "7) three"]),
        ("- one\n\n    - two\n      more", ["- one", "", "  - two", "    more"]),
        ("- [ ] to do\n- [x] done", ["- [ ] to do", "- [x] done"]),
        ("-\n- x", ["-", "- x"]),
        ("> one\n> > two\n>\n> three", ["> one", "> > two", ">", "> three"]),
        ("```py\nif a:\n\n    b\n```", ["if a:", "", "    b"]),
        ("```\nnever closed", ["never closed"]),
        ("```py title.py\na = 1\n```", ["title.py", "a = 1"]),
        ("    indented\n      more", ["indented", "  more"]),
        ("one\n\n***\n\ntwo", ["one", "", "***", "", "two"]),
        ("[text](http://a.b/c)", ["text (http://a.b/c)"]),
        ("[text](http://a.b 'title')", ['text (http://a.b "title")']),
        ("[http://a.b](http://a.b)", ["http://a.b"]),
        ("<http://a.b> <me@a.b>", ["http://a.b me@a.b"]),
        ("![alt](a.png)", ["alt (a.png)"]),
        ("<b>x</b>\n\n<div>\n\n<!-- y -->", ["<b>x</b>", "", "<div>", "", "<!-- y -->"]),
        ("[a]: http://b 'c'\n\n[x][a]", ["[a]: http://b 'c'", "", "[x][a]"]),
        (":smile: [bold]x[/bold] \\*", [":smile: [bold]x[/bold] *"]),
        ("a&nbsp;b &lt;c&gt;", ["a\u00a0b <c>"]),
        ("| a | b |\n|---|--:|\n| 1 | two |", ["a │   b", "──┼────", "1 │ two"]),
        ("| a |\n|---|\n| 1 | 2 | 3 |", ["a", "─────────", "1 | 2 | 3"]),
        ("| a | b |\n|---|---|\n| 1 |", ["a │ b", "──┼──", "1 │"]),
    ],
)
def test_blocks(text: str, expected: list[str]) -> None:
    """Marks become styles; words, lines and distances stay."""
    assert shown(text) == expected


MIXED = """\
# A heading that is longer than forty cells, to see it wrapped

A paragraph with [a link](http://example.org/path) and `some code` in it, and 日本語.

- an item with so many words that it takes more than a row
  1. nested

| name | what it is | more |
|------|------------|------|
| alpha | the first letter of the alphabet | x |

```
a line of code that is longer than forty cells, too
```
"""


def test_at_40_cells() -> None:
    """Narrow: words stay whole, rows of an item hang under its text, columns shrink."""
    assert shown(MIXED, 39) == [
        "A heading that is longer than forty",
        "cells, to see it wrapped",
        "",
        "A paragraph with a link",
        "(http://example.org/path) and some code",
        "in it, and 日本語.",
        "",
        "- an item with so many words that it",
        "  takes more than a row",
        "  1. nested",
        "",
        "name  │ what it is               │ more",
        "──────┼──────────────────────────┼─────",
        "alpha │ the first letter of the  │ x",
        "      │ alphabet                 │",
        "",
        "a line of code that is longer than",
        "forty cells, too",
    ]


def test_at_80_and_200_cells() -> None:
    """Wide: nothing is stretched to the width."""
    for width in (79, 199):
        assert shown(MIXED, width)[-5:] == [
            "name  │ what it is                       │ more",
            "──────┼──────────────────────────────────┼─────",
            "alpha │ the first letter of the alphabet │ x",
            "",
            "a line of code that is longer than forty cells, too",
        ]


def test_table_that_does_not_fit_is_a_list() -> None:
    """Where columns would be too narrow for words, each cell is a line of its own."""
    header = "|" + "|".join(f" h{i} " for i in range(1000)) + "|"
    row = "|" + "|".join(f" word{i} " for i in range(1000)) + "|"
    said = shown(f"{header}\n|{'---|' * 1000}\n{row}\n{row}", 40)
    assert said[:2] == ["h0: word0", "h1: word1"]
    assert said.count("") == 1
    assert len(said) == 2001


def test_styles() -> None:
    """What marks say is a style; a style sheet without colours leaves it so."""
    assert styled("# one", "one") == "class:heading bold underline"
    assert styled("**one *two***", "two") == "bold italic"
    assert styled("a `one`", "one") == "class:code"
    assert styled("[one](x)", "one") == "class:link"
    assert styled("[one](x)", "(x)") == "class:quiet"
    assert styled("```py\nif a: 'b'\n```", "if") == "class:code.keyword"
    assert styled("```py\nif a: 'b'\n```", "b") == "class:code.string"
    assert styled("```\nif\n```", "if") == "class:code"


def test_style_sheets_take_every_style() -> None:
    """Every style that is written is one that prompt_toolkit understands."""
    sheet = Style.from_dict({"code": "ansigreen"})
    for row in rendered(f"{MIXED}\n~~x~~\n```c\nint x = 1; // y\n```", Carry(), LOOK, 79):
        for style, _ in row:
            sheet.get_attrs_for_style_str(style)
    assert sheet.get_attrs_for_style_str("class:code.keyword").color == "ansigreen"


def test_without_colour_code_keeps_its_backticks() -> None:
    """Where colour can't tell code from text, its marks do."""
    assert shown("run `ls -l`", look=PLAIN) == ["run `ls -l`"]


def test_ascii_terminal() -> None:
    """A terminal without Unicode gets no sign from the renderer that it can't show."""
    assert all(row.isascii() for row in shown(MIXED.replace("日本語", ""), look=PLAIN))


@pytest.mark.parametrize(
    "text",
    [
        "&#27;[2J &#x9b;2J &#7; &#x202e;abc &#8294; &#xad; &#0; &#10;",
        "`&#27;` [&#27;]0;x&#7;](http://a&#27;b) ![&#27;](&#27;)",
        "```&#27;\n&#27;\n```",
        "| &#27; |\n|---|\n| &#x202e; |",
        "# &#155;\n> &#27;\n- &#x2028;",
        "[a](javascript:alert(1)) [b](data:text/html,x)",
        "<http://a&#27;b.c>",
        "[x](<a&#10;b> '&#27;')",
    ],
)
def test_nothing_reaches_the_terminal_as_a_control(text: str) -> None:
    """What Markdown decodes is filtered once more: entities, addresses, titles."""
    for row in shown(text):
        assert row == printable(row)
        assert "\n" not in row
        assert "\t" not in row


def test_dangerous_links_stay_as_written() -> None:
    """An address that could run something is no link, and is seen as it is."""
    assert shown("[a](javascript:alert(1))") == ["[a](javascript:alert(1))"]


def test_too_deep_is_shown_as_written() -> None:
    """Nesting beyond sense costs no word: it is shown as it was written."""
    for mark in (">", "> ", "- ", "1. "):
        text = mark * 10_000
        assert "".join(shown(f"{text}a\n\nb")).replace(" ", "") == f"{text}ab".replace(" ", "")


def test_many_brackets_are_no_links() -> None:
    """Ten thousand brackets are shown, and not looked at one against the other."""
    assert "".join(shown("[" * 10_000)) == "[" * 10_000


def test_as_written() -> None:
    """Without Markdown a line is a line, however long: the terminal wraps it."""
    text = f"# one\n\n{'word ' * 100}\n"
    assert [text_of(row) for row in as_written(text)] == ["# one", "", "word " * 100]


@settings(max_examples=40)
@given(answers(), st.sampled_from([8, 20, 40, 80, 200]))
def test_rows_fit_and_are_not_padded(answer: str, width: int) -> None:
    """No row is wider than it may be, and none ends with blanks."""
    for row in shown(answer, width):
        assert cells(row) <= width
        assert row == row.rstrip(" ")


@pytest.mark.parametrize("width", [2, 3, 4])
def test_indentation_leaves_room_for_a_wide_sign(width: int) -> None:
    """On the narrowest of terminals too."""
    for row in shown("1. 솔\n   - 솔솔\n\n> 솔", width):
        assert cells(row) <= width


@settings(max_examples=40)
@given(answers())
def test_every_word_is_shown_once(answer: str) -> None:
    """Whatever stands where: HTML, definitions, cells beyond the last column."""
    assert words_of(shown(answer, 80)) == words_of([answer])


@given(lines, lines, widths)
def test_growing_moves_only_the_last_row(line: str, more: str, width: int) -> None:
    """What is appended to a line leaves all of its rows but the last where they were."""
    starts = row_starts(line, width)
    assert row_starts(line + more, width)[: len(starts) - 1] == starts[:-1]


@given(texts, widths)
def test_rows_fit_and_lose_no_word(text: str, width: int) -> None:
    """Rows are no wider than the terminal, and hold every character but spaces."""
    wrapped = rows(text, width)
    assert all(cells(row) <= width for row in wrapped)
    assert "".join(wrapped).replace(" ", "") == text.replace("\n", "").replace(" ", "")


def test_rows_break_between_words() -> None:
    """A word stays whole where it fits into a row; a longer one is cut."""
    assert rows("some words here", 10) == ["some words", "here"]
    assert rows("    indented", 10) == ["    indent", "ed"]
    assert rows("abcdefgh", 3) == ["abc", "def", "gh"]


@given(st.text(alphabet="ab ,日\u0301", min_size=80, max_size=300), st.integers(60, 200))
def test_no_wide_sign_stands_far_to_the_right(text: str, width: int) -> None:
    """Tmux loses its place where it wraps them in more than two rows of 40 cells."""
    for row in rows(text, width):
        assert cells(row[: row.rfind("日") + 1]) <= 70


@pytest.mark.parametrize("sign", ["👍🏽", "🇩🇪", "⚠️", "👨\u200d👩\u200d👧", "e\u0301", "각"])
def test_signs_are_not_cut(sign: str) -> None:
    """A sign of several characters stays in one row, and fits on every terminal."""
    for row in rows(sign * 20, 13):
        assert row.replace(sign, "") == ""
        assert cells(row) <= 13


def test_right_to_left_text_is_not_reordered() -> None:
    """Text from right to left goes out in its own order; the terminal arranges it."""
    assert shown("**שלום** עולם") == ["שלום עולם"]


@given(lines, widths)
def test_cut_fits(line: str, width: int) -> None:
    """A line that is cut fits, and says that it was cut; one that fits stays."""
    short = cut(line, width, "…")
    assert cells(short) <= width
    assert short == line if cells(line) <= width else short.endswith("…")


def test_part_keeps_styles() -> None:
    """A part of a row keeps the styles of its characters."""
    row: Row = [("a", "one "), ("b", "two")]
    assert part(row, 2, 6) == [("a", "e "), ("b", "tw")]
    assert part(row, 0, 4) == [("a", "one")]
