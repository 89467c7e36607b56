"""What the tests of tools share: an approver by hand, and a project with tools in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_shell.tools import (
    Approval,
    ApprovalRequest,
    Gate,
    Mode,
    Policy,
    Result,
    Toolset,
    Workspace,
    builtin_tools,
)


class Answers:
    """An approver that gives its answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: Approval, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._answers = list(answers)
        self._meanwhile = meanwhile
        self.asked: list[ApprovalRequest] = []

    async def ask(self, request: ApprovalRequest) -> Approval:
        self.asked.append(request)
        self._meanwhile()
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Project:
    """A folder, the tools over it, and whoever is asked."""

    def __init__(self, root: Path, *answers: Approval, mode: Mode = Mode.ASK) -> None:
        self.root = root
        self.approver = Answers(*(answers or (Approval.once(),)))
        self.workspace = Workspace(root)
        self.tools = Toolset(builtin_tools(self.workspace), Gate(Policy(mode), self.approver))

    async def call(self, name: str, /, *, session: str = "s", **arguments: Any) -> Result:
        return await self.tools.call(name, arguments, session=session, call="call_1")

    @property
    def asked(self) -> list[ApprovalRequest]:
        return self.approver.asked


def put(path: Path, text: str | bytes) -> Path:
    """Writes the file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
