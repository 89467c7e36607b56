"""Who decides what a tool may do: the policy, and where that says so, a person.

    policy = Policy(Mode.ASK, always=["shell git status *", "write src/*"])
    gate = Gate(policy, approver)
    await gate.permit(request)  # returns, or raises Denied

An approver is whatever has `ask`:

    class Person:
        async def ask(self, request):
            ...  # show request.tool, .subject, .note, .diff, and ask
            return Approval.once()  # or .session(), .always(), .deny("not that one")

One question is asked at a time. An answer for the session holds for `request.pattern`
in this session; whoever answers "always" also keeps that pattern, to give it to the
next `Policy`. Patterns are compared as they are, never matched: a request names all
those that allow it, from the exact thing to the widest.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable
from typing import Protocol

from agent_shell.errors import AgentShellError
from agent_shell.records import frozen

__all__ = [
    "Approval",
    "ApprovalRequest",
    "Approver",
    "Denied",
    "Gate",
    "Mode",
    "Need",
    "Policy",
    "Scope",
    "Verdict",
]


class Need(enum.StrEnum):
    """What a tool needs to be allowed."""

    READ = "read"
    WRITE = "write"
    RUN = "run"
    NETWORK = "network"


class Mode(enum.StrEnum):
    """What tools may do without a question, as `--approve` names it.

    `ask`: read in the project, and what a pattern allows; all else is asked.
    `read-only`: read in the project; all else is denied. `all`: everything.
    """

    ASK = "ask"
    READ_ONLY = "read-only"
    ALL = "all"


class Verdict(enum.StrEnum):
    """What the policy says of a request."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Scope(enum.StrEnum):
    """How far an approval reaches."""

    ONCE = "once"
    SESSION = "session"
    ALWAYS = "always"


class Denied(AgentShellError):
    """It may not be done; the text says why, and is told to the model."""


@frozen
class ApprovalRequest:
    """What a tool is about to do.

    `subject` is the exact thing: a command line, a path, a URL, the arguments of a
    foreign tool. `diff` is a unified diff where a file is to be changed. `note` is a
    line of ours that a person should know about it. `patterns` are all those that
    allow it, narrow to wide; `pattern` is the one that "for the session" and "always"
    stand for, and is empty where it can only be allowed once. `outside`: a path out of
    the project; `sensitive`: it may hold secrets, or decides what runs later. `session`
    and `call` say whose it is. All but `note` may be a model's or a file's words.
    """

    tool: str
    need: Need
    subject: str
    patterns: tuple[str, ...] = ()
    pattern: str = ""
    diff: str = ""
    note: str = ""
    outside: bool = False
    sensitive: bool = False
    session: str = ""
    call: str = ""

    @property
    def free(self) -> bool:
        """Whether nobody need be asked: reading what is in the project and no secret."""
        return self.need is Need.READ and not (self.outside or self.sensitive)


@frozen
class Approval:
    """The answer to a request; `reason` is told to the model where it is denied."""

    allowed: bool
    scope: Scope = Scope.ONCE
    reason: str = ""

    @classmethod
    def once(cls) -> Approval:
        """Only now."""
        return cls(True)

    @classmethod
    def session(cls) -> Approval:
        """Whatever the request's pattern stands for, until the session ends."""
        return cls(True, Scope.SESSION)

    @classmethod
    def always(cls) -> Approval:
        """Whatever the request's pattern stands for; the approver keeps the pattern."""
        return cls(True, Scope.ALWAYS)

    @classmethod
    def deny(cls, reason: str = "") -> Approval:
        """Not now."""
        return cls(False, reason=reason)


class Approver(Protocol):
    """Whoever is asked."""

    async def ask(self, request: ApprovalRequest) -> Approval:
        """The answer. It is cancelled where the turn is, and the question is void then."""
        ...


class Policy:
    """What may be done without a question. `mode` can be changed at any time."""

    def __init__(self, mode: Mode = Mode.ASK, always: Iterable[str] = ()) -> None:
        self.mode = mode
        self._always = set(always)
        self._sessions: dict[str, set[str]] = {}

    def decide(self, request: ApprovalRequest) -> Verdict:
        """Whether it is allowed, denied or to be asked."""
        if self.mode is Mode.ALL or request.free:
            return Verdict.ALLOW
        if self.mode is Mode.READ_ONLY:
            return Verdict.DENY
        allowed = self._always | self._sessions.get(request.session, set())
        return Verdict.ASK if allowed.isdisjoint(request.patterns) else Verdict.ALLOW

    def remember(self, request: ApprovalRequest, scope: Scope) -> None:
        """Allows from now on what the request's pattern stands for."""
        if not request.pattern or scope is Scope.ONCE:
            return
        if scope is Scope.ALWAYS:
            self._always.add(request.pattern)
        else:
            self._sessions.setdefault(request.session, set()).add(request.pattern)

    def forget(self, session: str) -> None:
        """Ends what was allowed for the session."""
        self._sessions.pop(session, None)


class Gate:
    """The policy with the approver behind it: the one place where a tool is let through."""

    def __init__(self, policy: Policy, approver: Approver | None = None) -> None:
        self.policy = policy
        self.approver = approver
        self._asking = asyncio.Lock()

    async def permit(self, request: ApprovalRequest) -> None:
        """Returns where it may be done; raises `Denied`."""
        if self._settled(request):
            return
        async with self._asking:
            # The answer to the question before may have settled this one.
            if self._settled(request):
                return
            if self.approver is None:
                raise Denied(f"{_named(request)} needs an answer, and nobody is there to ask")
            answer = await self.approver.ask(request)
        if not answer.allowed:
            said = f": {answer.reason}" if answer.reason else ""
            raise Denied(f"{_named(request)} was denied{said}")
        self.policy.remember(request, answer.scope)

    def _settled(self, request: ApprovalRequest) -> bool:
        verdict = self.policy.decide(request)
        if verdict is Verdict.DENY:
            raise Denied(
                f"{_named(request)} is not allowed: tools may only read in the project "
                "(--approve read-only); --approve all allows it"
            )
        return verdict is Verdict.ALLOW


_VERBS = {
    Need.READ: "reading",
    Need.WRITE: "writing",
    Need.RUN: "running",
    Need.NETWORK: "reaching",
}
_SHOWN = 200


def _named(request: ApprovalRequest) -> str:
    subject = request.subject
    if len(subject) > _SHOWN:
        subject = subject[:_SHOWN] + "…"
    return f"{_VERBS[request.need]} {subject}"
