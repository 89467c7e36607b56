"""The session that somebody means."""

from __future__ import annotations

import difflib
import sqlite3
from pathlib import Path

from agent_shell.journal.sqlite import catalog
from agent_shell_cli.exits import UsageError

__all__ = ["find", "require_file"]

_MANY = 5


def require_file(path: Path) -> None:
    """Raises `UsageError` where there is no journal."""
    if not path.exists():
        raise UsageError(
            f"there is no journal {path} yet: no session was kept there; "
            "name another one with --journal PATH"
        )


def find(c: sqlite3.Connection, name: str, *, in_full: bool = False) -> str:
    """The key of the session called `name`.

    A key, the beginning of one key alone, or the id of a follow-up; with `in_full`, a
    key only. Raises `UsageError`, with names that come near.
    """
    # Keys are Unicode; an argument may hold bytes that are none.
    name = name.encode(errors="replace").decode()
    keys = catalog.keys(c)
    if name in keys:
        return name
    begins = [key for key in keys if name and key.startswith(name)]
    if not in_full:
        if len(begins) == 1:
            return begins[0]
        if not begins and (key := catalog.key_of(c, name)) is not None:
            return key
    near = begins or difflib.get_close_matches(name, keys, _MANY)
    raise UsageError(f"there is no session {name!r}{_hint(near)}")


def _hint(near: list[str]) -> str:
    if not near:
        return "; 'agent-shell sessions list' shows those that there are"
    more = f" and {len(near) - _MANY} more" if len(near) > _MANY else ""
    return f"; did you mean {', '.join(map(repr, near[:_MANY]))}{more}?"
