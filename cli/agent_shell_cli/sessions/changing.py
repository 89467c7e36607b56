"""`agent-shell sessions fork|rename|delete`."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent_shell.journal.sqlite import SqliteJournal, catalog
from agent_shell_cli.exits import Exit, UsageError
from agent_shell_cli.printable import printable_line
from agent_shell_cli.sessions.finding import find, require_file
from agent_shell_cli.sessions.output import note, title_line, write

__all__ = ["delete", "fork", "rename"]

T = TypeVar("T")


def fork(path: Path, name: str, new: str) -> int:
    """Makes a session `new` with the history of another one; the exit code."""
    key = _found(path, name)
    left = _change(path, lambda c: catalog.fork(c, key, new, time.time()))
    write(f"forked {printable_line(key)} to {printable_line(new)}")
    if left:
        note(f"{left:,} that wait or run in {key} were not copied: they stay there alone")
    return Exit.OK


def rename(path: Path, name: str, title: str) -> int:
    """Gives a session a title; the exit code."""
    key = _found(path, name)
    _change(path, lambda c: catalog.rename(c, key, title.strip()))
    write(f"{printable_line(key)}: {title_line(title) or 'titled by its first input again'}")
    return Exit.OK


def delete(path: Path, name: str, *, yes: bool) -> int:
    """Deletes a session, after a question on a terminal; the exit code."""
    # Who is not asked has to say all of the name: nobody would see what it was taken for.
    key = _found(path, name, in_full=yes)
    if not yes and not _agreed(path, key):
        note("nothing was deleted")
        return Exit.INCOMPLETE
    _change(path, lambda c: catalog.delete(c, key, path))
    write(f"deleted {printable_line(key)}")
    return Exit.OK


def _found(path: Path, name: str, *, in_full: bool = False) -> str:
    require_file(path)
    with catalog.reading(path) as c:
        return find(c, name, in_full=in_full)


def _agreed(path: Path, key: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nobody is there to be asked; to delete without a question, give --yes")
    with catalog.reading(path) as c:
        waiting = len(catalog.waiting_ids(c, key))
    rest = f", with {waiting:,} follow-ups that wait" if waiting else ""
    print(f"Delete {printable_line(key)}{rest}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _change(path: Path, run: Callable[[sqlite3.Connection], T]) -> T:
    async def change() -> T:
        journal = SqliteJournal(path)
        try:
            return await journal.change(run)
        finally:
            await journal.close()

    return asyncio.run(change())
