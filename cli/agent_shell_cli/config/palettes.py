"""The colours of each theme: the one place that names them, and what a user may name instead.

Plain data, so that a configuration is checked without loading the prompt's library.
"""

from __future__ import annotations

import re

__all__ = ["COLORS", "PALETTES", "STYLE_FORM", "is_style"]

# For backgrounds that are not known: red and magenta are readable on black and on
# white; yellow, green and cyan are not readable on white, blue is not on black.
_AUTO = {
    "mark": "ansired",
    "quiet": "dim",
    "held": "ansimagenta",
    "sign": "ansimagenta bold",
    "chosen": "bold",
    "status": "dim",
    "heading": "ansimagenta bold",
    "code": "ansired",
    "link": "underline",
    "code.keyword": "ansimagenta",
    "code.string": "ansired",
    "code.number": "ansimagenta",
    "code.comment": "ansidefault italic",
    "code.name": "ansidefault bold",
    "code.deleted": "ansired",
    "code.inserted": "ansidefault bold",
}
_DARK = _AUTO | {
    "mark": "ansibrightred",
    "held": "ansiyellow",
    "sign": "ansicyan bold",
    "heading": "ansicyan bold",
    "code": "ansigreen",
    "link": "ansicyan underline",
    "chosen": "ansicyan",
    "code.keyword": "ansicyan",
    "code.string": "ansigreen",
    "code.number": "ansiyellow",
    "code.deleted": "ansibrightred",
    "code.inserted": "ansigreen",
}
_LIGHT = _AUTO | {
    "sign": "ansiblue bold",
    "heading": "ansiblue bold",
    "link": "ansiblue underline",
    "chosen": "ansiblue",
    "code.keyword": "ansiblue",
}

PALETTES = {"auto": _AUTO, "dark": _DARK, "light": _LIGHT}
# What a user may name: the parts of code keep the theme's.
COLORS = tuple(name for name in _AUTO if "." not in name)

_HUES = "black|red|green|yellow|blue|magenta|cyan|gray"
_BRIGHT = "brightblack|brightred|brightgreen|brightyellow|brightblue|brightmagenta|brightcyan|white"
_WORD = re.compile(rf"ansi(?:{_HUES}|{_BRIGHT})|#[0-9a-fA-F]{{6}}|bold|dim|italic|underline")

STYLE_FORM = "a colour (#rrggbb, ansired …) and any of bold, dim, italic, underline"


def is_style(text: str) -> bool:
    """Whether a user may write this for a colour."""
    words = text.split()
    return bool(words) and all(_WORD.fullmatch(word) for word in words)
