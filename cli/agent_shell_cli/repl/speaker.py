"""What the shell itself says: lines that stay, and a notice that stands until a key comes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from agent_shell import FollowUp
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.live import waiting_line
from agent_shell_cli.repl.prompting import Prompt
from agent_shell_cli.repl.renderer import Renderer
from agent_shell_cli.repl.view import Block, View

__all__ = ["Speaker"]


class Speaker:
    """Puts words into a view and has them shown; what it is given may be anything."""

    def __init__(self, view: View, renderer: Renderer, prompt: Prompt) -> None:
        self.linear = prompt.terminal.linear
        self.look = prompt.look
        self._view = view
        self._renderer = renderer

    @property
    def width(self) -> int:
        """The cells of a row that are used."""
        return self._renderer.width

    def refresh(self) -> None:
        """Something that is shown has changed."""
        self._renderer.touch()

    def say(self, text: str) -> None:
        """Says it above what still grows."""
        self._view.say(text)
        self._renderer.touch()

    def tell(self, text: str | None) -> None:
        """Says it, if there is anything to say."""
        if text is not None:
            self.say(text)

    def tell_linear(self, text: str) -> None:
        """Says it where nothing on the screen shows it."""
        if self.linear:
            self.say(text)

    def show(self, blocks: Sequence[Block]) -> None:
        """Shows finished pieces that no event tells of."""
        self._view.show(blocks)
        self._renderer.touch()

    def notice(self, text: str) -> None:
        """Says it until `calm`; where no line can stand, for ever."""
        if self.linear:
            self.say(text)
        self._view.notice = printable_line(text)
        self._renderer.touch()

    def calm(self) -> None:
        """Takes the notice back."""
        if self._view.notice:
            self._view.notice = ""
            self._renderer.touch()

    def loading(self, line: str) -> None:
        """Says how far the model is; "" at the end."""
        self._view.loading = line
        self._renderer.touch()

    def listing(self, waiting: Sequence[FollowUp], count: int, limit: int) -> str:
        """At most `limit` of what waits, one a line; `count` is how many there are in all."""
        lines = [
            waiting_line(self._view.number(f.id), f.text, self.look, self.width)
            for f in islice(waiting, limit)
        ]
        if count > len(lines):
            lines.append(f"  {self.look.ellipsis} {count - len(lines):,} more")
        return "\n".join(lines)
