"""A session that another process owns: inputs go into its queue, and its journal is watched.

What becomes of them is told as the events that the owner itself tells, so that a
prompt shows both alike. When the owner is gone, the session is taken up here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from itertools import islice

from agent_shell import Engine, Entry, FollowUp, Lane, Limits, Phase, Session, State
from agent_shell.errors import JournalError, Refused, SessionOwned
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    FollowUpEdited,
    Receipt,
    TurnDelta,
    TurnEnded,
    TurnNotice,
    TurnStarted,
)
from agent_shell.journal.sqlite import SqliteJournal, catalog
from agent_shell.records import record

__all__ = ["Attached"]

_POLL_S = 0.1
_TAKE_UP_S = 0.4
# Inputs looked at in one poll, and ended turns looked through for one that was steered.
_AT_ONCE = 64
_TURNS_BACK = 50

# What a follow-up can end in that had a turn of its own.
_OF_A_TURN = (State.ANSWERED, State.FAILED, State.CANCELLED)


@record
class _Own:
    """An input of ours: `turn` answers it now, `steered` is the turn that took it in."""

    follow_up: FollowUp
    accepted: asyncio.Future[None]
    sent: bool = False
    turn: int | None = None
    shown: int = 0  # how many characters of the answer were told
    steered: int | None = None


def _unheard() -> None:
    """Where nobody listens."""


class Attached:
    """What a prompt needs of a session, where process `owner.pid` owns it.

    `waiting` are our own inputs. `tell` takes the events; `run` makes them. `asked` is
    what a tool asks the owner's user, as lines; `on_asked` is called when it changes.
    """

    hold = None
    cut_off = None

    def __init__(
        self,
        engine: Engine,
        journal: SqliteJournal,
        key: str,
        owner: SessionOwned,
        tell: Callable[[Event], None],
    ) -> None:
        self.key = key
        self.owner = owner
        self.running: FollowUp | None = None
        self.asked = ""
        self.on_asked: Callable[[], None] = _unheard
        self._engine = engine
        self._journal = journal
        self._tell = tell
        self._own: dict[str, _Own] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False

    @property
    def phase(self) -> Phase:
        """Running while the owner answers one of ours."""
        return Phase.RUNNING if self.running is not None else Phase.IDLE

    @property
    def waiting(self) -> list[FollowUp]:
        """Our inputs that no turn has taken up, in the order in which they were sent."""
        return [o.follow_up for o in self._own.values() if o.turn is None and o.steered is None]

    @property
    def waiting_count(self) -> int:
        """How many of ours wait."""
        return len(self.waiting)

    async def submit(self, text: str, *, lane: Lane = Lane.QUEUE, sender: str = "user") -> None:
        """Returns when the owner has accepted it; raises `Refused`.

        The owner is told this process for a `sender`.

        Where the owner dies first, it is left for who owns the session next.
        """
        Limits().check(text)  # what its owner would say later
        del sender
        peer = f"attached {os.getpid()}"
        follow_up = FollowUp(os.urandom(4).hex(), text, lane, peer, time.time())
        own = _Own(follow_up, asyncio.get_running_loop().create_future())
        self._own[follow_up.id] = own
        self._idle.clear()
        try:
            await self._journal.send(self.key, follow_up)
        except JournalError:
            del self._own[follow_up.id]
            raise
        own.sent = True
        await own.accepted

    async def close(self, *, drain: bool = True, timeout: float | None = None) -> list[FollowUp]:
        """With `drain` waits for our answers; returns what has none yet, and stays in the queue."""
        del timeout  # nothing here can refuse to end
        self._closing = True
        if drain:
            await self._idle.wait()
        return [own.follow_up for own in self._own.values() if own.steered is None]

    async def run(self) -> Session | None:
        """Tells what becomes of our inputs until the owner is gone; then the session, owned here.

        `None` where that happens while it closes.
        """
        clock = asyncio.get_running_loop().time
        next_try = clock()
        while True:
            await self._look()
            if clock() >= next_try:
                next_try = clock() + _TAKE_UP_S
                await self._see_what_is_asked()
                if (session := await self._take_up()) is not None:
                    return await self._hand_over(session)
            await asyncio.sleep(_POLL_S)

    async def _see_what_is_asked(self) -> None:
        with contextlib.suppress(JournalError):  # it may work the next time
            asked = await self._journal.noted(self.key)
            if asked != self.asked:
                self.asked = asked
                self.on_asked()

    async def _take_up(self) -> Session | None:
        try:
            return await self._engine.open(self.key)
        except SessionOwned as owned:
            self.owner = owned
        except JournalError:
            pass  # it may work the next time
        return None

    async def _hand_over(self, session: Session) -> Session | None:
        await self._look()
        self.asked = ""
        for own in self._own.values():
            if own.turn is not None:
                id = own.follow_up.id
                now = time.time()
                self._tell(TurnEnded(self.key, now, own.turn, id, State.INTERRUPTED, 0.0, None))
            if not own.accepted.done():
                own.accepted.set_result(None)
        if self._closing:
            await session.close(drain=False)
            self._idle.set()
            return None
        return session

    async def _look(self) -> None:
        with contextlib.suppress(JournalError):  # it may work the next time
            for own in list(islice(self._own.values(), _AT_ONCE)):
                await self._follow(own)
        if not self._own:
            self._idle.set()

    async def _follow(self, own: _Own) -> None:
        id = own.follow_up.id
        if not own.sent:
            return
        if not own.accepted.done():
            refused = await self._journal.sent(self.key, id)
            if refused is not None:
                if refused:
                    self._refuse(own, refused)
                return
        if own.steered is not None:
            await self._follow_steered(own, own.steered)
            return
        entry = await self._journal.entry(self.key, id)
        if entry is None:
            self._refuse(own, f"session {self.key!r} was deleted")
            return
        if not own.accepted.done():
            await self._accept(own, entry)
        self._progress(own, entry)

    def _refuse(self, own: _Own, reason: str) -> None:
        del self._own[own.follow_up.id]
        if not own.accepted.done():
            own.accepted.set_exception(Refused(reason))

    async def _accept(self, own: _Own, entry: Entry) -> None:
        id = entry.id
        place = await self._journal.change(lambda c: catalog.position(c, self.key, id))
        own.accepted.set_result(None)
        self._tell(
            FollowUpAccepted(
                self.key, entry.accepted_at, id, entry.text, entry.lane, entry.sender, place
            )
        )
        self._say(id, f"accepted as follow-up {id}" + (f", position {place}" if place else ""))

    def _progress(self, own: _Own, entry: Entry) -> None:
        """Tells what has changed since the last look."""
        now, id = time.time(), entry.id
        turn = entry.turn if entry.state in (State.RUNNING, *_OF_A_TURN) else None
        if own.turn is not None and own.turn != turn:
            self._tell(TurnEnded(self.key, now, own.turn, id, State.QUEUED, 0.0, None))
            own.turn = self.running = None
        if turn is not None and own.turn is None:
            if self.running is not None:
                return  # that one's end is not told yet: the next look tells it
            own.turn, own.shown, self.running = turn, 0, own.follow_up
            if entry.text != own.follow_up.text:
                self._tell(FollowUpEdited(self.key, now, id, entry.text))
            self._tell(TurnStarted(self.key, now, turn, id, 0))
        if own.turn is not None and len(entry.answer) > own.shown:
            self._tell(TurnDelta(self.key, now, own.turn, id, entry.answer[own.shown :]))
            own.shown = len(entry.answer)
        if entry.ended_at is not None:
            self._end(own, entry, entry.ended_at)

    def _end(self, own: _Own, entry: Entry, at: float) -> None:
        id, state = entry.id, entry.state
        if own.turn is not None:
            self._tell(TurnEnded(self.key, at, own.turn, id, state, 0.0, None))
            self.running = None
        receipt = Receipt(self.key, at, id, state, entry.reason, entry.turn, entry.answer)
        self._tell(receipt)
        if state in (State.WITHDRAWN, State.MERGED):
            self._say(id, f"follow-up {id} was {receipt}")
        ours = any(other.turn == entry.turn for other in self._own.values())
        if state is State.STEERED and not ours:
            own.steered = entry.turn  # the answer is in that turn
        else:
            del self._own[id]

    async def _follow_steered(self, own: _Own, turn: int) -> None:
        """Tells the answer of the turn that has taken the input in, when it is over."""
        if self.running is not None:
            return
        for exchange in await self._journal.history(self.key, _TURNS_BACK):
            if exchange.turn == turn:
                now, id = time.time(), own.follow_up.id
                self._tell(TurnDelta(self.key, now, turn, id, exchange.answer))
                self._tell(TurnEnded(self.key, now, turn, id, exchange.state, 0.0, None))
                del self._own[id]

    def _say(self, id: str, text: str) -> None:
        self._tell(TurnNotice(self.key, time.time(), 0, id, text))
