"""Numbers in words."""

from __future__ import annotations

__all__ = ["counted"]


def counted(n: int, thing: str) -> str:
    """`1 follow-up`, `4,991 follow-ups`."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"
