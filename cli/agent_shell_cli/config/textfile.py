"""Reading a small text file whoever wrote it: bounded, and never waiting for a pipe."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["Unreadable", "read_bytes", "read_text"]


class Unreadable(Exception):
    """Why a file can't be read, in words that stand behind its name."""


def read_text(path: Path, limit: int) -> str:
    """The text of a regular file of at most `limit` bytes of UTF-8.

    A byte order mark and the line ends of Windows are taken off. Raises
    `FileNotFoundError` where it is not there, `Unreadable` for all else.
    """
    data = read_bytes(path, limit)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"is not UTF-8, in line {line:,}") from None
    return text.replace("\r\n", "\n")


def read_bytes(path: Path, limit: int) -> bytes:
    """What is in a regular file of at most `limit` bytes; raises as `read_text`."""
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        # Without waiting: a pipe would have it wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | flags)
        with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor is no path)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable("is not a regular file")
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise Unreadable(f"can't be read: {error.strerror or error}") from None
    except ValueError:
        raise Unreadable("is no path") from None
    if len(data) > limit:
        raise Unreadable(f"is larger than {limit // 1024:,} KiB")
    return data
