"""The engine: many sessions, one agent, one journal, on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Self

from agent_shell.agents.base import Agent
from agent_shell.events import SessionOpened
from agent_shell.journal import Journal
from agent_shell.journal.memory import MemoryJournal
from agent_shell.observer import Observer
from agent_shell.session import Session
from agent_shell.state import Budget, FollowUp, Limits, OnFailure, Phase, SessionState

__all__ = ["Engine"]


class Engine:
    """Accepts follow-ups for any number of sessions and has `agent` answer them.

    To be used inside a running event loop:

        async with Engine(agent) as engine:
            accepted = await engine.session("demo").submit("hello")
            receipt = await engine.session("demo").receipt(accepted.id)

    `clock` gives the time in seconds since the epoch; `budget` is what each session
    may use before it holds. The engine closes the
    sessions and not the journal or the agent, which the caller made.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        journal: Journal | None = None,
        limits: Limits | None = None,
        on_failure: OnFailure = OnFailure.HOLD,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.agent = agent
        self.journal: Journal = MemoryJournal() if journal is None else journal
        self.clock = clock
        self.observers: list[Observer] = []
        self._limits = replace(limits or Limits(), window=self.journal.window)
        self._on_failure = on_failure
        self._budget = budget or Budget()
        self._sessions: dict[str, Session] = {}
        # By key: what opens or closes a session at this moment.
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._closed = False
        # Ids are unique over engines by the prefix, and in order within one.
        self._prefix = os.urandom(3).hex()
        self._count = itertools.count(1)

    def __repr__(self) -> str:
        """How many sessions there are, and how many of them have an owner."""
        busy = sum(1 for session in self._sessions.values() if session.guard is not None)
        return f"<Engine [{len(self._sessions)} sessions, {busy} guarded]>"

    def new_id(self) -> str:
        """A follow-up id that no other engine makes."""
        return f"{self._prefix}-{next(self._count)}"

    async def open(self, key: str) -> Session:
        """The session of that key, as its journal has it.

        What waits from before is held (`HoldReason.RESTORED`); a turn that was cut
        off is `Session.cut_off`, and its follow-up the head of the queue. Raises
        `SessionOwned` where another process has the session, and `JournalError`.
        """
        while True:
            if (under_way := self._under_way.get(key)) is not None:
                await asyncio.wait([under_way])
            elif (session := self._sessions.get(key)) is None:
                break
            elif session.phase is not Phase.CLOSED:
                return session
            else:
                # Another process had taken it over; where that has let go of it, it is ours again.
                await session.close()
        with self._alone(key):
            restored = await self.journal.open(key)
            session = self.session(key)
            session.restore(restored)
        return session

    def session(self, key: str) -> Session:
        """The session of that key; made, idle, if it is not there.

        Where the journal may know it, from another process or before a close, `open` it.
        """
        session = self._sessions.get(key)
        if session is None:
            state = SessionState(
                key, self._limits, self._on_failure, closing=self._closed, budget=self._budget
            )
            session = self._sessions[key] = Session(self, state)
            session.tell(SessionOpened(key, self.clock()))
        return session

    @contextlib.contextmanager
    def leaving(self, session: Session) -> Generator[None]:
        """Inside, `session` closes; then it is forgotten, and its key can be opened anew."""
        with self._alone(session.key):
            yield
        if self._sessions.get(session.key) is session:
            del self._sessions[session.key]

    @contextlib.contextmanager
    def _alone(self, key: str) -> Generator[None]:
        """Inside, the session is opened or closed, and nobody else opens it."""
        done = asyncio.get_running_loop().create_future()
        first = self._under_way.setdefault(key, done)
        try:
            yield
        finally:
            if first is done:
                del self._under_way[key]
            done.set_result(None)

    def observe(self, capacity: int = 10_000) -> Observer:
        """Watches every session from here on."""
        observer = Observer(capacity, self.observers.remove)
        self.observers.append(observer)
        return observer

    async def close(
        self, *, drain: bool = True, timeout: float | None = None
    ) -> dict[str, list[FollowUp]]:
        """Closes every session (see `Session.close`); returns what is left, by key."""
        self._closed = True
        sessions = list(self._sessions.values())
        left = await asyncio.gather(
            *(session.close(drain=drain, timeout=timeout) for session in sessions)
        )
        return {session.key: rest for session, rest in zip(sessions, left, strict=True) if rest}

    async def __aenter__(self) -> Self:
        """The engine; it is drained and closed at the end of the block."""
        return self

    async def __aexit__(self, error_type: object, *exc_info: object) -> None:
        """Closes, after the queues; at once if the block failed."""
        await self.close(drain=error_type is None, timeout=None if error_type is None else 2.0)
