"""The files below a folder that is in no checkout; loaded only where that is so."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from agent_shell.tools.base import ToolError
from agent_shell.tools.ignore import Ignored
from agent_shell.tools.workspace import Entry, Place, Workspace

__all__ = ["walked"]


def walked(folder: Path) -> Iterator[str]:
    """Their paths from there on, the nearest first, without what `.gitignore` files leave out.

    The rules are those of the agent's own tools. Links are not followed, and folders that
    can't be read are left out.
    """
    with Workspace(folder) as workspace:
        waiting = deque([(Place(()), Ignored.around(workspace))])
        while waiting:
            place, rules = waiting.popleft()
            rules = rules.entering(workspace, place)
            for entry in _entries(workspace, place):
                here, is_folder = Place(entry.parts), entry.kind == "folder"
                if entry.parts[-1] == ".git" or rules.covers(workspace, here, folder=is_folder):
                    continue
                if is_folder:
                    waiting.append((here, rules))
                elif entry.kind in ("file", "link"):
                    yield here.name


def _entries(workspace: Workspace, place: Place) -> list[Entry]:
    try:
        return workspace.entries(place.parts)
    except (ToolError, OSError):
        return []
