"""The one object that writes to the terminal while the prompt stands.

Finished text is written above the prompt, block by block; what still grows, what
waits and how things stand are in `live`, the lines that prompt_toolkit draws above
the input. Both change in the same frame.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.data_structures import Size
from prompt_toolkit.filters import vi_navigation_mode
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_to_text
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.utils import get_cwidth

from agent_shell_cli.repl.live import live_lines
from agent_shell_cli.repl.painting import painted
from agent_shell_cli.repl.prompting import Prompt
from agent_shell_cli.repl.rows import Row
from agent_shell_cli.repl.terminal import FrameOutput
from agent_shell_cli.repl.view import Snapshot, View

__all__ = ["Renderer"]

# Between two commits, in seconds: each erases and redraws the prompt.
_COMMIT_GAP_S = 0.06
# Between two redraws that no key asked for; a key is shown at once.
_REDRAW_GAP_S = 0.05
_TICK_S = 1.0


class Renderer:
    """Shows a view above the input of `prompt`; `snapshot` tells where the session stands."""

    def __init__(self, view: View, snapshot: Callable[[], Snapshot], prompt: Prompt) -> None:
        self._app = prompt.app
        self._folds = prompt.folds
        self._view = view
        self._snapshot = snapshot
        self._terminal = prompt.terminal
        self._look = prompt.look
        self._changed = asyncio.Event()
        self._stale = True
        self._size: Size | None = None
        self._live: StyleAndTextTuples = []
        self._about = ""
        self._frame: list[int] = []  # the widths of its rows, in cells
        self._app.after_render += self._remember
        if self._reflowing is not None:
            view.above = 0  # that are known

    @property
    def _reflowing(self) -> FrameOutput | None:
        """The output, where the terminal wraps rows again, and moves others off for it."""
        output = self._terminal.output
        return output if isinstance(output, FrameOutput) and output.reflows else None

    @property
    def width(self) -> int:
        """The cells of a row that are used: a full row would wrap when the terminal shrinks."""
        return max(1, self._terminal.output.get_size().columns - 1)

    @property
    def height(self) -> int:
        """The rows of the terminal."""
        return self._terminal.output.get_size().rows

    @property
    def grows(self) -> bool:
        """Whether an answer grows above the input."""
        return self._view.grows

    def cleared(self) -> None:
        """Nothing stands above the frame any more."""
        if self._reflowing is not None:
            self._view.above = 0
        self.touch()

    def touch(self) -> None:
        """The view or the session has changed."""
        self._stale = True
        self._changed.set()

    def live(self) -> StyleAndTextTuples:
        """The lines above the input; asked for many times a frame, so kept."""
        self._draw()
        return self._live

    def sign(self) -> StyleAndTextTuples:
        """What stands in front of the input, in its first line."""
        self._draw()
        sign = self._look.commands if vi_navigation_mode() else self._look.prompt
        return [("class:sign", f"{self._about}{sign} ")]

    async def run(self) -> None:
        """Shows every change, until it is cancelled."""
        while True:
            await self._next_change()
            if self._view.has_finished(self.width):
                await self.commit()
                await asyncio.sleep(_COMMIT_GAP_S)
            else:
                self._app.invalidate()
                await asyncio.sleep(_REDRAW_GAP_S)

    async def commit(self) -> None:
        """Writes what is finished, and takes it off the live lines in the same frame."""
        with self._terminal.whole_frame():
            await run_in_terminal(self._write)

    async def _next_change(self) -> None:
        hold = self._snapshot().hold
        counting = self._view.running is not None or (hold is not None and hold.until is not None)
        try:
            async with asyncio.timeout(_TICK_S if counting else None):
                await self._changed.wait()
        except TimeoutError:
            self._stale = True
        self._changed.clear()

    def _write(self) -> None:
        width = self.width
        blocks = self._view.take(width)
        self._stale = True
        rows = [row for block in blocks for row in painted(block, self._look, width)]
        if not rows:
            return
        self._view.above += len(rows)
        if self._terminal.linear:
            rows.insert(0, [])  # ends the line that the input stands on
        print_formatted_text(
            self._terminal.output,
            self._fragments(rows),
            self._look.style,
            color_depth=self._look.color_depth,
        )

    def _remember(self, app: Application[None]) -> None:
        """Notes how wide the rows are that stand on the screen now."""
        output = self._reflowing
        if output is not None:
            columns = output.get_size().columns
            above = fragment_list_to_text(self._live)
            draft = fragment_list_to_text(self.sign()) + self._folds.shown(app.current_buffer.text)
            text = f"{above}\n{draft}" if above else draft
            widths = [get_cwidth(line) for line in text.split("\n")]
            # A line of the draft that is too long stands in full rows.
            self._frame = [w for width in widths for w in _row_widths(width, columns)]
            output.drawn(self._frame)

    def _draw(self) -> None:
        size = self._terminal.output.get_size()
        if not self._stale and size == self._size:
            return
        self._stale = False
        if self._size is not None and size != self._size and self._reflowing is not None:
            self._view.resized(self._frame, min(size.rows, self._size.rows))
        self._size = size
        rows: list[Row] = []
        if not self._terminal.linear:
            width = max(1, size.columns - 1)
            now = self._snapshot()
            lines = live_lines(self._view, now, self._look, width, size.rows, time.time())
            rows = [[line] for line in lines]
        edited = self._view.edited
        self._about = "" if edited is None else f"{self._view.number(edited) or '?'} "
        self._live = self._fragments(rows)[:-1]  # without the last end of a line

    def _fragments(self, rows: list[Row]) -> StyleAndTextTuples:
        fit = self._look.fit
        ended = ([*row, ("", "\n")] for row in rows)
        return [(style, fit(text)) for row in ended for style, text in row]


def _row_widths(width: int, columns: int) -> list[int]:
    return [*[columns] * (width // columns), width % columns]
