"""Which journal a flood is recorded in: the one place that decides."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from agent_shell import Journal
from agent_shell_cli import journals

__all__ = ["name_of", "opened"]


def name_of(named: str | None) -> str:
    """The journal as a result names it."""
    return "a temporary file" if named is None else named


@contextlib.asynccontextmanager
async def opened(named: str | None) -> AsyncGenerator[Journal]:
    """The journal that `--journal` names, by default one in a file that is then deleted.

    Raises `UsageError` where it can't be opened.
    """
    with contextlib.ExitStack() as stack:
        if named is None:
            folder = tempfile.TemporaryDirectory(prefix="agent-shell-stress-")
            named = str(Path(stack.enter_context(folder)) / "sessions.sqlite")
        journal = journals.open_journal(named)
        try:
            yield journal
        finally:
            await journal.close()
