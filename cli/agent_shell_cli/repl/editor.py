"""The user's editor, which has the terminal meanwhile. Loaded with the first text for it."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["Unedited", "edited"]

# Where nobody says which.
_EDITORS = ("editor", "nano", "vim", "vi", "emacs")


class Unedited(Exception):
    """The text stays as it was; the message says why."""


def edited(text: str, configured: str | None = None) -> str:
    """`text` as the editor leaves it; for a thread. Raises `Unedited`."""
    with TemporaryDirectory(prefix="agent-shell-") as folder:
        path = Path(folder) / "input.md"
        # A file has no place for bytes that are no text.
        path.write_bytes(text.encode(errors="replace"))
        _run(path, configured)
        try:
            return _text(path.read_bytes()).removesuffix("\n")
        except OSError as error:
            raise Unedited(f"the editor left no file: {error.strerror}") from error


def _run(path: Path, configured: str | None) -> None:
    named = configured or os.environ.get("VISUAL") or os.environ.get("EDITOR")
    for command in [named] if named else _EDITORS:
        try:
            code = subprocess.call([*shlex.split(command), str(path)])  # noqa: S603 (the user's own)
        except (OSError, ValueError) as error:
            if named:
                raise Unedited(f"the editor {command!r} can't be started: {error}") from error
            continue
        if code:
            raise Unedited(f"the editor ended with status {code}: the input is as it was")
        return
    raise Unedited("there is no editor: EDITOR names one")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")  # what editors write that were not told of UTF-8
