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

# Where they are, those first that need the fewest others. A module is loaded when one of its
# names is first asked for: a program that starts, or uses a part alone, needs few of them.
_MODULES = (
    "errors",
    "state",
    "agents.base",
    "observer",
    "journal",
    "journal.memory",
    "agents.echo",
    "session",
    "engine",
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    modules = (importlib.import_module(f"{__name__}.{module}") for module in _MODULES)
    value = next(getattr(module, name) for module in modules if name in module.__all__)
    globals()[name] = value  # from here on it is found without this
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
