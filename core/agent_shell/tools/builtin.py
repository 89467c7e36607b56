"""The tools that come with the library, over one workspace."""

from __future__ import annotations

from agent_shell.tools.base import Tool
from agent_shell.tools.workspace import Workspace

__all__ = ["builtin_tools"]


def builtin_tools(workspace: Workspace) -> list[Tool]:
    """All of them. They work in the workspace, which is to be closed after them."""
    # Imported here: who only answers questions, or has no tools, need not load them.
    from agent_shell.tools.files import EditTool, ReadTool, Seen, WriteTool
    from agent_shell.tools.finding import ListTool, SearchTool
    from agent_shell.tools.shell import ShellTool
    from agent_shell.tools.web import FetchTool

    seen = Seen()
    return [
        ReadTool(workspace, seen),
        ListTool(workspace),
        SearchTool(workspace),
        WriteTool(workspace, seen),
        EditTool(workspace, seen),
        ShellTool(workspace),
        FetchTool(),
    ]
