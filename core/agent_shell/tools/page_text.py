"""The text of an HTML page.

A page is anybody's: this looks at each character a bounded number of times, and has
no state that grows. It is made for reading, not for showing: what it does not know
is text.
"""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator

from agent_shell.records import record

__all__ = ["page_text"]

# What is between these is not text.
_SKIPPED = ("script", "style", "template", "noscript", "svg")
_BREAKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset"),
        *("figcaption", "figure", "footer", "form", "header", "hr", "main", "nav", "ol", "p"),
        *("pre", "section", "table", "title", "tr", "ul"),
    )
)
_HEADING = re.compile(r"h([1-6])")
_OPENING = re.compile(r"<[a-zA-Z/!?]")
_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9-]{0,30}")
_HREF = re.compile(r"""(?i)\shref\s*=\s*("[^"<>]{0,2000}"|'[^'<>]{0,2000}'|[^\s"'<>]{1,2000})""")
_TAG = 8_000  # as long as a tag is looked through for a link, in characters
_SIGNS = {"li": "\n- ", "td": " | ", "th": " | "}
_KEPT_SPACE = "\ue000"  # of text that is to stay as it is written


def page_text(page: str) -> str:
    """The text, a block a line; headings with #, entries with -, links with where they lead."""
    lines = (" ".join(line.split()) for line in "".join(_pieces(page)).split("\n"))
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip("\n").replace(_KEPT_SPACE, " ")


def _pieces(page: str) -> Iterator[str]:
    folded = page.lower()
    if len(folded) != len(page):  # a letter that is two in small
        folded = page
    links: list[str] = []
    place, written = 0, False
    while (opening := _OPENING.search(page, place)) is not None:
        start = opening.start()
        yield _text(page[place:start], written=written)
        if page.startswith("<!--", start):
            end = page.find("-->", start + 4)
            place = end + 3
        else:
            tag = _tag(page, folded, start)
            end, place = tag.end, tag.next
            yield _said(tag, links)
            if tag.name in ("pre", "/pre"):
                written = tag.name == "pre"
        if end < 0:
            return  # what has no end goes on to the page's
    yield _text(page[place:], written=written)


@record
class _Tag:
    """A tag: `end` is -1 where it has none, and `next` where to go on."""

    name: str
    text: str
    end: int
    next: int


def _tag(page: str, folded: str, start: int) -> _Tag:
    named = _NAME.match(page, start + 1)
    end = page.find(">", start)
    name = named[0].lower() if named else ""
    text = page[start : min(end, start + _TAG)]
    if end >= 0 and name in _SKIPPED:
        end = folded.find(f"</{name}", end)
        end = page.find(">", end) if end >= 0 else -1
    return _Tag(name, text, end, end + 1)


def _said(tag: _Tag, links: list[str]) -> str:
    """What stands for the tag."""
    name = tag.name
    if name == "a":
        found = _HREF.search(tag.text)
        links.append(found[1].strip("\"'") if found else "")
        del links[:-8]
        return ""
    if name == "/a":
        link = links.pop() if links else ""
        return f" <{link}>" if link.startswith(("http://", "https://", "/")) else ""
    if heading := _HEADING.fullmatch(name):
        return f"\n\n{'#' * int(heading[1])} "
    if name in _SIGNS:
        return _SIGNS[name]
    plain = name.removeprefix("/")
    return "\n" if plain in _BREAKS or _HEADING.fullmatch(plain) else ""


def _text(text: str, *, written: bool) -> str:
    """Text between two tags; but where it is `written` so, its line ends are spaces."""
    with contextlib.suppress(ValueError):  # a number of thousands of digits
        text = html.unescape(text)
    if written:
        return text.replace(" ", _KEPT_SPACE).replace("\t", _KEPT_SPACE * 4)
    if not text:
        return ""
    inner = " ".join(text.split())
    before = " " if text[0].isspace() else ""
    after = " " if inner and text[-1].isspace() else ""
    return f"{before}{inner}{after}"
