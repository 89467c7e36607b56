"""A session engine for interactive agents that loses nothing that people type.

`Engine` has an agent answer the follow-ups of any number of sessions; `agents.base`
says what an agent is, `events` what there is to watch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_shell.agents.base import (
        Agent,
        AgentEvent,
        Delta,
        Exchange,
        Messages,
        Notice,
        ToolCall,
        ToolResult,
        Turn,
        Usage,
    )
    from agent_shell.agents.echo import EchoAgent, Misbehaviour
    from agent_shell.engine import Engine
    from agent_shell.errors import (
        AgentError,
        AgentShellError,
        BudgetSpent,
        IdConflict,
        InvalidText,
        JournalError,
        ModelUnreachable,
        ModelUnusable,
        NotWaiting,
        QueueFull,
        RateLimited,
        Refused,
        TooLarge,
        UnknownModel,
    )
    from agent_shell.journal import Entry, Journal
    from agent_shell.journal.memory import MemoryJournal
    from agent_shell.observer import Observer
    from agent_shell.session import Session
    from agent_shell.state import (
        Budget,
        FollowUp,
        Hold,
        HoldReason,
        Lane,
        Limits,
        OnFailure,
        Phase,
        State,
    )

__all__ = [
    "Agent",
    "AgentError",
    "AgentEvent",
    "AgentShellError",
    "Budget",
    "BudgetSpent",
    "Delta",
    "EchoAgent",
    "Engine",
    "Entry",
    "Exchange",
    "FollowUp",
    "Hold",
    "HoldReason",
    "IdConflict",
    "InvalidText",
    "Journal",
    "JournalError",
    "Lane",
    "Limits",
    "MemoryJournal",
    "Messages",
    "Misbehaviour",
    "ModelUnreachable",
    "ModelUnusable",
    "NotWaiting",
    "Notice",
    "Observer",
    "OnFailure",
    "Phase",
    "QueueFull",
    "RateLimited",
    "Refused",
    "Session",
    "State",
    "TooLarge",
    "ToolCall",
    "ToolResult",
    "Turn",
    "UnknownModel",
    "Usage",
]

# Where each is. A module is loaded when one of its names is first asked for: a program
# that starts, and one that only uses the parts, need few of them.
_HOMES = {
    "agents.base": (
        "Agent",
        "AgentEvent",
        "Delta",
        "Exchange",
        "Messages",
        "Notice",
        "ToolCall",
        "ToolResult",
        "Turn",
        "Usage",
    ),
    "agents.echo": ("EchoAgent", "Misbehaviour"),
    "engine": ("Engine",),
    "errors": (
        "AgentError",
        "AgentShellError",
        "BudgetSpent",
        "IdConflict",
        "InvalidText",
        "JournalError",
        "ModelUnreachable",
        "ModelUnusable",
        "NotWaiting",
        "QueueFull",
        "RateLimited",
        "Refused",
        "TooLarge",
        "UnknownModel",
    ),
    "journal": ("Entry", "Journal"),
    "journal.memory": ("MemoryJournal",),
    "observer": ("Observer",),
    "session": ("Session",),
    "state": (
        "Budget",
        "FollowUp",
        "Hold",
        "HoldReason",
        "Lane",
        "Limits",
        "OnFailure",
        "Phase",
        "State",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # from here on it is found without this
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
