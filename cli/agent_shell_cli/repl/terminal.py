"""The terminal as the shell uses it: what prompt_toolkit's own parts do not do.

A frame (erase, finished text, redraw) leaves in one write, so that nothing
flickers and bracketed paste is never off where a paste could come in. The
terminal stays raw all the time, so that no key is echoed into the output. The
cursor's position is never asked for: nothing here needs it, and a terminal that
does not answer would cost a warning and seconds. Where a narrower terminal
reflows what stands on it, the old frame is found again, and leaves no ghost. A
terminal that has gone away is no error of the program.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TextIO

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.plain_text import PlainTextOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import get_cwidth, get_term_environment_variable, is_dumb_terminal

from agent_shell.records import frozen
from agent_shell_cli.repl.rows import grown_rows

__all__ = [
    "FrameOutput",
    "LineOutput",
    "Terminal",
    "reflows",
    "through_tmux",
    "wholly",
]

# Whether it is our own text that the prompt makes room for; known in the task that writes.
_WRITING: ContextVar[bool] = ContextVar("writing", default=False)

# By the variable that each sets; elsewhere too long a line is cut, not wrapped
# again, and to go up further would erase what was said before.
_REFLOWING = ("TMUX", "VTE_VERSION", "KONSOLE_VERSION", "WT_SESSION", "KITTY_WINDOW_ID")
_REFLOWING_PROGRAMS = frozenset({"Apple_Terminal", "WezTerm", "ghostty", "iTerm.app", "vscode"})
_REFLOWING_TERMS = ("alacritty", "foot", "tmux", "wezterm", "xterm-ghostty", "xterm-kitty")

# Linux hands over 2,048 bytes at once; a row takes a few hundred.
_CHUNK_BYTES = 1_200
_SAVE, _RESTORE = "\x1b7", "\x1b8"


class FrameOutput(Vt100_Output):
    """An output that can keep a whole frame back, and that outlives its terminal.

    `on_gone` is called once, when the terminal cannot be written to any more. `shortened`
    says that the end of a row was erased, since it was last set to false.
    """

    on_gone: Callable[[], None] | None = None
    reflows = False
    keeps_cursor_hidden = False
    shortened = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "enable_cpr": False})
        self._kept_back = 0
        self._row: int | None = None  # below the first, where there is room for all of them
        self._gone = False
        self._drawn: tuple[int, list[int]] | None = None

    def drawn(self, widths: list[int]) -> None:
        """A frame stands on the screen whose rows have these widths, in cells."""
        self._drawn = (self.get_size().columns, widths)

    def cursor_up(self, amount: int) -> None:
        """Goes up; to where the frame begins now, the first time after a resize.

        Not within `rows_below`: where there is less room than rows it would go too far.
        """
        if self._row is not None:
            self._row -= amount
            return
        if self._drawn is not None and self.reflows:
            before, widths = self._drawn
            now = self.get_size().columns
            if now < before:
                amount += grown_rows(widths[:amount], now)
                self._drawn = None
        super().cursor_up(amount)

    def write(self, data: str) -> None:
        """Writes text; within `rows_below`, ends of lines move down, and no farther."""
        if self._row is None or not data.startswith("\r\n"):
            super().write(data)
            return
        down = data.count("\n")
        self._row += down
        if self._fills_a_chunk():
            self.write_raw(_RESTORE)
            self._send()
            self._begin_below()
            down = self._row
        self.write_raw(f"\r\x1b[{down}B" if down else "\r")

    @contextmanager
    def rows_below(self) -> Generator[None]:
        """Inside, what is written makes no row; at the end, the cursor is where it was.

        For that the terminal must take no other size in between. It takes none amid few
        bytes without a line feed, which a pseudo-terminal hands over as a whole.
        """
        if self._fills_a_chunk():
            self._send()
        self.write_raw(_SAVE)
        self._row = 0
        try:
            yield
        finally:
            self._row = None
            self.write_raw(_RESTORE)

    def go_below(self, row: int, column: int) -> None:
        """Within `rows_below`, goes to a cell, or to one above it that is still on the screen."""
        self.write_raw(_RESTORE)
        self._begin_below()
        self.write_raw(f"\x1b[{row}B" * bool(row) + f"\x1b[{column}C" * bool(column))

    def _begin_below(self) -> None:
        self.write_raw(_SAVE)
        self.disable_autowrap()  # which some restore with the cursor

    def erase_end_of_line(self) -> None:
        """Erases the rest of a row."""
        self.shortened = True
        super().erase_end_of_line()

    def erase_down(self) -> None:
        """Erases to the end of the screen, of which tmux keeps no copy.

        It puts a screen that is erased from its very first cell into its
        history: every redraw there would leave a ghost to scroll back to.
        """
        self.write_raw("\x1b[K\x1b[C")
        super().erase_down()
        self.write_raw("\x1b[D")

    def show_cursor(self) -> None:
        """Shows the cursor, where it rests in the draft."""
        if not self.keeps_cursor_hidden:
            super().show_cursor()

    @contextmanager
    def whole_frame(self) -> Generator[None]:
        """Writes all that is written inside at once, at the end."""
        self._kept_back += 1
        try:
            yield
        finally:
            self._kept_back -= 1
            self.flush()

    def flush(self) -> None:
        """Writes what is due; drops it where nobody is there to read it."""
        if self._gone or not self._kept_back:
            self._send()

    def _fills_a_chunk(self) -> bool:
        return len("".join(self._buffer).encode()) > _CHUNK_BYTES

    def _send(self) -> None:
        if self._gone:
            self._buffer.clear()
            return
        try:
            super().flush()
        except OSError:
            self._gone = True
            if self.on_gone is not None:
                self.on_gone()


class LineOutput(PlainTextOutput):
    """An output for a terminal that obeys no escapes: only the line it is in can be changed.

    There the cursor goes back by backspaces, and forward by what stands there already.
    """

    def __init__(self, stdout: TextIO) -> None:
        super().__init__(stdout)
        self._cells: list[str] = []  # of this line; the second one of a wide sign is empty
        self._column = 0

    def get_size(self) -> Size:
        """That of the terminal; 80 by 24 where nobody knows it."""
        try:
            size = os.get_terminal_size(self.fileno())
        except OSError:
            return Size(24, 80)
        return Size(size.lines or 24, size.columns or 80)

    def write(self, data: str) -> None:
        """Writes at the cursor."""
        self._note(data)
        super().write(data)

    def write_raw(self, data: str) -> None:
        """The same: no sequence is written here."""
        self.write(data)

    def cursor_down(self, amount: int) -> None:
        """Begins another line; however many, for none of them would be filled."""
        self.write("\n" if amount else "")

    def cursor_backward(self, amount: int) -> None:
        """Goes back in this line."""
        amount = min(amount, self._column)
        self._column -= amount
        super().write_raw("\b" * amount)

    def cursor_forward(self, amount: int) -> None:
        """Goes forward, over what stands there."""
        there = "".join(self._cells[self._column : self._column + amount])
        missing = self._column + amount - len(self._cells)
        self.write(there + " " * max(0, missing))

    def erase_end_of_line(self) -> None:
        """Writes blanks over the rest, and comes back."""
        rest = len(self._cells) - self._column
        super().write_raw(" " * rest + "\b" * rest)
        del self._cells[self._column :]

    def _note(self, data: str) -> None:
        """Keeps what stands in the line."""
        for char in data:
            if char in "\r\n":
                self._column = 0
                if char == "\n":
                    self._cells.clear()
                continue
            shown = [char, *[""] * (get_cwidth(char) - 1)]
            self._cells[self._column : self._column + len(shown)] = shown
            self._column += len(shown)

    def get_rows_below_cursor_position(self) -> int:
        """Unknown: prompt_toolkit would fill those rows with blank lines."""
        raise NotImplementedError


@frozen
class Terminal:
    """Where keys come from and text goes to; `linear` where the cursor can't be moved."""

    input: Input
    output: Output
    encoding: str
    linear: bool = False

    @classmethod
    def open(cls, *, plain: bool = False) -> Terminal:
        """The terminal on standard input and output; `plain` where nothing is to move on it."""
        encoding = sys.stdout.encoding
        if plain or is_dumb_terminal():
            return cls(_raw_input(), LineOutput(wholly(sys.stdout)), encoding, linear=True)
        if sys.platform == "win32":
            return cls(create_input(), create_output(), encoding)
        output = FrameOutput.from_pty(wholly(sys.stdout), term=get_term_environment_variable())
        assert isinstance(output, FrameOutput)
        output.reflows = reflows(os.environ)
        return cls(_raw_input(), output, encoding)

    @contextmanager
    def whole_frame(self) -> Generator[None]:
        """Inside, nothing is written until the end, where the terminal can do that."""
        output, token = self.output, _WRITING.set(True)
        try:
            with output.whole_frame() if isinstance(output, FrameOutput) else nullcontext():
                yield
        finally:
            _WRITING.reset(token)


def wholly(stdout: TextIO) -> TextIO:
    """`stdout`, such that each write is carried out to its end.

    Without a buffer (`python -u`, PYTHONUNBUFFERED) a write is one call of the system,
    which a signal can cut short: the rest of a frame would be lost when the terminal is
    resized while it is written.
    """
    if not isinstance(getattr(stdout, "buffer", None), io.RawIOBase):
        return stdout
    return open(stdout.fileno(), "w", encoding=stdout.encoding, errors=stdout.errors, closefd=False)


def reflows(environ: Mapping[str, str]) -> bool:
    """Whether the terminal wraps its lines again when it gets narrower."""
    if "STY" in environ and "TMUX" not in environ:
        return False  # GNU screen, whatever it runs in
    return (
        any(name in environ for name in _REFLOWING)
        or environ.get("TERM_PROGRAM", "") in _REFLOWING_PROGRAMS
        or environ.get("TERM", "").startswith(_REFLOWING_TERMS)
    )


def through_tmux(sequence: str, env: Mapping[str, str]) -> str:
    """A sequence for the terminal, in tmux wrapped so that it is handed on.

    tmux does so where `allow-passthrough` is set.
    """
    if "TMUX" not in env:
        return sequence
    return f"\x1bPtmux;{sequence.replace(chr(27), chr(27) * 2)}\x1b\\"


def _raw_input() -> Input:
    if sys.platform == "win32":
        return create_input()
    # There is no such module on Windows.
    from prompt_toolkit.input.vt100 import Vt100Input

    class RawInput(Vt100Input):
        """Stays raw while finished text is written above the prompt, and not for an editor."""

        def cooked_mode(self) -> AbstractContextManager[None]:
            return nullcontext() if _WRITING.get() else super().cooked_mode()

    return RawInput(sys.stdin)
