"""Signs and colours: what they are here, and what replaces them elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field

from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle, Style

from agent_shell.records import frozen
from agent_shell_cli.config.palettes import PALETTES

__all__ = ["Look"]

# What COLORFGBG says of the background, in the numbers of a terminal's colours.
_DARK_GROUNDS = frozenset({"0", "1", "2", "3", "4", "5", "6", "8"})
_LIGHT_GROUNDS = frozenset({"7", "15"})
# What the shell itself says, for terminals that do not speak Unicode.
_ASCII = str.maketrans({"—": "-", "·": "-", "…": "~", "▸": ">", "≈": "~", "↑": "^", "↓": "v"})


@frozen
class Look:
    """How things are shown; each sign takes one cell.

    `commands` stands in place of `prompt` while keys are vi's commands.
    `styles` has prompt_toolkit's words for each class, where colour is wanted.
    """

    prompt: str
    commands: str
    cross: str
    check: str
    steer: str
    pause: str
    ellipsis: str
    unicode: bool
    color: bool
    styles: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(
        cls,
        *,
        color: bool,
        encoding: str,
        theme: str = "auto",
        colors: Mapping[str, str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Look:
        """The look for a terminal that speaks `encoding`, in a theme and with a user's colours."""
        color = color and theme != "none"
        styles = {**PALETTES[_theme(theme, environ)], **(colors or {})} if color else {}
        try:
            "❯❮✗✓↳‖…".encode(encoding)  # noqa: RUF001 (it is what is meant)
        except (UnicodeEncodeError, LookupError):
            return cls(">", "<", "x", "*", "+", "=", "~", unicode=False, color=color, styles=styles)
        signs = ("❯", "❮", "✗", "✓", "↳", "‖", "…")  # noqa: RUF001
        return cls(*signs, unicode=True, color=color, styles=styles)

    @property
    def style(self) -> BaseStyle:
        """The style sheet; empty where no colour is wanted."""
        return Style.from_dict(dict(self.styles))

    @property
    def color_depth(self) -> ColorDepth | None:
        """One bit where no colour is wanted; else the terminal's own."""
        return None if self.color else ColorDepth.DEPTH_1_BIT

    def fit(self, text: str) -> str:
        """`text` with signs that the terminal can show, each in as many cells."""
        return text if self.unicode else text.translate(_ASCII)


def _theme(theme: str, environ: Mapping[str, str]) -> str:
    """The palette's name; some terminals say in COLORFGBG what their background is."""
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    if theme != "auto":
        return theme if theme in PALETTES else "auto"
    return "dark" if ground in _DARK_GROUNDS else "light" if ground in _LIGHT_GROUNDS else "auto"
