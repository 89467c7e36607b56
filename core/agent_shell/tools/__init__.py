"""Tools for agents: what they are, who lets them, and those that come with the library.

`base` says what a tool is, `approval` who is asked, `toolset` how they are called.
"""

from __future__ import annotations

from agent_shell.tools.approval import (
    Approval,
    ApprovalRequest,
    Approver,
    Denied,
    Gate,
    Mode,
    Need,
    Policy,
    Scope,
    Verdict,
)
from agent_shell.tools.base import Result, Tool, ToolContext, ToolError
from agent_shell.tools.builtin import builtin_tools
from agent_shell.tools.toolset import Toolset, ToolSource
from agent_shell.tools.workspace import Workspace

__all__ = [
    "Approval",
    "ApprovalRequest",
    "Approver",
    "Denied",
    "Gate",
    "Mode",
    "Need",
    "Policy",
    "Result",
    "Scope",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolSource",
    "Toolset",
    "Verdict",
    "Workspace",
    "builtin_tools",
]
