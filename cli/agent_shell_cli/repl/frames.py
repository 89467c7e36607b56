"""How prompt_toolkit's frames are put on the screen while an answer grows above the draft.

The cursor then rests at the first cell of the frame, not in the draft, where a cell of
the draft stands for it. A terminal that wraps its lines again keeps the cursor on its
line, so the frame's first row is where the cursor is, whatever size the terminal has
taken since, and also where it has not yet said so (tmux tells at most four times a
second). From anywhere else the way up could only be guessed, and a wrong guess erases
words that are finished or leaves some twice. A frame is written without wrapping: it
takes as many rows as it has, in a terminal of any width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Point
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.screen import Char
from prompt_toolkit.renderer import Renderer

from agent_shell_cli.repl.terminal import FrameOutput

__all__ = ["Frames"]

# What prompt_toolkit is told of the cell that is marked: no other is equal to it.
_MARKED = Char("\uffff")


class Frames(Renderer):
    """prompt_toolkit's renderer for `app`; `grows` says whether an answer does."""

    def __init__(
        self, app: Application[Any], output: FrameOutput, grows: Callable[[], bool]
    ) -> None:
        self._at_top = False
        super().__init__(app.renderer.style, output)
        self._frame_output = output
        self._grows = grows

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        """Draws a frame, or what has changed in it, in one write."""
        output, grows = self._frame_output, self._grows() and not is_done
        with output.whole_frame():
            if self._at_top:
                self._leave_top()
            output.keeps_cursor_hidden = grows
            super().render(app, layout, is_done)
            if grows:
                self._rest_at_top()

    def erase(self, leave_alternate_screen: bool = True) -> None:
        """Takes the frame away."""
        if self._at_top:
            self._forget()
        super().erase(leave_alternate_screen)

    def reset(self, _scroll: bool = False, leave_alternate_screen: bool = True) -> None:
        """Forgets the frame; what comes next begins where the cursor is."""
        self._at_top = False
        if isinstance(self.output, FrameOutput):
            self.output.keeps_cursor_hidden = False
        super().reset(_scroll, leave_alternate_screen)

    def _rest_at_top(self) -> None:
        """Marks the cell of the draft where the cursor would be, and goes to the first one."""
        output, place, screen = self._frame_output, self._cursor_pos, self._last_screen
        if screen is not None and screen.show_cursor:
            row = screen.data_buffer[place.y]
            output.disable_autowrap()
            output.write_raw("\x1b[7m")
            output.write(row[place.x].char)
            output.reset_attributes()
            output.enable_autowrap()
            row[place.x] = _MARKED
        output.write_raw("\r" + f"\x1b[{place.y}A" * bool(place.y))
        self._at_top = True

    def _leave_top(self) -> None:
        """Goes down to where prompt_toolkit takes the cursor to be, if the frame is as it was.

        By line feeds: they move as far as the way back up, also where the window has
        become too low. Where rows have wrapped meanwhile, what is drawn stands too high
        in the frame, until the terminal tells its size and the frame is drawn anew.
        """
        output, place = self._frame_output, self._cursor_pos
        if self._last_size != output.get_size():
            self._forget()
            return
        output.write_raw("\r" + "\n" * place.y)
        output.cursor_forward(place.x)
        output.drawn([])
        self._at_top = False

    def _forget(self) -> None:
        """Has what is drawn next begin at the first cell, where the cursor is."""
        self._cursor_pos = Point(0, 0)
        self._last_screen = None
        self._frame_output.drawn([])
        self._at_top = False
