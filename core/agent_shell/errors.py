"""Every error that the library raises on purpose.

A refusal (`Refused`) means that nothing of the input remains: it is in no
queue and in no journal. An agent raises an `AgentError` to say what its failure
means for the queue; any other exception fails the turn with its own text.
"""

from __future__ import annotations

import datetime as dt

__all__ = [
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
    "SessionClosed",
    "SessionLost",
    "SessionOwned",
    "TooLarge",
    "UnknownModel",
    "reason_of",
]


def reason_of(error: BaseException) -> str:
    """The error as one line for a receipt: our own say enough, others name their type."""
    said = " ".join(str(error).split())
    if isinstance(error, AgentShellError) and said:
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


class AgentShellError(Exception):
    """The base of them all; its text is fit for a user."""


class Refused(AgentShellError):
    """A follow-up was not accepted; `kind` names the refusal in events."""

    kind = "Refused"


class QueueFull(Refused):
    """The session's queue is at its bound."""

    kind = "QueueFull"


class SessionClosed(Refused):
    """The session takes no input any more."""

    kind = "SessionClosed"


class TooLarge(Refused):
    """The follow-up's text is larger than the limit."""

    kind = "TooLarge"


class InvalidText(Refused):
    """The follow-up's text is no Unicode text (it holds a lone surrogate)."""

    kind = "InvalidText"


class IdConflict(Refused):
    """The id was used before, for a follow-up with another text."""

    kind = "IdConflict"


class JournalError(Refused):
    """The journal could not keep what was to be accepted or recorded."""

    kind = "JournalError"


class SessionLost(JournalError):
    """Another process has taken the session over: what this one writes is void."""

    kind = "SessionLost"


class SessionOwned(Refused):
    """Another process owns the session: `pid`, `since` (epoch seconds)."""

    kind = "SessionOwned"

    def __init__(self, key: str, pid: int, since: float) -> None:
        when = dt.datetime.fromtimestamp(since).astimezone().isoformat(" ", "seconds")
        super().__init__(f"session {key!r} is owned by process {pid}, since {when}")
        self.pid = pid
        self.since = since


class NotWaiting(AgentShellError):
    """No follow-up with that id waits in the queue: it runs, has ended or never was."""


class UnknownModel(AgentShellError):
    """No agent goes by that name."""


class AgentError(AgentShellError):
    """A turn failed; its text is the reason that the receipt gives."""


class ModelUnreachable(AgentError):
    """The model could not be reached or loaded.

    The follow-up was not consumed: it goes back to the head of the queue, and
    the session holds. What the turn had produced is kept with it.
    """


class ModelUnusable(ModelUnreachable):
    """The model answers, but not to us: no key, no credit, no such model.

    Its text says what to do. The session holds as for `ModelUnreachable`.
    """


class RateLimited(AgentError):
    """The provider wants a pause.

    The follow-up goes back to the head of the queue, and the session holds for
    `retry_after_s` seconds. What the turn had produced is kept with it.
    """

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class BudgetSpent(AgentError):
    """The turn would use more than the session may (see `state.Budget`).

    The follow-up goes back to the head of the queue, and the session holds.
    """
