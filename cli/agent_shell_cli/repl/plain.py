"""Events as lines: for terminals on which nothing can be moved, and for who listens to one.

Where there are live lines they show all of this; here each event is said once.
"""

from __future__ import annotations

from agent_shell import State
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Receipt,
    SessionHeld,
    SessionReleased,
    ToolCalled,
    TurnEnded,
)
from agent_shell_cli.counting import counted
from agent_shell_cli.repl.live import REASONS, elapsed
from agent_shell_cli.repl.tooling import Use
from agent_shell_cli.tool_text import about

__all__ = ["told"]


def told(event: Event, number: int) -> str | None:
    """The line for an event about the follow-up with that `number`; `None` where it needs none."""
    match event:
        case FollowUpAccepted() if event.position:
            return f"waits as number {number}"
        case FollowUpEdited():
            return f"number {number} has another text"
        case FollowUpMoved():
            place = f"is at place {event.position}" if event.position else "steers the turn"
            return f"number {number} {place}"
        case Receipt() if event.state in (State.WITHDRAWN, State.MERGED):
            return f"number {number} was {event}"
        case ToolCalled():
            return f"uses {Use(event.tool, about(event.arguments), event.time).title()}"
        case TurnEnded() if event.state is State.ANSWERED:
            return f"answered in {elapsed(event.elapsed_s)}"
        case SessionHeld() if event.reason in REASONS and event.queued:
            return f"{REASONS[event.reason]}; {counted(event.queued, 'follow-up')} behind it"
        case SessionReleased():
            return "goes on"
        case _:
            return None
