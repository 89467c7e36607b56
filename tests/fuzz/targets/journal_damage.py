"""What happens to files: bytes flip, pages are zeroed, swapped or lost, logs are torn."""

from __future__ import annotations

import struct

from fuzz.target import Take
from fuzz.targets.journal_base import Base

__all__ = ["Damaged"]

_VALUES = (
    b"\0",
    b"\xff",
    b"\x80",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff" * 9,
    b"\0\0\0\1",
    b"\x20\0",
    b"\x02\0",
    b"\x7f\xf8\0\0\0\0\0\0",  # not a number
    b"\x7f\xf0\0\0\0\0\0\0",  # infinity
)
# What stands in rows, and what it could become.
_WORDS = (
    b"queued",
    b"queue",
    b"running",
    b"answered",
    b"fu-0",
    b"fu-2",
    b"text of fu-1",
    b'{"reason": "user"',
    b"first",
    b"user",
)
_BECOMES = (b"queues", b"\xff\xfe", b"fu-1", b"fu-3", b"steer", b"[]", b'{"reason": 1234 ', b"\0")
_MAGICS = (0x377F0682, 0x377F0683)
_MOST = 6


class Damaged:
    """A base after damage: `main`, `log`, and what of them was touched.

    `whole_pages` says that no page was changed in part, so that every row that is
    there at all is one that was written.
    """

    def __init__(self, base: Base, take: Take) -> None:
        self.page = base.page
        self.main, self.log = bytearray(base.main), bytearray(base.log)
        self.whole_pages = True
        self._take = take
        signed = take.byte() % 4 == 1
        kinds = (
            self._flip,
            self._set,
            self._set_in_head,
            self._zero_page,
            self._swap_pages,
            self._copy_page,
            self._cut_at_page,
            self._cut,
            self._word,
            self._drop,
            self._append,
            self._zero_sector,
        )
        for _ in range(_MOST):
            if take:
                take.one_of(kinds)()
        self.log_touched = self.log != base.log
        if signed and self.log_touched:
            # A log with a good signature under damaged pages: no checksum saves us.
            self.whole_pages = False
            _sign(self.log)
        self.touched = {
            number
            for number in range(max(len(base.main), len(self.main)) // base.page + 1)
            if self._page_of(base.main, number) != self.main_page(number)
        }

    def main_page(self, number: int) -> bytes:
        """A page of the file, after the damage."""
        return self._page_of(self.main, number)

    def _page_of(self, data: bytes | bytearray, number: int) -> bytes:
        return bytes(data[number * self.page : (number + 1) * self.page])

    def _file(self) -> bytearray:
        return self.log if self._take.byte() % 3 == 1 else self.main

    def _at(self, file: bytearray) -> int:
        high = self._take.byte() << 16
        return (high | self._take.number()) % max(1, len(file))

    def _pages(self, file: bytearray, count: int) -> list[slice]:
        """Pages of the file, or of the log that is made of pages with a head each."""
        start, step = (32, self.page + 24) if file is self.log else (0, self.page)
        size = max(1, (len(file) - start) // step)
        places = (start + step * (self._take.byte() % size) for _ in range(count))
        return [slice(place, place + step) for place in places]

    def _write(self, file: bytearray, at: int, data: bytes) -> None:
        file[at : at + len(data)] = data[: max(0, len(file) - at)]
        self.whole_pages &= file is self.log

    def _flip(self) -> None:
        file = self._file()
        at = self._at(file)
        if file:
            self._write(file, at, bytes([file[at] ^ (1 << self._take.byte() % 8)]))

    def _set(self) -> None:
        file = self._file()
        self._write(file, self._at(file), self._take.one_of(_VALUES))

    def _set_in_head(self) -> None:
        """In the head of a page, or of the file."""
        file = self._file()
        (page,) = self._pages(file, 1)
        first = page.start == 0
        at = page.start + self._take.byte() % (100 if first else 16)
        self._write(file, at, self._take.one_of(_VALUES))

    def _zero_page(self) -> None:
        file = self._file()
        (page,) = self._pages(file, 1)
        file[page] = bytes(len(file[page]))

    def _swap_pages(self) -> None:
        file = self._file()
        one, other = self._pages(file, 2)
        if len(file[one]) == len(file[other]):
            file[one], file[other] = file[other], file[one]

    def _copy_page(self) -> None:
        file = self._file()
        one, other = self._pages(file, 2)
        if len(file[one]) == len(file[other]):
            file[one] = file[other]

    def _cut_at_page(self) -> None:
        file = self._file()
        (page,) = self._pages(file, 1)
        del file[page.start :]

    def _cut(self) -> None:
        file = self._file()
        del file[self._at(file) :]

    def _word(self) -> None:
        """One of the words in a row becomes another."""
        file, word = self._file(), self._take.one_of(_WORDS)
        at = file.find(word, self._at(file))
        if at >= 0:
            self._write(file, at, self._take.one_of(_BECOMES)[: len(word)])

    def _drop(self) -> None:
        self._file().clear()

    def _append(self) -> None:
        file = self._file()
        file += self._take.piece(self._take.byte())

    def _zero_sector(self) -> None:
        file = self._file()
        at = self._at(file) // 512 * 512
        self._write(file, at, bytes(512))


def _sign(log: bytearray) -> None:
    """Makes the checksums of a log fit what is in it."""
    if len(log) < 32:
        return
    magic, version, size, *_ = struct.unpack_from(">8I", log)
    if magic not in _MAGICS or not 8 <= size <= 65536 or size % 8:
        magic, size = _MAGICS[0], size - size % 8 or 512
        struct.pack_into(">3I", log, 0, magic, version, size)
    order = ">" if magic & 1 else "<"
    total = _checksum(log[:24], (0, 0), order)
    struct.pack_into(">2I", log, 24, *total)
    salts = bytes(log[16:24])
    for at in range(32, len(log) - size - 23, size + 24):
        log[at + 8 : at + 16] = salts
        total = _checksum(log[at : at + 8], total, order)
        total = _checksum(log[at + 24 : at + 24 + size], total, order)
        struct.pack_into(">2I", log, at + 16, *total)


def _checksum(data: bytes | bytearray, total: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = total
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
