# ruff: noqa: RUF001 (wide letters are what is meant)
"""Answers in which every word is known and occurs once, and an agent that says them.

`python tests/campaign/wordsmith.py chat …` is the real program, with that agent in
place of a model. What it is to say is in its environment: `WORDSMITH` names a kind of
text, how many words, a seed and how many tokens a second.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

__all__ = ["ASKED", "DONE", "KINDS", "SPEC", "answer", "words_in"]

SPEC = "WORDSMITH"
# The input that is answered; others have no answer.
ASKED = "go"
# Names a file that is written when all is said: how many tokens, in how many seconds.
DONE = "WORDSMITH_DONE"

_WORD = re.compile(r"w\d{5}w")
# So many characters a token: about what the models' own have.
_TOKEN = (1, 7)
# Between two looks at the clock, in seconds.
_BEAT_S = 0.004

_HEBREW = ["שלום", "עולם", "בְּרֵאשִׁית", "קוֹד"]
_ARABIC = ["مرحبا", "العالم", "كِتَاب", "٤٢"]
_WIDE = ["日本語", "한국어", "漢字かな", "ｆｕｌｌ", "中文，"]
_EMOJI = [
    "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "⚠️", "1️⃣", "🧑🏿‍🚀", "☎︎", "🙂", "é", "ñ̃",
]  # fmt: skip
_MARKS = ["*%*", "**%**", "`%`", "~~%~~", "[%](http://a.b/c)", "***%***", "![%](c.png)", "\\*%"]
_FENCES = [("```python", "    x = % # y"), ("```", "% | $ {"), ("~~~json", '{"%": [1, 2]},')]
_UNFINISHED = [
    "```python\nx = %\nif %:", "**% and %", "[%](http://a", "| % | b |\n|---|---|\n| % |",
    "- %\n  -",
    "`%", "> %\n> -", "<b>%", "# %", "1. %\n\n   ```\n   %", "| % | % |\n|---|--", "&am", "%\n==",
]  # fmt: skip


class _Writer:
    """Writes until `count` words are said; each call of `word` is the next one."""

    def __init__(self, count: int, seed: int) -> None:
        self.luck = random.Random(seed)
        self.count = count
        self.said = 0

    @property
    def more(self) -> bool:
        return self.said < self.count

    def word(self) -> str:
        self.said += 1
        return f"w{self.said:05d}w"

    def fill(self, form: str) -> str:
        """The form with a word in the place of each `%`."""
        return re.sub("%", lambda _: self.word(), form)

    def pick(self, forms: list[str]) -> str:
        return self.luck.choice(forms)

    def line(self, most: int = 14) -> str:
        """Words, of which some stand in markup."""
        forms = (
            self.pick(_MARKS) if self.luck.random() < 0.2 else "%"
            for _ in range(self.luck.randint(1, most))
        )
        return self.fill(" ".join(forms))


def _plain(writer: _Writer, mix: list[str]) -> str:
    """Lines and paragraphs, in which every third word has a neighbour out of `mix`."""
    parts: list[str] = []
    while writer.more:
        form = writer.pick(["%", "%", "+%", "%+", "+ %", "% +"]) if mix else "%"
        parts.append(writer.fill(form.replace("+", writer.pick(mix) if mix else "")))
        parts.append(writer.pick([" "] * 14 + ["\n", ".\n\n"]))
    return "".join(parts)


def _long(writer: _Writer) -> str:
    """Words of hundreds of characters, and lines of thousands."""
    parts: list[str] = []
    while writer.more:
        together = writer.luck.randint(20, 300)
        words = [writer.word() for _ in range(together)]
        joint = writer.pick(["", "/", " ", " "])
        parts.append(joint.join(words) + writer.pick(["\n", "\n\n", " "]))
    return "".join(parts)


def _lists(writer: _Writer, depth: int = 0) -> list[str]:
    mark = writer.pick(["- ", "* ", "1. ", "9) ", "- [ ] "])
    lines: list[str] = []
    for _ in range(writer.luck.randint(1, 4)):
        lines.append(mark + writer.line())
        indent = " " * (2 if mark.startswith("- ") else len(mark))
        if depth < 4 and writer.luck.random() < 0.4:
            lines += [indent + line for line in _lists(writer, depth + 1)]
        if writer.luck.random() < 0.15:
            lines += ["", *(indent + line for line in _fence(writer)), ""]
    return lines


def _fence(writer: _Writer) -> list[str]:
    begin, form = writer.luck.choice(_FENCES)
    lines = [writer.fill(form) for _ in range(writer.luck.randint(1, 30))]
    return [begin, *lines, begin[:3]]


def _table(writer: _Writer) -> list[str]:
    columns = writer.luck.randint(1, 5)
    rows = writer.luck.choice([1, 3, 9, 60])
    row = "| " + " | ".join(["%"] * columns) + " |"
    names = "| " + " | ".join(f"name {n}" for n in range(columns)) + " |"
    return [names, "|" + ":--|" * columns, *(writer.fill(row) for _ in range(rows))]


def _paragraph(writer: _Writer) -> list[str]:
    return [writer.line() for _ in range(writer.luck.randint(1, 8))]


def _heading(writer: _Writer) -> list[str]:
    return [f"{'#' * writer.luck.randint(1, 6)} {writer.line(6)}"]


def _quote(writer: _Writer) -> list[str]:
    inner = writer.luck.choice([_paragraph, _lists, _fence])(writer)
    return [f"> {line}" for line in inner]


_BLOCKS: list[Callable[[_Writer], list[str]]] = [
    _paragraph, _paragraph, _heading, _lists, _lists, _fence, _table, _quote,
]  # fmt: skip


def _markdown(writer: _Writer) -> str:
    """All that Markdown has, and at the end something that is not over."""
    lines: list[str] = []
    while writer.more:
        lines += writer.luck.choice(_BLOCKS)(writer) + [""] * writer.luck.randint(1, 2)
    return "\n".join([*lines, writer.fill(writer.pick(_UNFINISHED))])


KINDS: dict[str, Callable[[_Writer], str]] = {
    "prose": lambda writer: _plain(writer, []),
    "wide": lambda writer: _plain(writer, _WIDE),
    "emoji": lambda writer: _plain(writer, _EMOJI),
    "rtl": lambda writer: _plain(writer, _HEBREW + _ARABIC),
    "mixed": lambda writer: _plain(writer, _WIDE + _EMOJI + _HEBREW + _ARABIC),
    "long": _long,
    "markdown": _markdown,
}


def answer(kind: str, count: int, seed: int) -> str:
    """A text of about so many words; the same for the same seed."""
    return KINDS[kind](_Writer(count, seed))


def words_in(text: str) -> list[str]:
    """The words in a text, in order."""
    return _WORD.findall(text)


def _tokens(text: str, seed: int) -> list[str]:
    """The text in pieces as a model's, which part words and signs anywhere."""
    luck = random.Random(seed)
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = start + luck.randint(*_TOKEN)
        pieces.append(text[start:end])
        start = end
    return pieces


def main() -> None:
    """The program, with an agent of words; its arguments are the program's own."""
    from agent_shell import Delta, Turn
    from agent_shell_cli import app, models
    from agent_shell_cli.models import Model

    kind, count, seed, rate = os.environ[SPEC].split()
    pieces = _tokens(answer(kind, int(count), int(seed)), int(seed))

    class Wordsmith:
        async def run(self, turn: Turn) -> AsyncIterator[Delta]:
            begun, said = time.perf_counter(), 0
            if turn.text != ASKED:
                return  # it waited, and that is all that it was for
            while said < len(pieces):
                due = int((time.perf_counter() - begun) * float(rate)) + 1
                for piece in pieces[said:due]:
                    yield Delta(piece)
                said = min(due, len(pieces))
                await asyncio.sleep(_BEAT_S)
            took = time.perf_counter() - begun
            Path(os.environ[DONE]).write_text(f"{len(pieces)} {took:.3f}")

    models.__dict__["open_model"] = lambda *_asked: Model(Wordsmith(), "wordsmith", "")
    app.main()


if __name__ == "__main__":
    sys.argv[0] = "agent-shell"
    main()
