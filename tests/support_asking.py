"""An agent with tools that does what a test tells it, and asks as tools ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from agent_shell import Delta, ToolCall, ToolResult, Turn
from agent_shell.agents.base import AgentEvent
from agent_shell.tools import ApprovalRequest, Approver, Denied, Gate, Need, Policy

MAKE = ApprovalRequest("shell", Need.RUN, "make test", ("run make test *",), "run make test *")


def edit(lines: int) -> ApprovalRequest:
    """A change of a file, whose diff has so many added lines."""
    added = "\n".join(f"+line {n}" for n in range(1, lines + 1))
    diff = f"--- a/app.py\n+++ b/app.py\n@@ -1,0 +1,{lines} @@\n{added}\n"
    return ApprovalRequest(
        "write", Need.WRITE, "app.py", ("write app.py",), "write app.py", diff=diff
    )


class Worker:
    """Each turn asks for what it is given by `ask`, and answers with what came of that."""

    def __init__(self, approver: Approver, policy: Policy | None = None) -> None:
        self.turns: list[str] = []
        self.answers: list[str] = []  # of all questions, in order
        self._gate = Gate(policy or Policy(), approver)
        self._orders: asyncio.Queue[ApprovalRequest | str | None] = asyncio.Queue()

    def ask(self, *requests: ApprovalRequest) -> None:
        """Has the turn use these tools, one after the other."""
        for request in requests:
            self._orders.put_nowait(request)

    def say(self, text: str) -> None:
        """Has the turn say this."""
        self._orders.put_nowait(text)

    def end(self) -> None:
        """Has the turn end."""
        self._orders.put_nowait(None)

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        self.turns.append(turn.text)
        count = 0
        while (order := await self._orders.get()) is not None:
            if isinstance(order, str):
                yield Delta(order)
                continue
            count += 1
            call = f"call-{count}"
            yield ToolCall(call, order.tool, {"command": order.subject})
            try:
                await self._gate.permit(order)
            except Denied as denied:
                self.answers.append(str(denied))
                yield ToolResult(call, order.tool, False, str(denied))
            except asyncio.CancelledError:
                self.answers.append("cancelled")
                raise
            else:
                self.answers.append("allowed")
                yield ToolResult(call, order.tool, True, f"did {order.subject}")
