"""The inputs of this and of earlier shells, in one file that several may append to.

One JSON text a record: a string or, where something long was pasted into the input, a
list of what was typed and what was pasted, by turns. A record is appended by one write
to a file that is opened for appending, which no other process can cut in two, and a
newline goes before each, so that a record that was cut by a full disk spoils no other.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from prompt_toolkit.history import History

from agent_shell_cli.repl.folding import Folds

__all__ = ["InputHistory"]

# What is read back: bounds for start-up, and for each Enter, which copies the list.
_READ_BYTES = 1 << 20
_READ_INPUTS = 1_000


class InputHistory(History):
    """Inputs kept in `folder()`, readable by their owner alone; or not at all, where it is None.

    The folder is asked for when the first is read or kept. Inputs are whole: a draft's
    `folds` are made again when one comes back to it. `on_problem` is told, once, why they
    can't be read or kept; they are then kept as long as the program runs.
    """

    def __init__(
        self, folder: Callable[[], Path] | None, folds: Folds, on_problem: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._folder = folder or Path
        self._folds = folds
        self._on_problem = on_problem
        self._works = folder is not None
        self._loaded = folder is None

    @property
    def _path(self) -> Path:
        return self._folder() / "history"

    def append_string(self, string: str) -> None:
        """Takes in a draft, if it is another one than the last."""
        whole = self._folds.expanded(string)
        if self._loaded_strings[:1] != [whole]:
            super().append_string(whole)

    def load_history_strings(self) -> Iterable[str]:
        """The inputs of earlier shells, the newest first."""
        try:
            records = self._read()
        except FileNotFoundError:
            return []
        except OSError as error:
            self._give_up(error)
            return []
        inputs = [parts for parts in map(_decoded, reversed(records)) if parts is not None]
        return [self._folds.joined(parts) for parts in inputs[:_READ_INPUTS]]

    def store_string(self, string: str) -> None:
        """Appends one input."""
        if not self._works:
            return
        parts = self._folds.parts(string)
        try:
            self._append(b"\n" + json.dumps(parts if len(parts) > 1 else string).encode())
        except OSError as error:
            self._give_up(error)

    def _read(self) -> list[bytes]:
        descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor is no path)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return []  # to read a pipe or a device could take for ever
            file.seek(max(0, status.st_size - _READ_BYTES))
            return file.read(_READ_BYTES).splitlines()

    def _append(self, record: bytes) -> None:
        self._folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            if os.write(descriptor, record) < len(record):
                raise OSError(f"no room for {len(record):,} bytes")
        finally:
            os.close(descriptor)

    def _give_up(self, error: OSError) -> None:
        if self._works:
            self._works = False
            said = error.strerror or str(error)
            self._on_problem(
                f"inputs are not kept over restarts: {self._path}: {said} "
                "(AGENT_SHELL_DATA_DIR names another folder)"
            )


def _decoded(record: bytes) -> list[str] | None:
    """What was typed and what was pasted, by turns."""
    try:
        found = json.loads(record)
    except (ValueError, RecursionError):
        return None  # cut at the start of what was read, or by a full disk, or not ours
    parts = cast("list[object]", found) if isinstance(found, list) else [found]
    texts = [part for part in parts if isinstance(part, str)]
    return texts if texts and len(texts) == len(parts) else None
