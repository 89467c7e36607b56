"""Signs and colours: what they are here, and what replaces them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from prompt_toolkit.styles import BaseStyle, Style

__all__ = ["Look"]

_STYLE = {
    "mark": "ansired",
    "quiet": "dim",
    "held": "ansiyellow",
    "sign": "ansicyan bold",
}
# What the shell itself says, for terminals that do not speak Unicode.
_ASCII = str.maketrans({"—": "-", "·": "-", "…": "~"})


@dataclass(frozen=True, slots=True)
class Look:
    """How things are shown; each sign takes one cell."""

    prompt: str
    cross: str
    steer: str
    pause: str
    ellipsis: str
    unicode: bool
    color: bool

    @classmethod
    def of(cls, *, color: bool, encoding: str) -> Look:
        """The look for a terminal that speaks `encoding`."""
        try:
            "❯✗↳‖…".encode(encoding)  # noqa: RUF001 (it is what is meant)
        except (UnicodeEncodeError, LookupError):
            return cls(">", "x", "+", "=", "~", unicode=False, color=color)
        return cls("❯", "✗", "↳", "‖", "…", unicode=True, color=color)  # noqa: RUF001

    @property
    def style(self) -> BaseStyle:
        """The style sheet; empty where no colour is wanted."""
        return Style.from_dict(_STYLE if self.color else {})

    def fit(self, text: str) -> str:
        """`text` with signs that the terminal can show, each in as many cells."""
        return text if self.unicode else text.translate(_ASCII)
