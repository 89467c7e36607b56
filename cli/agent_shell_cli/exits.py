"""How the program ends: its exit codes, and errors as users see them."""

from __future__ import annotations

import enum

from agent_shell import AgentShellError, ModelUnreachable, Refused

__all__ = ["EXIT_CODES_HELP", "Exit", "UsageError", "exit_of"]


class Exit(enum.IntEnum):
    """The exit codes that programs may rely on."""

    OK = 0
    INCOMPLETE = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODES_HELP = (
    "Exit codes: 0 every follow-up was answered; 1 at least one failed, was cancelled or was "
    "left in the queue; 2 usage or configuration; 3 refused (queue full, session owned "
    "elsewhere, input too large); 4 the model could not be reached or loaded; 130 interrupted; "
    "143 terminated."
)


class UsageError(AgentShellError):
    """The command line or the input is not of the form that it should have."""


def exit_of(error: AgentShellError) -> Exit:
    """The exit code that an error which ends the program calls for."""
    if isinstance(error, ModelUnreachable):
        return Exit.UNREACHABLE
    if isinstance(error, Refused):
        return Exit.REFUSED
    return Exit.USAGE
