"""Loading many modules at once, as the start of the program does."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["importing"]


@contextmanager
def importing() -> Generator[None]:
    """Inside, the garbage collector rests: what modules make stays, and is never garbage.

    To look through it again and again would be a tenth of the start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
