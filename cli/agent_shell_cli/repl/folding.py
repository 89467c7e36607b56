"""Long pastes, which stand in the draft as one sign: `[pasted 120 lines #1]`.

In the buffer a fold is one character, so that whatever edits the draft keeps it whole or
removes it whole. It is half of a surrogate pair, which no terminal's input decodes to and
no session accepts: nothing that is typed, pasted or sent can be taken for one. What was
pasted never stands in the draft in full, from wherever it comes back there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from agent_shell.records import frozen
from agent_shell_cli.counting import counted

__all__ = ["Folds"]

_FIRST, _MARKS = 0xD800, 0x400
_MARK = re.compile("[\ud800-\udbff]")


@frozen
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
        self._earlier: dict[str, Sequence[str]] = {}

    def fold_in(self, draft: Buffer) -> None:
        """Folds from here on what comes back to `draft`: recalled, edited, not accepted."""

        def changed(_: object) -> None:
            folded = self.refolded(draft.text)
            if folded != draft.text:
                draft.document = Document(folded)

        draft.on_text_changed += changed

    def pasted(self, text: str) -> str:
        """What is put into the draft for a paste: itself, or the mark of its fold."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = _lines(text)
        many = 0 < self._lines < lines
        if not many and not 0 < self._characters < len(text):
            return text
        return self._fold(_pasted(text, lines if many else 0), text)

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
        for pasted in self._earlier.get(text, ()):
            if all(fold.text != pasted for fold in self._folds.values()):
                lines = _lines(pasted)
                self._fold(_pasted(pasted, lines if lines > 1 else 0), pasted)
        for mark, fold in reversed(self._folds.items()):
            if len(fold.text) <= len(text):
                text = text.replace(fold.text, mark)
        return text

    def parts(self, text: str) -> list[str]:
        """A whole text in parts: what was typed and what is in a fold, by turns."""
        pieces = re.split(f"({_MARK.pattern})", self.refolded(text))
        return [self.expanded(piece) for piece in pieces]

    def joined(self, parts: Sequence[str]) -> str:
        """The whole text that had such parts in an earlier shell, whose folds are known again."""
        text = "".join(parts)
        if len(parts) > 1:
            self._earlier[text] = [part for part in parts[1::2] if part]
        return text

    def _fold(self, label: str, text: str) -> str:
        mark = chr(_FIRST + self._count % _MARKS)
        self._count += 1
        self._folds.pop(mark, None)
        self._folds[mark] = _Fold(f"[{label} #{self._count}]", text)
        return mark

    def _of(self, mark: str) -> _Fold:
        return self._folds.get(mark, _Fold(mark, mark))


def _lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _pasted(text: str, lines: int) -> str:
    """What a paste is called: by its lines, where it is folded for them."""
    return f"pasted {counted(lines, 'line') if lines else counted(len(text), 'character')}"
