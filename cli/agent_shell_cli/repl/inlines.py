"""The markup inside a paragraph, as styled lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_shell_cli.repl.parser import inline
from agent_shell_cli.repl.rows import Row, text_of

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["inline_lines"]

_STYLES = {"strong_open": "bold", "em_open": "italic", "s_open": "strike"}


def inline_lines(text: str, style: str, *, color: bool) -> list[Row]:
    """The lines of `text`, in `style` and what its marks say.

    Without colour, code keeps its backticks: nothing else tells it from text.
    """
    written = _Inline(style, color)
    for token in inline(text):
        written.add(token)
    return written.lines


class _Inline:
    """The lines so far, and the styles that are open."""

    def __init__(self, style: str, color: bool) -> None:
        self.lines: list[Row] = [[]]
        self._styles = [style] if style else []
        self._color = color
        self._links: list[tuple[Token, int, int]] = []

    def add(self, token: Token) -> None:
        """What comes next."""
        match token.type:
            case "softbreak" | "hardbreak":
                self.lines.append([])
            case "strong_open" | "em_open" | "s_open":
                self._styles.append(_STYLES[token.type])
            case "strong_close" | "em_close" | "s_close":
                self._styles.pop()
            case "code_inline":
                said = token.content if self._color else f"`{token.content}`"
                self._say(said, "class:code")
            case "link_open":
                self._styles.append("class:link")
                self._links.append((token, len(self.lines) - 1, len(self.lines[-1])))
            case "link_close":
                self._styles.pop()
                opened, line, place = self._links.pop()
                named = [self.lines[line][place:], *self.lines[line + 1 :]]
                self._say_address(opened, "href", " ".join(map(text_of, named)))
            case "image":
                self._say(token.content, "class:link")
                self._say_address(token, "src", token.content)
            case _:
                self._say(token.content)

    def _say(self, text: str, style: str = "") -> None:
        if text:
            self.lines[-1].append((" ".join([*self._styles, style]).strip(), text))

    def _say_address(self, token: Token, name: str, said: str) -> None:
        """Where a link leads, unless it has just been said."""
        address, title = str(token.attrs.get(name, "")), str(token.attrs.get("title", ""))
        parts = [address] if address and address != said and token.markup != "autolink" else []
        parts += [f'"{title}"'] if title else []
        if parts:
            self._say(f"{' ' if said else ''}({' '.join(parts)})", "class:quiet")
