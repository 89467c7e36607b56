"""Where a paragraph can be cut without cutting what its marks enclose."""

from __future__ import annotations

import re

__all__ = ["settled"]

_MARKS = re.compile(r"\\.|`+|\*+|_+|~~|\[|\]\(?|\)", re.DOTALL)


def settled(text: str, begin: int, places: list[int]) -> int:
    """The last of `places` before which, from `begin` on, no markup is open; or 0.

    A guess that errs on the side of "open": a lone mark counts as opened.
    """
    found = 0
    waiting = iter(places)
    place = next(waiting, None)
    enclosing: list[str] = []
    for match in _MARKS.finditer(text, begin):
        while place is not None and place <= match.start():
            found = found if enclosing else place
            place = next(waiting, None)
        _follow(enclosing, match)
    rest = [place, *waiting] if place is not None else []
    return rest[-1] if rest and not enclosing else found


def _follow(enclosing: list[str], match: re.Match[str]) -> None:
    """Opens or closes what a mark stands for; `enclosing` has what will close it."""
    mark = match[0]
    last = enclosing[-1] if enclosing else ""
    if mark[0] == "\\":
        return
    if last == mark and (mark[0] in "`])" or not _after(match, -1).isspace()):
        enclosing.pop()
    elif last[:1] == "`":
        return
    elif mark == "[":
        enclosing.append("]")
    elif mark == "](" and last == "]":
        enclosing[-1] = ")"
    elif mark[0] == "`" or (mark[0] in "*_~" and _opens(match)):
        enclosing.append(mark)


def _opens(match: re.Match[str]) -> bool:
    """Whether emphasis may begin here: before a word and not inside of one."""
    return not _after(match, 0).isspace() and not _after(match, -1).isalnum()


def _after(match: re.Match[str], side: int) -> str:
    """The character behind the mark (0) or before it (-1); a blank at the ends."""
    place = match.end() if side == 0 else match.start() - 1
    return match.string[place] if 0 <= place < len(match.string) else " "
