"""Which journal a flood is recorded in: the one place that decides."""

from __future__ import annotations

from agent_shell import Journal, MemoryJournal
from agent_shell_cli.exits import UsageError

__all__ = ["open_journal"]


def open_journal(spec: str) -> Journal:
    """The journal that `--journal` names; raises `UsageError`."""
    if spec != "memory":
        raise UsageError(f"stress has no journal {spec!r}; use --journal memory")
    return MemoryJournal()
