"""Puts the items of the input into the session, no more of them than it can work on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

from agent_shell import Lane, Refused, Session
from agent_shell.events import Event, FollowUpAccepted, FollowUpRejected, Receipt
from agent_shell_cli.exits import Exit
from agent_shell_cli.scripted.lines import BadLine, Item, Line

__all__ = ["Feed"]

# Items between two turns of the event loop: the more, the faster; the fewer, the livelier.
_GROUP = 64
# Characters that follow-ups without a receipt may have together.
_CHARACTERS = 1 << 26

Rejected = Callable[[str, Exit], None]


class Feed:
    """Submits items in order; at most about `window` of them are without a receipt.

    What has a receipt it learns from the events (`take`), so what was answered
    and not written yet counts too: input, answers and output keep one pace.
    `rejected` is told what was refused, and the exit code that this calls for.
    """

    def __init__(
        self,
        session: Session,
        lane: Lane,
        window: int,
        pace: Callable[[], Awaitable[None]],
        rejected: Rejected,
    ) -> None:
        self._session = session
        self._lane = lane
        self._window = window - _GROUP
        self._pace = pace
        self._rejected = rejected
        self._unanswered: dict[str, int] = {}  # by id: the length of its text
        self._characters = 0
        self._has_room = asyncio.Event()
        self._line = 0
        self.ended = False

    async def run(self, prompt: str | None, source: AsyncIterator[list[Item]] | None) -> None:
        """Submits the prompt and all that `source` gives.

        Cancelled, it ends when what was submitted is decided.
        """
        if prompt is not None:
            await self._room()
            await self._submit_all([Line(0, prompt)])
        if source is not None:
            async for items in source:
                for start in range(0, len(items), _GROUP):
                    await self._room()
                    await self._submit_all(items[start : start + _GROUP])
        self.ended = True

    @property
    def progress(self) -> str:
        """How far the input was decided on, in words."""
        return f"taken up to line {self._line:,}" if self._line else "not read to its end"

    def take(self, event: Event) -> None:
        """Learns from an event of the session."""
        if type(event) is FollowUpAccepted:
            self._unanswered[event.id] = len(event.text)
            self._characters += len(event.text)
        elif type(event) is Receipt:
            self._characters -= self._unanswered.pop(event.id, 0)
            # Not at once: one wake-up for many lines.
            if not self._is_full(1 / 2):
                self._has_room.set()

    async def _room(self) -> None:
        await asyncio.sleep(0)
        await self._pace()
        if self._is_full(1):
            self._has_room.clear()
            await self._has_room.wait()

    def _is_full(self, part: float) -> bool:
        # What waits from before was not accepted here: the session counts it.
        follow_ups = max(len(self._unanswered), self._session.waiting_count)
        return follow_ups >= part * self._window or self._characters >= part * _CHARACTERS

    async def _submit_all(self, items: list[Item]) -> None:
        """Submits them together, so that a journal in a file commits them together."""
        # Tasks begin in order, and a submit decides before it first waits; unless it
        # has an id: that it looks up before, and a journal answers look-ups in order.
        for _, group in itertools.groupby(items, _has_id):
            alike = list(group)
            decisions = asyncio.gather(*map(self._submit, alike))
            try:
                await asyncio.shield(decisions)
            finally:
                # The end may come between a line and the journal's word on it, which
                # is heard still: else nobody would know whether the line is kept. To
                # give that up too takes a second cancellation.
                await decisions
                self._line = alike[-1].number

    async def _submit(self, item: Item) -> None:
        if type(item) is BadLine:
            session = self._session
            session.tell(FollowUpRejected(session.key, session.now(), "", item.error, item.reason))
            self._rejected(item.reason, item.code)
            return
        assert type(item) is Line
        try:
            await self._session.submit(item.text, lane=item.lane or self._lane, id=item.id)
        except Refused as error:
            where = f"line {item.number}" if item.number else "the input"
            self._rejected(f"{where}: {error}", Exit.REFUSED)


def _has_id(item: Item) -> bool:
    return type(item) is Line and item.id is not None
