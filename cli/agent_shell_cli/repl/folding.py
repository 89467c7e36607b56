"""Long pastes, which stand in the draft as one sign: `[pasted 120 lines #1]`.

In the buffer a fold is one character, so that whatever edits the draft keeps it whole or
removes it whole. It is half of a surrogate pair, which no terminal's input decodes to and
no session accepts: nothing that is typed, pasted or sent can be taken for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent_shell_cli.repl.view import counted

__all__ = ["Folds"]

_FIRST, _MARKS = 0xD800, 0x400
_MARK = re.compile("[\ud800-\udbff]")


@dataclass(frozen=True, slots=True)
class _Fold:
    label: str
    text: str


class Folds:
    """The folds of a shell: texts of more than `lines` or `characters`, where that is not 0.

    So many are known as there are marks; a later one takes the mark of the oldest.
    """

    def __init__(self, lines: int, characters: int) -> None:
        self._lines = lines
        self._characters = characters
        self._count = 0
        self._folds: dict[str, _Fold] = {}

    def pasted(self, text: str) -> str:
        """What is put into the draft for a paste: itself, or the mark of its fold."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.count("\n") + (not text.endswith("\n"))
        many = 0 < self._lines < lines
        if not many and not 0 < self._characters < len(text):
            return text
        size = counted(lines, "line") if many else counted(len(text), "character")
        return self._fold(f"pasted {size}", text)

    def keep(self, label: str, text: str) -> None:
        """Makes a fold of a text that was put to an input, for when that is edited."""
        self._fold(label, text)

    def expanded(self, text: str) -> str:
        """A draft with the whole text of each fold."""
        return _MARK.sub(lambda mark: self._of(mark[0]).text, text)

    def shown(self, text: str) -> str:
        """A draft as it is seen."""
        return _MARK.sub(lambda mark: self._of(mark[0]).label, text)

    def refolded(self, text: str) -> str:
        """A whole text with the folds that it was made of, where they are still in it."""
        for mark, fold in reversed(self._folds.items()):
            if len(fold.text) <= len(text):
                text = text.replace(fold.text, mark)
        return text

    def _fold(self, label: str, text: str) -> str:
        mark = chr(_FIRST + self._count % _MARKS)
        self._count += 1
        self._folds.pop(mark, None)
        self._folds[mark] = _Fold(f"[{label} #{self._count}]", text)
        return mark

    def _of(self, mark: str) -> _Fold:
        return self._folds.get(mark, _Fold(mark, mark))
