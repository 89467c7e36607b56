"""The durable record: what a session has accepted, and what became of it.

A journal takes the facts that the decisions return, in order, and keeps each
batch whole or not at all. It is the record; live output goes another way and
may be lost (see `observer.py`). One interface serves a journal in memory, one
in a file whose commits come later than the call, and one at the other end of a
network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from agent_shell.agents.base import Exchange
from agent_shell.events import Fact
from agent_shell.records import record
from agent_shell.state import FollowUp, Lane, State

__all__ = ["Entry", "Journal", "Restored"]


@record
class Entry:
    """All that the journal knows of one follow-up."""

    id: str
    text: str
    lane: Lane
    sender: str
    accepted_at: float
    state: State = State.QUEUED
    reason: str = ""
    turn: int | None = None
    answer: str = ""
    ended_at: float | None = None


@record
class Restored:
    """What a session was when it was last let go of, or its process died.

    `queue` is what waits, in order, and `beyond` how many wait behind that in the
    journal; a follow-up whose turn was cut off is its
    head again, and `cut_off` is that turn with what it had produced.
    """

    queue: list[FollowUp]
    beyond: int = 0
    turns: int = 0
    cut_off: Exchange | None = None


class Journal(Protocol):
    """Where accepted follow-ups and their receipts are kept."""

    window: int | None
    """How much of a queue a session should have in memory; `None` for all of it."""

    def fetch(self, session_key: str, after: str | None, limit: int) -> Awaitable[list[FollowUp]]:
        """The next `limit` that wait behind `after`, as of the call.

        All that was appended before is in it, and nothing that is appended later.
        """
        ...

    async def open(self, session_key: str) -> Restored:
        """Takes the session for this process and says what is in it.

        Raises `SessionOwned` where another process has it, and `JournalError`.
        """
        ...

    async def release(self, session_key: str) -> None:
        """Lets go of a session that this process opened."""
        ...

    def append(self, session_key: str, facts: Sequence[Fact]) -> asyncio.Future[None] | None:
        """Records `facts` as one batch, after every earlier batch of the session.

        Returns `None` when they are recorded, or a future that is done when
        they are; raises `JournalError`, now or through the future, where none
        of them will be. Never blocks the event loop.
        """
        ...

    async def entry(self, session_key: str, follow_up_id: str) -> Entry | None:
        """The record of one follow-up, if there is one."""
        ...

    async def entries(self, session_key: str) -> list[Entry]:
        """The records of a session, in the order of acceptance."""
        ...

    async def history(self, session_key: str, limit: int) -> list[Exchange]:
        """The last `limit` turns that are over, oldest first."""
        ...

    async def close(self) -> None:
        """Waits until all is recorded, and lets go of what is open."""
        ...
