"""An answer as it streams: what is finished leaves once, in pieces, as it was written."""

from __future__ import annotations

import re

from agent_shell.records import frozen
from agent_shell_cli.repl.blocks import BEGUN, WINDOW, Carry, finished
from agent_shell_cli.repl.rows import shown

__all__ = ["Piece", "Stream"]

# A block may be finished here, however little has come since the last look.
_ENDING = re.compile(r"[^ >\n] *\n[ >]*\n|(?:```|~~~)[`~ ]*\n")
_ENDING_CHARS = 80
# As much of the tail is shown at most, in characters.
_SHOWN_CHARS = 8192
# For what nobody has looked at while it streamed.
_WIDTH, _ROWS = 80, 6


@frozen
class Piece:
    """A finished part of an answer, and what it stands in; None shows it as written."""

    text: str
    carry: Carry | None


class Stream:
    """One answer after the other; `raw` has them shown as written, line by line.

    Text is looked at again only when a quarter more of it has come, or the end of a
    block: so the work is linear, however an answer is cut into pieces.
    """

    def __init__(self) -> None:
        self.raw = False
        self._begin()

    def _begin(self) -> None:
        self._text = ""
        self._fresh: list[str] = []
        self._size = 0
        self._due = 1  # looks again when there are so many characters
        self._line = ""  # the end of what came last, for an ending cut in two
        self._carry = Carry()
        self._done: list[Piece] = []
        self._done_end = 0
        self._half_newline = False  # a "\r" whose "\n" may be in the next piece

    @property
    def tail(self) -> str:
        """What was not taken yet, or the end of it."""
        end: list[str] = []
        room = _SHOWN_CHARS
        for piece in [*reversed(self._fresh), self._text]:
            if room <= 0:
                break
            end.append(piece[-room:])
            room -= len(end[-1])
        return "".join(reversed(end))

    def feed(self, text: str) -> None:
        """Takes in what comes next, whatever it is."""
        if self._half_newline:
            text = f"\r{text}"
        self._half_newline = text.endswith("\r")
        self._take_in(shown(text.removesuffix("\r")))

    def _take_in(self, text: str) -> None:
        self._fresh.append(text)
        self._size += len(text)
        self._line += text
        ending = max((match.end() for match in _ENDING.finditer(self._line)), default=0)
        # The newline that ends it may be the first of another one.
        self._line = self._line[max(ending - 1, len(self._line) - _ENDING_CHARS, 0) :]
        if ending or (self.raw and "\n" in text):
            self._due = 0

    def has_finished(self, width: int, tail_rows: int) -> bool:
        """Whether `take` would return anything."""
        if self._size >= self._due:
            self._advance(width, tail_rows)
        return bool(self._done)

    def take(self, width: int, tail_rows: int) -> list[Piece]:
        """What is finished and was not taken before, for a tail of such a size."""
        if not self.has_finished(width, tail_rows):
            return []
        self._join()
        taken, self._done = self._done, []
        self._text = self._text[self._done_end :]
        self._size -= self._done_end
        self._due = max(1, self._due - self._done_end)
        self._done_end = 0
        return taken

    def end(self) -> list[Piece]:
        """All that was not taken yet; what comes next is another answer."""
        if self._half_newline:
            self._take_in(shown("\r"))
        if self._size > WINDOW:
            self._advance(_WIDTH, _ROWS)
        self._join()
        taken, rest = self._done, self._text[self._done_end :]
        if rest:
            taken.append(Piece(rest, None if self.raw else self._carry))
        self._begin()
        return taken

    def _join(self) -> None:
        self._text += "".join(self._fresh)
        self._fresh.clear()

    def _advance(self, width: int, tail_rows: int) -> None:
        """Notes what is finished; it stays in the tail until it is taken."""
        self._join()
        while boundary := self._next(width, tail_rows):
            self._done_end += boundary
        looked_at = self._size - self._done_end + len(self._carry.prelude)
        self._due = self._size + max(8, looked_at // 4)

    def _next(self, width: int, tail_rows: int) -> int:
        carry: Carry | None = self._carry
        if self.raw:
            boundary = self._text.rfind("\n") + 1 - self._done_end
            carry, after = None, BEGUN
        else:
            window = self._text[self._done_end : self._done_end + WINDOW]
            boundary, after = finished(window, self._carry, width, tail_rows)
        if boundary > 0:
            text = self._text[self._done_end : self._done_end + boundary]
            self._done.append(Piece(text, carry))
            self._carry = after
        return max(0, boundary)
