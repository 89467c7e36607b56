"""From bytes to follow-ups: a pure function, but for the piece of a line that is not whole yet.

Every line of the input becomes exactly one item, a `Line` or a `BadLine`, or it
is blank. Where the bytes were cut into pieces makes no difference. Of a line
that is too large to be accepted only so much is kept as shows that it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, cast

from agent_shell import Lane
from agent_shell.records import record
from agent_shell_cli.exits import Exit
from agent_shell_cli.options import InputForm

__all__ = ["BadLine", "Cutter", "Item", "Line", "make_cutter"]

_BOM = "\ufeff"
# A byte of text takes at most six in JSON (`\u0000`); the rest is for keys and an id.
_JSON_BYTES, _JSON_REST = 6, 65_536
# How much of a key or a lane that is none is repeated to say so.
_QUOTED = 40
# What may stand around a text and is no part of it: the BOM and the line's end.
_FRAME = len(_BOM.encode()) + len(b"\r\n")


@record
class Line:
    """One follow-up to submit; `number` is its line's (1 is the first, 0 what is no line)."""

    number: int
    text: str
    lane: Lane | None = None
    id: str | None = None


@record
class BadLine:
    """A line that is no follow-up: `error` names the kind, `reason` says what is wrong where."""

    number: int
    error: str
    reason: str
    code: Exit = Exit.USAGE


Item = Line | BadLine


class Cutter(Protocol):
    """Takes the input as it comes and gives the items that are whole."""

    def feed(self, data: bytes) -> list[Item]:
        """What `data` completes, in order."""
        ...

    def end(self) -> list[Item]:
        """What is left when the input has ended."""
        ...


def make_cutter(form: InputForm, text_bytes: int, prompt: str | None = None) -> Cutter:
    """The cutter of that form; `text_bytes` is the limit of one follow-up's text.

    Where the whole input is one follow-up, a `prompt` goes before it, with a
    blank line between; the other forms do not take one.
    """
    if form is InputForm.TEXT:
        return _Whole(text_bytes, prompt)
    if form is InputForm.JSONL:
        return _Lines(_json_line, _JSON_BYTES * text_bytes + _JSON_REST)
    return _Lines(_text_line, text_bytes)


class _Kept:
    """The bytes of one piece of text: up to a bound they are kept, beyond it counted."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._head = bytearray()

    def add(self, data: bytes) -> None:
        self.size += len(data)
        room = self._limit + _FRAME - len(self._head)
        if room > 0:
            self._head += data[:room]

    def take(self) -> tuple[bytes, int]:
        """What was kept and how much there was; starts anew."""
        head, size = bytes(self._head), self.size
        self._head.clear()
        self.size = 0
        return head, size


class _Lines:
    """One item a line that is not blank."""

    def __init__(self, parse: Callable[[int, str], Item], limit: int) -> None:
        self._parse = parse
        self._limit = limit
        self._number = 0
        self._rest = _Kept(limit)

    def feed(self, data: bytes) -> list[Item]:
        *whole, rest = data.split(b"\n")
        items: list[Item] = []
        if whole:
            self._rest.add(whole[0])
            self._cut(*self._rest.take(), items)
            for line in whole[1:]:
                self._cut(line, len(line), items)
        self._rest.add(rest)
        return items

    def end(self) -> list[Item]:
        items: list[Item] = []
        if self._rest.size:
            self._cut(*self._rest.take(), items)
        return items

    def _cut(self, head: bytes, size: int, items: list[Item]) -> None:
        self._number = number = self._number + 1
        # A first line that is a BOM alone is blank, as an empty file of some editors is.
        bare = head.removeprefix(_BOM.encode()) if number == 1 else head
        if size > self._limit + _FRAME:
            items.append(_too_large(number, f"line {number}", size, self._limit))
        elif bare.strip(b" \t\r"):
            try:
                text = bare.decode()
            except UnicodeDecodeError as error:
                place = error.start + len(head) - len(bare)
                items.append(_not_utf8(number, f"line {number}", place, head))
                return
            items.append(self._parse(number, text.removesuffix("\r")))


class _Whole:
    """The whole input as one item, behind the prompt."""

    def __init__(self, limit: int, prompt: str | None) -> None:
        self._limit = limit
        self._prompt = prompt
        self._kept = _Kept(limit)

    def feed(self, data: bytes) -> list[Item]:
        self._kept.add(data)
        return []

    def end(self) -> list[Item]:
        head, size = self._kept.take()
        if size > self._limit + _FRAME:
            return [_too_large(1, "the input", size, self._limit)]
        try:
            text = head.decode().removeprefix(_BOM)
        except UnicodeDecodeError as error:
            before = head[: error.start]
            number, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
            return [_not_utf8(number, f"line {number}", error.start - start, head[start:])]
        text = text.replace("\r\n", "\n").removesuffix("\n")
        parts = [part for part in (self._prompt, text) if part is not None and part.strip()]
        return [Line(0, "\n\n".join(parts))] if parts else []


def _too_large(number: int, what: str, size: int, limit: int) -> BadLine:
    reason = f"{what} has {size:,} bytes and the limit is {limit:,}; send it in parts"
    return BadLine(number, "TooLarge", reason, Exit.REFUSED)


def _not_utf8(number: int, what: str, offset: int, data: bytes) -> BadLine:
    reason = (
        f"{what} is not UTF-8: byte {offset + 1} of it is 0x{data[offset]:02x}; "
        "convert the input, with iconv for example"
    )
    return BadLine(number, "InvalidText", reason)


def _text_line(number: int, text: str) -> Item:
    return Line(number, text)


def _json_line(number: int, text: str) -> Item:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return _bad_json(number, f"is not JSON: {error}")
    if not isinstance(value, dict):
        return _bad_json(number, f"is {_kind(value)} where an object is expected")
    given = cast("dict[str, Any]", value)
    wrong = _what_is_wrong(given)
    if wrong:
        return _bad_json(number, wrong)
    lane = given.get("lane")
    return Line(number, given["text"], None if lane is None else Lane(lane), given.get("id"))


def _what_is_wrong(given: dict[str, Any]) -> str:
    """What is wrong with a line's object; empty if nothing is."""
    for key, value in given.items():
        if key not in ("text", "lane", "id"):
            return f"has the unknown key {_quoted(key)}; the keys are text, lane and id"
        if not isinstance(value, str):
            return f'has {_kind(value)} as "{key}" where a string is expected'
        if not value:
            return f'has an empty string as "{key}"'
    if "text" not in given:
        return 'has no "text"'
    lane, lanes = given.get("lane", Lane.QUEUE), list(Lane)
    if lane not in lanes:
        return f'has {_quoted(lane)} as "lane" where one of {", ".join(lanes)} is expected'
    return ""


def _quoted(text: str) -> str:
    """`text` as JSON, so that a reason stays one line of few words."""
    return json.dumps(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}...")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def _bad_json(number: int, what: str) -> BadLine:
    form = '{"text": "…", "lane": "queue", "id": "…"}'
    return BadLine(number, "InvalidLine", f"line {number} {what} (a line is like {form})")
