"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["expanded"]


def expanded(written: str | Path) -> Path:
    """The path, with `~` and `~NAME` as the home of a user; as it is where there is no such."""
    path = Path(written)
    try:
        return path.expanduser()
    except RuntimeError:
        return path
