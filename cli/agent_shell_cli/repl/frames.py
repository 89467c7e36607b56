"""How prompt_toolkit's frames are put on the screen while an answer grows above the draft.

The cursor then rests at the first cell of the frame, not in the draft, where a cell of
the draft stands for it. A terminal that wraps its lines again keeps the cursor on its
line, so the frame's first row is where the cursor is, whatever size the terminal has
taken since, and also where it has not yet said so (tmux tells at most four times a
second). From anywhere else the way up could only be guessed, and a wrong guess erases
words that are finished or leaves some twice.

A frame is written without wrapping: it takes as many rows as it has, in a terminal of any
width. Where it needs more rows than it had, it makes room with nothing on the screen, and
then moves in that room alone, so that no row of it scrolls off a window that has become
too low: what has no room stands on the last row, until the terminal tells its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Point
from prompt_toolkit.layout import Dimension, HSplit, Layout
from prompt_toolkit.layout.screen import Char
from prompt_toolkit.renderer import Renderer

from agent_shell_cli.repl.terminal import FrameOutput

__all__ = ["Frames", "Measured"]

# What prompt_toolkit is told of the cell that is marked: no other is equal to it.
_MARKED = Char("\uffff")


class Measured(HSplit):
    """What a frame shows. Its height is asked for twice a frame, and computed once."""

    _height: tuple[int, int, Dimension] | None = None

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        """The height, until it is written."""
        asked = (width, max_available_height)
        if self._height is None or self._height[:2] != asked:
            self._height = (*asked, super().preferred_height(*asked))
        return self._height[2]

    def write_to_screen(self, *where: Any, **how: Any) -> None:
        """Writes it; what comes next may be another frame."""
        super().write_to_screen(*where, **how)
        self._height = None


class Frames(Renderer):
    """prompt_toolkit's renderer for `app`; `grows` says whether an answer does.

    `cleared` is called when the screen has been cleared.
    """

    def __init__(
        self,
        app: Application[Any],
        output: FrameOutput,
        grows: Callable[[], bool],
        cleared: Callable[[], None],
    ) -> None:
        self._at_top = False
        self._room = 0  # rows of the screen that the frame has
        super().__init__(app.renderer.style, output)
        self._frame_output = output
        self._grows = grows
        self._cleared = cleared

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        """Draws a frame, or what has changed in it, in one write."""
        output, grows = self._frame_output, self._grows() and not is_done
        with output.whole_frame():
            if self._at_top:
                output.drawn([])
                self._at_top = False
            output.keeps_cursor_hidden = grows
            if not grows:
                self._room = 0
                self._render_whole(app, layout, is_done)
                return
            if not self._bracketed_paste_enabled:  # with the write that has taken it away
                output.enable_bracketed_paste()
                self._bracketed_paste_enabled = True
            self._go_to_top()
            self._make_room(layout)
            with output.rows_below():
                super().render(app, layout)
                self._mark()
            self._cursor_pos = Point(0, 0)
            self._at_top = True

    def _render_whole(self, app: Application[Any], layout: Layout, is_done: bool) -> None:
        """Draws what has changed; all of it, where a row has become shorter.

        What is erased at the end of a row, tmux takes for blanks that belong to it, and
        wraps them when it narrows. Only a row that is erased from its first cell has none.
        """
        output = self._frame_output
        output.shortened = False
        super().render(app, layout, is_done)
        if output.shortened and output.reflows and not is_done:
            self._last_screen = None
            super().render(app, layout)

    def reset(self, _scroll: bool = False, leave_alternate_screen: bool = True) -> None:
        """Forgets the frame; what comes next begins where the cursor is."""
        self._at_top = False
        self._room = 0
        if isinstance(self.output, FrameOutput):
            self.output.keeps_cursor_hidden = False
        super().reset(_scroll, leave_alternate_screen)

    def clear(self) -> None:
        """Clears the screen; the frame begins at its top."""
        super().clear()
        self._cleared()

    def _go_to_top(self) -> None:
        """Goes to the first cell of the frame, if the cursor is not there."""
        self._frame_output.write_raw("\r")
        self._frame_output.cursor_up(self._cursor_pos.y)
        self._cursor_pos = Point(0, 0)

    def _make_room(self, layout: Layout) -> None:
        """Takes the frame away where it is to be drawn anew, or is to have more rows."""
        output, size = self._frame_output, self.output.get_size()
        wanted = layout.container.preferred_height(size.columns, size.rows).preferred
        wanted = min(wanted, size.rows)
        if self._last_screen is None or self._last_size != size or wanted > self._room:
            self._last_screen, self._room = None, wanted
            output.erase_down()
            output.write_raw("\n" * (wanted - 1) + f"\x1b[{wanted - 1}A" * (wanted > 1))

    def _mark(self) -> None:
        """Marks the cell of the draft where the cursor would be."""
        output, place, screen = self._frame_output, self._cursor_pos, self._last_screen
        if screen is not None and screen.show_cursor:
            row = screen.data_buffer[place.y]
            output.go_below(place.y, place.x)
            output.write_raw("\x1b[7m")
            output.write(row[place.x].char)
            output.reset_attributes()
            output.enable_autowrap()
            row[place.x] = _MARKED
