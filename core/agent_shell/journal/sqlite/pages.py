"""Rows straight from the pages of a SQLite file, where SQLite itself gives up.

SQLite finds a row from the root of its table down. Where one inner page is gone, or the
end of the file, all rows below are out of its reach, although their pages are whole.
Here every page is looked at by itself, whatever points to it.
See https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from agent_shell.records import record

__all__ = ["Cell", "Pages"]

Value = int | float | str | bytes | None

_PAGE = 4096  # what a journal has; taken where the file does not say
_MAGIC = b"SQLite format 3\0"
_INDEX_INNER, _INDEX_LEAF = 0x02, 0x0A
_TABLE_INNER, _TABLE_LEAF = 0x05, 0x0D
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@record
class Cell:
    """One row: of a table, with its `rowid`, or of an index (`rowid` is `None`)."""

    rowid: int | None
    values: list[Value]


class Pages:
    """The pages of the file at `path`, with what is committed in the log beside it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        header = self._file.read(100)
        self._log = _log(path.with_name(path.name + "-wal"))
        # The log has a checksum, the header has none.
        logged = next((len(page) for page in self._log.values()), None)
        self.size = logged or _page_size(header) or _PAGE
        # Those that are there: a damaged log may have numbers far beyond.
        in_file = -(-self._file.seek(0, 2) // self.size)
        self._numbers = sorted({*range(1, in_file + 1), *self._log})

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def cells(self) -> Iterator[Cell]:
        """What can be read of every page that is not free, in the order of the pages."""
        free = self._free()
        for number in self._numbers:
            if number not in free:
                yield from self._cells(number)

    def _page(self, number: int) -> bytes:
        page = self._log.get(number)
        if page is None:
            self._file.seek((number - 1) * self.size)
            page = self._file.read(self.size).ljust(self.size, b"\0")
        return page

    def _free(self) -> set[int]:
        """The pages of the free list: what stands in them was deleted.

        None where it does not add up: better to bring back what was deleted than to
        leave out what was not.
        """
        free: set[int] = set()
        trunk, count = struct.unpack_from(">2I", self._page(1), 32)
        while trunk and trunk not in free:
            page = self._page(trunk)
            free.add(trunk)
            trunk, leaves = struct.unpack_from(">2I", page)
            if leaves > self.size // 4 - 2:
                return set()  # no page of the list
            free.update(struct.unpack_from(f">{leaves}I", page, 8))
        in_order = len(free) == count and not any(
            free.intersection(self._children(number))
            for number in self._numbers
            if number not in free
        )
        return free if in_order else set()

    def _children(self, number: int) -> list[int]:
        """The pages that an inner page of a table or an index points to."""
        page = self._page(number)
        start = 100 if number == 1 else 0
        if page[start] not in (_INDEX_INNER, _TABLE_INNER):
            return []
        count, last = struct.unpack_from(">3xH3xI", page, start)
        cells = start + 12
        if cells + 2 * count > self.size:
            return []
        places = struct.unpack_from(f">{count}H", page, cells)
        inside = (place for place in places if place + 4 <= self.size)
        return [last, *(struct.unpack_from(">I", page, place)[0] for place in inside)]

    def _cells(self, number: int) -> Iterator[Cell]:
        page = self._page(number)
        start = 100 if number == 1 else 0
        kind = page[start]
        if kind not in (_INDEX_INNER, _INDEX_LEAF, _TABLE_LEAF):
            return
        head = start + (12 if kind == _INDEX_INNER else 8)
        (count,) = struct.unpack_from(">H", page, start + 3)
        if head + 2 * count > self.size:
            return
        for pointer in struct.unpack_from(f">{count}H", page, head):
            try:
                yield self._cell(page, pointer, kind)
            except (ValueError, IndexError, struct.error, OverflowError):
                continue  # this one is damaged; its neighbours may not be

    def _cell(self, page: bytes, at: int, kind: int) -> Cell:
        at += 4 if kind == _INDEX_INNER else 0
        size, at = _varint(page, at)
        rowid: int | None = None
        if kind == _TABLE_LEAF:
            rowid, at = _varint(page, at)
        return Cell(rowid, _record(self._payload(page, at, size, kind)))

    def _payload(self, page: bytes, at: int, size: int, kind: int) -> bytes:
        most = self.size - 35 if kind == _TABLE_LEAF else (self.size - 12) * 64 // 255 - 23
        if size <= most:
            return _cut(page, at, size)
        least = (self.size - 12) * 32 // 255 - 23
        local = least + (size - least) % (self.size - 4)
        local = local if local <= most else least
        pieces, missing = [_cut(page, at, local)], size - local
        (follows,) = struct.unpack_from(">I", page, at + local)
        if missing > len(self._numbers) * self.size:
            raise ValueError("longer than the file")
        seen: set[int] = set()
        while missing > 0:
            if follows in seen or not 0 < follows <= self._numbers[-1]:
                raise ValueError("no such page")
            seen.add(follows)
            more = self._page(follows)
            pieces.append(more[4 : 4 + missing])
            missing -= len(pieces[-1])
            (follows,) = struct.unpack_from(">I", more)
        return b"".join(pieces)


def _cut(data: bytes, at: int, size: int) -> bytes:
    piece = data[at : at + size]
    if len(piece) != size:
        raise ValueError("beyond the page")
    return piece


def _page_size(header: bytes) -> int | None:
    if not header.startswith(_MAGIC):
        return None
    (size,) = struct.unpack_from(">H", header, 16)
    size = 65536 if size == 1 else size
    return size if _is_page_size(size) else None


def _is_page_size(size: int) -> bool:
    return 512 <= size <= 65536 and size & (size - 1) == 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64 if value >> 63 else 0), at + 9


def _record(payload: bytes) -> list[Value]:
    header, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != header:
        raise ValueError("the header has another length than it says")
    values: list[Value] = []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload):
        raise ValueError("the row has another length than it says")
    return values


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind in _INTEGERS:
        data = _cut(payload, at, _INTEGERS[kind])
        return int.from_bytes(data, "big", signed=True), at + len(data)
    if kind < 12:
        raise ValueError("no such type")
    data = _cut(payload, at, (kind - 12) // 2)
    # A damaged letter becomes U+FFFD: the rest of the text is worth keeping.
    return (data.decode("utf-8", "replace") if kind % 2 else data), at + len(data)


def _log(path: Path) -> dict[int, bytes]:
    """The pages that are committed in a write-ahead log, the newest of each."""
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    if len(data) < 32:
        return {}
    magic, _, size, _, salt1, salt2, *end = struct.unpack_from(">8I", data)
    if magic & ~1 != 0x377F0682 or not _is_page_size(size):
        return {}
    order = ">" if magic & 1 else "<"
    total = _checksum(data[:24], (0, 0), order)
    if total != tuple(end):
        return {}
    committed: dict[int, bytes] = {}
    written: dict[int, bytes] = {}
    for at in range(32, len(data) - size - 23, size + 24):
        number, commit, first, second, *told = struct.unpack_from(">6I", data, at)
        page = data[at + 24 : at + 24 + size]
        total = _checksum(page, _checksum(data[at : at + 8], total, order), order)
        if (first, second) != (salt1, salt2) or total != tuple(told):
            break
        written[number] = page
        if commit:
            committed.update(written)
            written.clear()
    return committed


def _checksum(data: bytes, total: tuple[int, int], order: str) -> tuple[int, int]:
    a, b = total
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        a = (a + even + b) & 0xFFFFFFFF
        b = (b + odd + a) & 0xFFFFFFFF
    return a, b
