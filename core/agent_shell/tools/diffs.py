"""The unified diff of one file, in a time that its size bounds."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

__all__ = ["unified_diff"]

# Lines that differ, beyond which no pairs are looked for: that takes their product in time.
_COMPARED = 2_000
_CONTEXT = 3
_LINES = 4_000
_TEXT = 400_000  # characters


def unified_diff(name: str, old: str | None, new: str) -> str:
    """The diff; `old` is `None` where the file is new. Cut, and says so, where it is long."""
    before, after = _lines(old or ""), _lines(new)
    source = "/dev/null" if old is None else f"a/{name}"
    lines = [f"--- {source}", f"+++ b/{name}", *_hunks(before, after)]
    if len(lines) > _LINES:
        lines[_LINES:] = [f"[{len(lines) - _LINES:,} more lines of the diff]"]
    diff = "\n".join(lines) + "\n"
    if len(diff) > _TEXT:
        diff = f"{diff[:_TEXT]}\n[{len(diff) - _TEXT:,} more characters of the diff]\n"
    return diff


def _lines(text: str) -> list[str]:
    """The lines with their ends. Only a line feed ends one, as in an editor."""
    *ended, rest = text.split("\n")
    lines = [f"{line}\n" for line in ended]
    return [*lines, rest] if rest else lines


def _hunks(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    changed = max(len(before), len(after)) - start - end
    if changed > _COMPARED:
        found = _replaced(before, after, start, end)
    else:
        found = list(difflib.unified_diff(before, after, n=_CONTEXT))[2:]
    for line in found:
        yield line.rstrip("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _replaced(before: Sequence[str], after: Sequence[str], start: int, end: int) -> list[str]:
    """One hunk: all that differs goes, and what is there instead comes."""
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    head = f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@\n"
    return [head, *(f"-{line}" for line in old), *(f"+{line}" for line in new)]
