"""What is fuzzed: a function of bytes that raises where a rule does not hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

__all__ = ["MEMORY", "Take", "Target"]

T = TypeVar("T")

# Files that are made a thousand times a second belong into memory, where there is such a place.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(frozen=True, slots=True)
class Target:
    """`run` may raise nothing: whatever it raises is a finding.

    Inputs that run new lines of `modules` are kept; but not of the functions that are
    called `dull`, which run often and tell little. `seeds` are what it begins with
    beside its corpus, `tokens` what is put into inputs beside the constants of the
    code, and no input is longer than `limit` bytes.
    """

    name: str
    run: Callable[[bytes], None]
    modules: Sequence[ModuleType]
    seeds: Sequence[bytes] = (b"",)
    tokens: Sequence[bytes] = ()
    limit: int = 4096
    dull: frozenset[str] = frozenset()


class Take:
    """Choices out of the front of an input; where it has ended, the first of each."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self) -> int:
        """The next two bytes, as a number."""
        return self.byte() << 8 | self.byte()

    def one_of(self, choices: Sequence[T]) -> T:
        """One of the choices, of which there may be 256."""
        return choices[self.byte() % len(choices)]

    def piece(self, count: int) -> bytes:
        """The next `count` bytes, or as many as there are."""
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> bytes:
        """All that is left."""
        return self.piece(max(0, len(self._data) - self._at))

    def text(self) -> str:
        """All that is left, as text; a byte that is no UTF-8 becomes a lone surrogate."""
        return self.rest().decode(errors="surrogateescape")
