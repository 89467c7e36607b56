"""What tools ask before they do something, and what was answered: one question at a time.

A question can be answered once it has stood on the screen for a moment: a key that
was meant for the one before it, or for none, is no answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from agent_shell.records import frozen
from agent_shell.tools import Approval, ApprovalRequest

__all__ = ["READ_S", "Asked", "Questions"]

# As long as a question stands at least before an answer counts, in seconds.
READ_S = 0.5


@frozen
class Asked:
    """A question as it stands on the screen; `ready` where it can be answered.

    `above` says that the whole of it was committed; `behind` it others are asked.
    """

    request: ApprovalRequest
    ready: bool = False
    above: bool = False
    behind: int = 0


@dataclass(slots=True, eq=False)
class _Question:
    request: ApprovalRequest
    answer: asyncio.Future[Approval]
    shown_at: float | None = None


def _unheard() -> None:
    """Where nobody listens."""


class Questions:
    """Implements `agent_shell.tools.Approver`, for a person at a prompt.

    `on_change` is called when another question stands, or none; `clock` is in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.on_change: Callable[[], None] = _unheard
        self._clock = clock
        self._asked: deque[_Question] = deque()

    @property
    def current(self) -> ApprovalRequest | None:
        """The question that stands."""
        return self._asked[0].request if self._asked else None

    @property
    def count(self) -> int:
        """How many are asked, with the one that stands."""
        return len(self._asked)

    @property
    def ready(self) -> bool:
        """Whether the one that stands can be answered."""
        if not self._asked or (shown_at := self._asked[0].shown_at) is None:
            return False
        return self._clock() - shown_at >= READ_S

    async def ask(self, request: ApprovalRequest) -> Approval:
        """The answer, when the user has given it; whoever is cancelled takes the question back."""
        asked = _Question(request, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._changed(asked)
        try:
            return await asked.answer
        finally:
            stood = self._asked[0] is asked
            self._asked.remove(asked)
            if stood:
                self.on_change()

    def shown(self, request: ApprovalRequest) -> bool:
        """It stands on the screen; true the first time."""
        if not self._asked or self._asked[0].request is not request:
            return False
        first = self._asked[0].shown_at is None
        if first:
            self._asked[0].shown_at = self._clock()
        return first

    def answer(self, answer: Approval) -> ApprovalRequest | None:
        """Answers the question that stands; returns it, or `None` where none can be answered."""
        if not self.ready or self._asked[0].answer.done():
            return None
        self._asked[0].answer.set_result(answer)
        return self._asked[0].request

    def _changed(self, asked: _Question) -> None:
        if self._asked[0] is asked:
            self.on_change()
