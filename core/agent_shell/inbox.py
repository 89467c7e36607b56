"""A session's inbox: how an input gets into a session that another process owns.

The sender leaves the input in the journal, and the owner submits it like one of its
own: acceptance takes it out of the inbox in the same commit, so that it is in exactly
one of the two places whatever dies in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sqlite3
import time
from collections.abc import AsyncIterator

from agent_shell import errors
from agent_shell.agents.base import AgentEvent, Turn
from agent_shell.engine import Engine
from agent_shell.journal import Entry
from agent_shell.journal.sqlite import SqliteJournal, catalog
from agent_shell.records import record
from agent_shell.session import Session
from agent_shell.state import FollowUp, Lane, Phase

__all__ = ["Delivery", "adopt_inbox", "deliver"]

_POLL_S = 0.15
# How often a sender looks whether the owner is still there.
_TAKE_OVER_S = 0.5


async def adopt_inbox(
    session: Session, journal: SqliteJournal, looked: asyncio.Event | None = None
) -> None:
    """Submits to `session` what others send to it, until it is cancelled or the session ends.

    What was left before it began comes first; then `looked` is set. A refusal is told to
    its sender; what could not be tried (the journal fails, the session closes) stays in the
    inbox.
    """
    seen: int | None = None
    while session.phase is not Phase.CLOSED:
        # A journal that fails now may not the next time.
        with contextlib.suppress(errors.JournalError):
            version = await journal.data_version()  # before the look: nothing slips in between
            if version != seen:
                await _adopt(session, journal)
                seen = version
        if looked is not None:
            looked.set()
        await asyncio.sleep(_POLL_S)


async def _adopt(session: Session, journal: SqliteJournal) -> None:
    key = session.key
    for sent in await journal.inbox(key):
        try:
            await session.submit(sent.text, id=sent.id, lane=sent.lane, sender=sent.sender)
        except errors.JournalError:
            raise
        except errors.SessionClosed:
            return  # the next owner takes it
        except errors.Refused as error:
            await journal.refuse(key, sent.id, str(error))
        else:
            if await journal.sent(key, sent.id) is not None:
                # It was accepted before, and acknowledged again.
                await journal.change(functools.partial(_take_out, key=key, id=sent.id))


@record
class Delivery:
    """What became of an input that was sent.

    With `entry` it was accepted, at `position` (see `catalog.position`); without, it
    is left in the inbox, and `owner` is the process that has not taken it in yet.
    """

    id: str
    entry: Entry | None
    position: int | None
    owner: catalog.Owner | None


async def deliver(
    journal: SqliteJournal,
    key: str,
    text: str,
    *,
    id: str | None = None,
    lane: Lane = Lane.QUEUE,
    sender: str = "send",
    timeout: float = 10.0,
) -> Delivery:
    """Has a session accept an input, whoever owns it.

    Where another process does, through its inbox, for at most `timeout` seconds;
    where nobody does, or the owner dies, by taking the session up for a moment: the
    input then waits, no turn is run. With the same `id` and text it is acknowledged
    again. Raises `Refused`; then nothing of it remains.
    """
    id = os.urandom(4).hex() if id is None else id
    sending = _Sending(journal, key, FollowUp(id, text, lane, sender, time.time()))
    if not await sending.run(asyncio.get_running_loop().time() + timeout):
        return Delivery(id, None, None, sending.owner)
    entry = await journal.entry(key, id)
    place = await journal.change(lambda c: catalog.position(c, key, id))
    return Delivery(id, entry, place, sending.owner)


class _Sending:
    """One input on its way; `owner` is who has the session, `_left` whether it is in the inbox."""

    def __init__(self, journal: SqliteJournal, key: str, follow_up: FollowUp) -> None:
        self._journal = journal
        self._key = key
        self._follow_up = follow_up
        self._left = False
        self.owner: catalog.Owner | None = None

    async def run(self, deadline: float) -> bool:
        """Whether it was accepted before `deadline` (the loop's time); else it is left.

        Where it is nowhere yet it is tried on: others may have been faster all the time.
        """
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if await self._try(min(deadline, clock() + _TAKE_OVER_S)):
                    return True
            except errors.SessionOwned:
                pass  # somebody was faster
            except errors.JournalError:
                if not self._left:
                    raise
            if self._left and clock() >= deadline:
                return False
            await asyncio.sleep(_POLL_S / 3)

    async def _try(self, until: float) -> bool:
        self.owner = await self._journal.change(self._owner)
        # Nor is a session taken from a process that is only stopped, as by Ctrl-Z.
        if self.owner is None:
            await self._accept_here()
            return True
        if not self._left and await self._journal.change(self._leave):
            return True
        self._left = True
        return await self._taken(until)

    def _owner(self, c: sqlite3.Connection) -> catalog.Owner | None:
        status = catalog.status(c, self._journal.path, self._key)
        return None if status is None else status.owner

    async def _accept_here(self) -> None:
        """Takes the session up, has it accept, and lets go; raises `SessionOwned`."""
        engine = Engine(_NoAgent(), journal=self._journal)
        session = await engine.open(self._key)
        sent = self._follow_up
        try:
            if session.hold is None:
                session.put_on_hold("sent while nobody had the session open")
            await _adopt(session, self._journal)  # what was sent earlier goes first
            if refused := await self._journal.sent(self._key, sent.id):
                await self._refused(refused)
            await session.submit(sent.text, id=sent.id, lane=sent.lane, sender=sent.sender)
        finally:
            await engine.close(drain=False)

    def _leave(self, c: sqlite3.Connection) -> bool:
        """Puts it into the inbox; true where it was accepted before. Raises `IdConflict`."""
        (session,) = c.execute("SELECT id FROM sessions WHERE key = ?", (self._key,)).fetchone()
        sent = self._follow_up
        known = c.execute(
            "SELECT text, 1 FROM follow_ups WHERE session = :session AND id = :id UNION ALL"
            " SELECT text, 0 FROM inbox WHERE session = :session AND id = :id AND refused IS NULL",
            {"session": session, "id": sent.id},
        ).fetchone()
        if known is not None and known[0] != sent.text:
            raise errors.IdConflict(f"id {sent.id!r} was used before, with another text")
        if known is None:
            # In the place of an earlier attempt, if that was refused.
            c.execute(
                "INSERT OR REPLACE INTO inbox (session, id, text, lane, sender, sent_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (session, sent.id, sent.text, sent.lane, sent.sender, sent.accepted_at),
            )
        return known is not None and bool(known[1])

    async def _taken(self, until: float) -> bool:
        """Whether the owner has accepted it before `until`; raises `Refused`."""
        while (refused := await self._journal.sent(self._key, self._follow_up.id)) is not None:
            if refused:
                await self._refused(refused)
            if asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(_POLL_S / 3)
        # In neither place: the session was deleted meanwhile.
        self._left = await self._journal.entry(self._key, self._follow_up.id) is not None
        return self._left

    async def _refused(self, reason: str) -> None:
        await self._journal.change(lambda c: _take_out(c, self._key, self._follow_up.id))
        if self._left:
            raise errors.Refused(reason)


class _NoAgent:
    """Of a session that only takes in: where a turn would start, it goes back to the queue."""

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Raises `ModelUnreachable`, which consumes nothing."""
        raise errors.ModelUnreachable(f"nobody is there to answer {turn.session_key!r}")
        yield  # makes it the iterator that an agent's turn is


def _take_out(c: sqlite3.Connection, key: str, id: str) -> None:
    c.execute(
        "DELETE FROM inbox WHERE id = ? AND session = (SELECT id FROM sessions WHERE key = ?)",
        (id, key),
    )
