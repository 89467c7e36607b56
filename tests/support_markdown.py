"""Random Markdown in which every word is known and occurs once."""

from __future__ import annotations

import re

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

_WORD = re.compile(r"w\d+w")
_CUT = re.compile(r"\n[> ]*")
_NAME = re.compile(r"n\d+n")


def words_of(rows: list[str]) -> list[str]:
    """The words in these rows, in order, also where one is cut: in a run longer than a row."""
    return _WORD.findall(_CUT.sub("", "\n".join(rows)))


def names_of(rows: list[str]) -> set[str]:
    """The names of columns in these rows; a table may repeat them for each row."""
    return set(_NAME.findall("\n".join(rows)))


class _Words:
    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.count = 0

    def one(self) -> str:
        self.count += 1
        return f"w{self.count}w"

    def name(self) -> str:
        return self.one().replace("w", "n")

    def line(self) -> str:
        """Some words, of which some stand in markup."""
        return " ".join(
            self.draw(st.sampled_from(_MARKS)).replace("%", self.one())
            if self.draw(st.booleans())
            else self.one()
            for _ in range(self.draw(st.integers(1, 8)))
        )


_MARKS = [
    "*%*",
    "**%**",
    "`%`",
    "~~%~~",
    "[%](http://a.b)",
    "![%](c.png)",
    "<b>%</b>",
    "[%]",
    "**%",
    "`%",
    "&lt;% &#27;[2J",
    ":%:",
    "日本%👍🏽🇩🇪",
    "%\\",
    "<http://%.d>",
]


def _paragraph(words: _Words) -> list[str]:
    return [words.line() for _ in range(words.draw(st.integers(1, 4)))]


def _heading(words: _Words) -> list[str]:
    return [f"{'#' * words.draw(st.integers(1, 6))} {words.line()}"]


def _setext(words: _Words) -> list[str]:
    return [words.one(), words.draw(st.sampled_from(["===", "---"]))]


def _fence(words: _Words) -> list[str]:
    mark = words.draw(st.sampled_from(["```", "~~~", "````"]))
    language = words.draw(st.sampled_from(["", "python", "json", "nonsense"]))
    lines = [
        words.draw(st.sampled_from(["", "x = %", "  # %", '"""%', "- %", "> %"])).replace(
            "%", words.one() if words.draw(st.booleans()) else "y"
        )
        for _ in range(words.draw(st.integers(0, 12)))
    ]
    end = [mark] if words.draw(st.integers(0, 9)) else []
    return [f"{mark}{language}", *lines, *end]


def _table(words: _Words) -> list[str]:
    columns = words.draw(st.integers(1, 4))
    rows = words.draw(st.integers(30, 60) if words.count % 8 == 0 else st.integers(0, 3))
    extra = words.draw(st.integers(0, 1))
    header = "| " + " | ".join(words.name() for _ in range(columns)) + " |"
    body = [
        "| " + " | ".join(words.one() for _ in range(columns + extra)) + " |" for _ in range(rows)
    ]
    return [header, "|" + "---|" * columns, *body, ""]


def _list(words: _Words) -> list[str]:
    mark = words.draw(st.sampled_from(["- ", "* ", "1. ", "9) ", "-   "]))
    loose = words.draw(st.booleans())
    lines: list[str] = []
    for _ in range(words.draw(st.integers(1, 3))):
        inner = _blocks(words, 2)
        indent = " " * len(mark)
        lines += [mark + inner[0], *(indent + line if line else "" for line in inner[1:])]
        lines += [""] if loose else []
    return lines


def _quote(words: _Words) -> list[str]:
    return [f"> {line}" if line else ">" for line in _blocks(words, 2)]


_FLAT = [_paragraph, _paragraph, _heading, _setext, _fence, _table]
_ALL = [*_FLAT, _list, _list, _quote]


def _blocks(words: _Words, most: int) -> list[str]:
    lines: list[str] = []
    for _ in range(words.draw(st.integers(1, most))):
        deep = words.count < 60
        lines += words.draw(st.sampled_from(_ALL if deep else _FLAT))(words)
        lines += [""] * words.draw(st.integers(0, 2))
    return lines


@st.composite
def _answers(draw: DrawFn) -> str:
    return "\n".join(_blocks(_Words(draw), 5))


def answers() -> SearchStrategy[str]:
    """Answers in Markdown, of words that `words_of` finds."""
    return _answers()
