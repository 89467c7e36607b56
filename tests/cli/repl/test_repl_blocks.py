"""Where a streaming answer is finished, and how lines become rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from agent_shell_cli.repl.blocks import committed_boundary, cut, row_starts, rows

# Narrow, wide and combining characters, spaces and newlines.
texts = st.text(alphabet="ab ,日\u0301\n", max_size=200)
lines = st.text(alphabet="ab ,日\u0301", max_size=200)
widths = st.integers(2, 30)


def test_finished_lines_are_committed() -> None:
    """All up to the last newline is finished; what grows is not."""
    assert committed_boundary("one\ntwo\nthr", 80, 6) == len("one\ntwo\n")
    assert committed_boundary("thr", 80, 6) == 0


def test_long_line_is_committed_by_rows() -> None:
    """A line of more rows than the tail may have keeps only its last row alive."""
    text = "word " * 40
    boundary = committed_boundary(text, 20, 6)
    assert boundary == text.rindex("word word word word") or boundary % 5 == 0
    assert 0 < len(text) - boundary <= 20


@given(st.lists(texts, max_size=10), widths, st.integers(1, 6))
def test_committed_and_tail_are_the_stream(pieces: list[str], width: int, tail_rows: int) -> None:
    """However it comes in pieces, what was committed and the tail make up the stream."""
    committed, tail = "", ""
    for piece in pieces:
        tail += piece
        boundary = committed_boundary(tail, width, tail_rows)
        committed, tail = committed + tail[:boundary], tail[boundary:]
        assert "\n" not in tail
        assert len(row_starts(tail, width)) <= tail_rows
    assert committed + tail == "".join(pieces)


@given(lines, lines, widths)
def test_growing_moves_only_the_last_row(line: str, more: str, width: int) -> None:
    """What is appended to a line leaves all of its rows but the last where they were."""
    starts = row_starts(line, width)
    assert row_starts(line + more, width)[: len(starts)] == starts


@given(texts, widths)
def test_rows_fit_and_lose_no_word(text: str, width: int) -> None:
    """Rows are no wider than the terminal, and hold every character but spaces."""
    shown = rows(text, width)
    assert all(get_cwidth(row) <= width for row in shown)
    assert "".join(shown).replace(" ", "") == text.replace("\n", "").replace(" ", "")


def test_rows_break_between_words() -> None:
    """A word stays whole where it fits into a row; a longer one is cut."""
    assert rows("some words here", 10) == ["some words", "here"]
    assert rows("    indented", 10) == ["    indent", "ed"]
    assert rows("abcdefgh", 3) == ["abc", "def", "gh"]


@given(lines, widths)
def test_cut_fits(line: str, width: int) -> None:
    """A line that is cut fits, and says that it was cut; one that fits stays."""
    short = cut(line, width, "…")
    assert get_cwidth(short) <= width
    assert short == line if get_cwidth(line) <= width else short.endswith("…")
