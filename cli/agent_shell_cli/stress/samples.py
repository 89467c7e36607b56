"""A bounded sample of a long row of figures."""

from __future__ import annotations

from array import array

__all__ = ["Thinned"]


class Thinned:
    """Keeps every k-th figure; where `room` is full, it drops every second and doubles k."""

    __slots__ = ("_every", "_kept", "_room", "_skipped")

    def __init__(self, room: int = 1 << 16) -> None:
        self._kept = array("d")
        self._room = room
        self._every = 1
        self._skipped = 0

    def add(self, figure: float) -> None:
        """Counts one figure in."""
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self._kept.append(figure)
        if len(self._kept) >= self._room:
            self._kept = self._kept[::2]
            self._every *= 2

    def quantile(self, share: float) -> float:
        """The figure below which this share of them lies (0.5 is the median); 0 of none."""
        ordered = sorted(self._kept)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
