"""Whatever a model, a tool, a file or a peer wrote, made fit for the terminal.

The only place that does so. Escape sequences and control characters could move
the cursor, set the title, write the clipboard or forge a prompt; bidi overrides
could hide what a line says. They become visible, as `␛`, `␀` or `<U+202E>`. So does
a heap of marks on one sign: no script has that many, and what takes no cell hides.
"""

from __future__ import annotations

import re

__all__ = ["printable", "printable_line"]

# C0 but tab and newline, DEL, C1, bidi controls, line and paragraph separators,
# the invisible tag characters, and halves of pairs, which no terminal encodes.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
# What takes no cell of its own: combining marks, joiners, spaces and selectors.
_MARKS = (
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200d\u2060-\u2064\u206a-\u206f\u20d0-\u20f0"
    "\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\U000e0100-\U000e01ef]"
)
_MOST_MARKS = 8
_HEAP = re.compile(f"(?<={_MARKS}{{{_MOST_MARKS}}}){_MARKS}+")


def printable(text: str) -> str:
    """`text` with nothing in it that a terminal would obey; newlines and tabs stay."""
    safe = _UNSAFE.sub(_shown, text.replace("\r\n", "\n"))
    return safe if safe.isascii() else _HEAP.sub(_counted, safe)


def printable_line(text: str, limit: int = 200) -> str:
    """`text` on one line of at most `limit` characters, cut with an ellipsis."""
    # Only what can be seen is worth the work: a follow-up may have a mebibyte.
    line = " ".join(printable(text[: 4 * limit]).split())
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[: limit - 1]}…"


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"


def _counted(match: re.Match[str]) -> str:
    return f"<{len(match[0]):,} more marks>"
