"""The escape filter: whatever goes in, a terminal only prints what comes out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pyte

from agent_shell_cli import printable as module
from agent_shell_cli.printable import printable, printable_line
from fuzz.target import Take, Target

__all__ = ["PRINTABLE"]

# What makes a line read in another order, or hides a part of it.
_BIDI = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_MARKS = "\u061c\u200e\u200f"
_LIMITS = (200, 1, 2, 40)


class _Terminal:
    """Takes down what it is told to do beside printing, and does none of it."""

    def __init__(self) -> None:
        self.obeyed: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def obey(*_arguments: object, **_named: object) -> None:
            if name not in _PRINTING:
                self.obeyed.append(name)

        return obey


_PRINTING = frozenset({"draw", "linefeed", "tab"})


def _filter(data: bytes) -> None:
    take = Take(data)
    limit = take.one_of(_LIMITS)
    text = take.text()
    shown = printable(text)
    assert printable(shown) == shown, "filtered twice is another text"
    for character in shown:
        assert not _is_active(character), f"U+{ord(character):04X} comes through"
    if not any(_is_active(character) for character in text) and "more marks>" not in shown:
        assert shown == text, "a harmless text is changed"
    shown.encode()
    obeyed = _obeyed(shown)
    assert not obeyed, f"the terminal obeys: {obeyed}"
    line = printable_line(text, limit)
    assert len(line) <= limit
    assert printable(line) == line
    assert not set(line) & {"\n", "\t"}


def _is_active(character: str) -> bool:
    if character in "\n\t":
        return False
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in _BIDI
        or character in _MARKS
        or "\U000e0000" <= character <= "\U000e007f"
        or "\ufff9" <= character <= "\ufffb"
    )


def _obeyed(shown: str) -> list[str]:
    terminal: Any = _Terminal()
    pyte.Stream(terminal).feed(shown)
    return list(terminal.obeyed)


PRINTABLE = Target(
    "printable",
    _filter,
    [module],
    seeds=[
        b"\0plain text",
        b"\0\x1b[2J\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\xc2\x9b2J",
        b"\1tab\tline\r\nline\rline",
        "\0\u202eabc\u2066\u200f\ufeff\u00ad\U000e0041👍🏽é".encode(),
    ],
    tokens=[
        b"\x1b",
        b"\x1b[?1049h",
        b"\x1bP",
        b"\x1b]8;;x\x1b\\",
        b"\x1bc",
        b"\x1b(0",
        b"\x0e",
        b"\x9b",
        b"\xc2\x85",
        b"\r\r\n",
        b"\xed\xa0\x80",
    ],
    limit=1024,
)
