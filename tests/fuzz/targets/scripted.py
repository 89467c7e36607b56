"""Scripted input: from bytes to follow-ups, by lines, as one text and as JSON objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from agent_shell import Lane
from agent_shell_cli.options import InputForm
from agent_shell_cli.scripted import lines
from agent_shell_cli.scripted.lines import BadLine, Item, Line, make_cutter
from fuzz.target import Take, Target

__all__ = ["JSONL", "LINES"]

_BOM = b"\xef\xbb\xbf"
_LIMITS = (40, 4, 1 << 20)
_PROMPTS = (None, "p", " ", "p\n")
# A reason is for a terminal: however long a line is, not so long.
_REASON = 600


def _by_lines(data: bytes) -> None:
    take = Take(data)
    form = take.one_of((InputForm.LINES, InputForm.TEXT))
    limit, prompt = take.one_of(_LIMITS), take.one_of(_PROMPTS)
    cuts = [take.byte() for _ in range(take.byte() % 4)]
    payload = take.rest()
    items = _items(form, limit, prompt, payload, cuts)
    if form is InputForm.TEXT:
        _check_text(items, payload, limit, prompt)
        return
    for number, line, item in _matched(payload, items):
        bare = line.removeprefix(_BOM) if number == 1 else line
        if bare.strip(b" \t\r"):
            assert item is not None, f"line {number} is lost"
            _check_line(item, bare, limit)
        elif item is not None:  # only where it is too large to tell that it is blank
            assert isinstance(item, BadLine)
            assert len(line) > limit


def _matched(payload: bytes, items: list[Item]) -> Iterator[tuple[int, bytes, Item | None]]:
    """Each line with its number and the one item that has that number, in order."""
    numbers = [item.number for item in items]
    assert numbers == sorted(set(numbers)), "doubled, or out of order"
    by_number = {item.number: item for item in items}
    for number, line in enumerate(payload.split(b"\n"), 1):
        yield number, line, by_number.pop(number, None)
    assert not by_number, "more items than lines"


def _check_line(item: Item, line: bytes, limit: int) -> None:
    text = line.removesuffix(b"\r")
    if isinstance(item, BadLine):
        _check_bad(item)
        assert len(text) > limit or not _is_utf8(text), f"refused: {item.reason}"
    else:
        assert item.text.encode() == text, "another text than the line's"
        assert (item.lane, item.id) == (None, None)


def _check_text(items: list[Item], payload: bytes, limit: int, prompt: str | None) -> None:
    assert len(items) <= 1
    for item in items:
        if isinstance(item, BadLine):
            _check_bad(item)
            assert len(payload) > limit or not _is_utf8(payload)
            return
        assert item.text.strip(), "an empty follow-up"
        wanted = payload.decode().removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\n")
        assert item.text.endswith(wanted) or not wanted.strip()
        assert item.text.startswith(prompt or "") or not (prompt or "").strip()
    if not items:
        assert not payload.removeprefix(_BOM).decode().strip()


def _jsonl(data: bytes) -> None:
    take = Take(data)
    limit = take.one_of(_LIMITS)
    cuts = [take.byte() for _ in range(take.byte() % 4)]
    payload = take.rest()
    items = _items(InputForm.JSONL, limit, None, payload, cuts)
    for number, line, item in _matched(payload, items):
        bare = line.removeprefix(_BOM) if number == 1 else line
        if bare.strip(b" \t\r"):
            assert item is not None, f"line {number} is lost"
            _check_object(item, number, bare)
        else:
            assert item is None, "a blank line is a follow-up"


def _check_object(item: Item, number: int, line: bytes) -> None:
    value = _object(line)
    if isinstance(item, BadLine):
        _check_bad(item)
        assert item.reason.startswith(f"line {number} "), item.reason
        assert not _is_good(value), f"refused: {item.reason}"
    else:
        assert _is_good(value), "accepted"
        assert item == Line(number, value["text"], value.get("lane"), value.get("id"))
        assert item.lane is None or type(item.lane) is Lane


def _object(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError):
        return None


def _is_good(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"text"} <= value.keys() <= {"text", "lane", "id"}
        and all(isinstance(part, str) and part for part in value.values())
        and value.get("lane", "queue") in ("queue", "steer", "interrupt", "merge")
    )


def _items(
    form: InputForm, limit: int, prompt: str | None, payload: bytes, cuts: list[int]
) -> list[Item]:
    """The items of the input, which are the same however it is cut."""
    whole = make_cutter(form, limit, prompt)
    items = [*whole.feed(payload), *whole.end()]
    pieces = make_cutter(form, limit, prompt)
    places = sorted(cut % (len(payload) + 1) for cut in cuts)
    told = [
        item
        for start, end in pairwise([0, *places, len(payload)])
        for item in pieces.feed(payload[start:end])
    ]
    assert [*told, *pieces.end()] == items, "the pieces make a difference"
    return items


def _check_bad(item: BadLine) -> None:
    assert item.reason.isprintable(), f"not fit for a terminal: {item.reason!r}"
    assert len(item.reason) <= _REASON, f"{len(item.reason)} characters long"
    assert item.code in (2, 3)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


LINES = Target(
    "lines",
    _by_lines,
    [lines],
    seeds=[
        b"\0\0\0\0one\ntwo\r\n\n  \nthree",
        b"\0\1\0\1\3abcdefghij\nab",
        b"\1\0\1\2\1\5" + _BOM + b"one\r\ntwo\n",
        b"\0\0\0\0ab\ncd\xff\n\xe2\x82",
    ],
    tokens=[_BOM, b"\r\n", b"\n\n", b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf4\x90"],
)
JSONL = Target(
    "jsonl",
    _jsonl,
    [lines],
    seeds=[
        b'\2\0{"text": "one"}\n{"text": "two", "lane": "steer", "id": "x"}\r\n',
        b'\2\1\7{"text": 1}\n[]\n{"texts": ""}\n{"lane": null, "text": "x"}\nnull\n',
        b'\2\0{"' + b"k" * 700 + b'": 1}\n',
        b"\2\0" + _BOM + b'{"text": "\\ud800\\u0000"}\n"x"\n-1e999\n',
    ],
    tokens=[b'{"text":"x"}\n', b'"id":', b'"lane":', b",", b"[[", b"]]", b"1" * 40, b"\\ud83d"],
)
