"""From `--journal PATH|memory` to a journal: the one place that says where sessions are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from agent_shell import JournalError, MemoryJournal
from agent_shell.paths import expanded
from agent_shell_cli.config import configuration
from agent_shell_cli.exits import UsageError

if TYPE_CHECKING:
    from agent_shell.journal.sqlite import SqliteJournal

__all__ = ["DATA_VARIABLE", "data_dir", "journal_path", "open_file", "open_journal"]

DATA_VARIABLE = "AGENT_SHELL_DATA_DIR"


def data_dir() -> Path:
    """The folder for what outlives the program; `AGENT_SHELL_DATA_DIR` overrides it."""
    folder = os.environ.get(DATA_VARIABLE) or platformdirs.user_data_dir("agent-shell")
    return expanded(folder)


def journal_path(named: str | None) -> Path:
    """The file that `--journal` names, or the configuration, or the default one.

    Raises `UsageError`, also for `memory`.
    """
    named = _configured(named)
    if named == "memory":
        raise UsageError(
            "--journal memory has nothing to look at: it ends with its process; name a file"
        )
    if named is None:
        return data_dir() / "sessions.sqlite"
    if not named.strip() or "\0" in named:
        raise UsageError("--journal is empty or no path; give it a file, or leave it out")
    path = expanded(named)
    if path.is_dir():
        raise UsageError(f"--journal {named} is a folder; name a file in it")
    return path


def open_file(named: str | None, window: int = 1_000) -> SqliteJournal:
    """The journal in a file, to be closed; inside a running loop.

    It has about `window` of the inputs of a longer queue in memory. Raises `UsageError`,
    also where the file can't be used: nothing was refused yet.
    """
    # Imported here: SQLite is not for those who only ask for help.
    from agent_shell.journal.sqlite import SqliteJournal

    try:
        return SqliteJournal(journal_path(named), window=window)
    except JournalError as error:
        raise UsageError(str(error)) from error


def open_journal(named: str | None, window: int = 1_000) -> MemoryJournal | SqliteJournal:
    """The journal that `--journal` names, to be closed; inside a running loop.

    With `window` as in `open_file`. Raises `UsageError`.
    """
    named = _configured(named)
    return MemoryJournal() if named == "memory" else open_file(named, window)


def _configured(named: str | None) -> str | None:
    return configuration().settings.journal if named is None else named
