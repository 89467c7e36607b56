"""New inputs from old ones."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["Mutator"]

_EDGES = (0, 1, 9, 10, 13, 27, 32, 34, 47, 91, 92, 96, 123, 127, 128, 155, 192, 224, 255)


class Mutator:
    """Changes bytes; `tokens` are pieces that mean something to the code under test."""

    def __init__(self, rng: random.Random, tokens: Sequence[bytes], limit: int) -> None:
        self._rng = rng
        self._tokens = tokens or [b"\0"]
        self._limit = limit
        self._ways = (
            self._flip,
            self._set,
            self._add,
            self._insert_token,
            self._insert_token,
            self._overwrite_token,
            self._insert_bytes,
            self._insert_character,
            self._delete,
            self._repeat,
            self._swap,
        )

    def mutate(self, data: bytes, other: bytes) -> bytes:
        """`data` with a few changes, or with a piece of `other` in it."""
        rng = self._rng
        new = bytearray(data)
        if rng.random() < 0.15 and other:
            self._splice(new, other)
        for _ in range(1 << rng.randrange(5)):
            rng.choice(self._ways)(new)
        return bytes(new[: self._limit])

    def _at(self, new: bytearray) -> int:
        return self._rng.randrange(len(new) + 1)

    def _piece(self, new: bytearray) -> slice:
        start = self._at(new)
        return slice(start, min(len(new), start + 1 + int(self._rng.expovariate(0.15))))

    def _flip(self, new: bytearray) -> None:
        if new:
            new[self._rng.randrange(len(new))] ^= 1 << self._rng.randrange(8)

    def _set(self, new: bytearray) -> None:
        if new:
            edge = self._rng.random() < 0.5
            value = self._rng.choice(_EDGES) if edge else self._rng.randrange(256)
            new[self._rng.randrange(len(new))] = value

    def _add(self, new: bytearray) -> None:
        if new:
            at = self._rng.randrange(len(new))
            new[at] = (new[at] + self._rng.choice((-4, -3, -2, -1, 1, 2, 3, 4))) & 0xFF

    def _insert_token(self, new: bytearray) -> None:
        at = self._at(new)
        new[at:at] = self._rng.choice(self._tokens)

    def _overwrite_token(self, new: bytearray) -> None:
        token, at = self._rng.choice(self._tokens), self._at(new)
        new[at : at + len(token)] = token

    def _insert_bytes(self, new: bytearray) -> None:
        at = self._at(new)
        new[at:at] = self._rng.randbytes(self._rng.randrange(1, 9))

    def _insert_character(self, new: bytearray) -> None:
        # Of all planes alike: the high ones are where wide and invisible ones are.
        at, bits = self._at(new), self._rng.randrange(7, 22)
        code = min(self._rng.getrandbits(bits), 0x10FFFF)
        new[at:at] = chr(code).encode(errors="surrogatepass")

    def _delete(self, new: bytearray) -> None:
        del new[self._piece(new)]

    def _repeat(self, new: bytearray) -> None:
        piece = self._piece(new)
        new[piece.start : piece.start] = new[piece] * (1 << self._rng.randrange(6))

    def _swap(self, new: bytearray) -> None:
        piece, at = self._piece(new), self._at(new)
        moved = new[piece]
        del new[piece]
        new[at:at] = moved

    def _splice(self, new: bytearray, other: bytes) -> None:
        start, end = sorted(self._rng.randrange(len(other) + 1) for _ in range(2))
        piece = self._piece(new)
        new[piece] = other[start:end]
