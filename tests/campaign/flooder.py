"""The flood of `agent-shell stress --chaos` as a process that is killed, and goes on.

It takes up what an earlier one left in the journal, says so, and waits for a line on
standard input. Then it floods: each command goes out as a line before the engine gets
it, each acknowledgement and each fact once it is told. Where the flood's own account of
the order finds a fault, it says that too.

Run as `python flooder.py '{"path": …, …}'`; see `FloodSettings`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent_shell import Engine, Journal, Lane, NotWaiting, Observer, QueueFull, Session
from agent_shell import turn as turn_module
from agent_shell.events import Event, FollowUpAccepted, as_json
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell_cli.options import StressOptions
from agent_shell_cli.stress.arranged import ArrangedOrder
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.order import Slot
from agent_shell_cli.stress.result import result_of
from agent_shell_cli.stress.seat import Seat
from campaign.worker import Phases, Settings, say, watch_writer

__all__ = ["FloodSettings"]

_PASSING = ("turn.delta", "turn.notice")


@dataclass
class FloodSettings(Settings):
    """What the driver wants of a flood: `n` inputs for each session, `limit` of them waiting."""

    n: int = 1000
    sessions: int = 1
    limit: int = 100


class ToldSession:
    """A session whose commands are said before they are given to it."""

    def __init__(self, session: Session, ids: Ids) -> None:
        self._session = session
        self._ids = ids
        self._key = session.key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def submit(self, text: str, *, lane: Lane) -> FollowUpAccepted:
        # The engine names it, in this very step and before it decides.
        self._ids.announce = lambda new: self._say("submit", new, text=text, lane=lane)
        try:
            accepted = await self._session.submit(text, lane=lane)
        except QueueFull:
            say(session=self._key, turned_away=True)
            raise
        say(session=self._key, accepted=0, id=accepted.id)
        return accepted

    def edit(self, id: str, text: str) -> None:
        self._try("edit", self._session.edit, id, text=text)

    def remove(self, id: str, by: str) -> None:
        self._try("remove", self._session.remove, id, by=by)

    def move(self, id: str, position: int) -> None:
        self._try("move", self._session.move, id, position=position)

    def interrupt(self, by: str) -> None:
        self._say("interrupt")
        self._session.interrupt(by)

    def put_on_hold(self, detail: str) -> None:
        self._say("hold")
        self._session.put_on_hold(detail)

    def release(self, by: str) -> None:
        self._say("release")
        self._session.release(by)

    def _try(self, do: str, command: Callable[..., None], id: str, **rest: Any) -> None:
        self._say(do, id, **rest)
        try:
            command(id, **rest)
        except NotWaiting as error:
            say(session=self._key, refused=0, do=do, id=id, why=f"NotWaiting: {error}")
            raise

    def _say(self, do: str, id: str = "", **rest: Any) -> None:
        say(session=self._key, sends={"do": do, "id": id, **rest})


class Ids:
    """Has the engine's new ids announced by who is about to use them."""

    def __init__(self, engine: Engine) -> None:
        self._new_id = engine.new_id
        self.announce: Callable[[str], None] = lambda _: None
        engine.new_id = self.new_id  # type: ignore[method-assign]

    def new_id(self) -> str:
        id = self._new_id()
        self.announce(id)
        return id


class ToldFlood(Flood):
    """A flood that goes on where another one was killed, and tells all of it."""

    def __init__(self, settings: FloodSettings) -> None:
        self._settings = settings
        super().__init__(
            StressOptions(
                n=settings.n,
                sessions=settings.sessions,
                journal=settings.path,
                producers=1,
                queue_limit=settings.limit,
                chaos=True,
                seed=settings.seed,
                json=True,
                color=None,
                debug=False,
            )
        )

    async def _run(self, journal: Journal) -> None:
        phases = Phases(self._settings.phases)
        await watch_writer(cast("SqliteJournal", journal), phases, self._settings)
        await super()._run(journal)

    async def _take_seats(self, engine: Engine) -> None:
        ids = Ids(engine)
        observer = engine.observe(1_000_000)
        for number in range(1, self.options.sessions + 1):
            session = await engine.open(f"stress-{number}")
            self._take_up(session, ids)
        say(all_opened=True)
        await asyncio.to_thread(sys.stdin.readline)
        self.telling = self._task(self._tell(observer))

    def _take_up(self, session: Session, ids: Ids) -> None:
        cut_off = None if session.cut_off is None else dataclasses.asdict(session.cut_off)
        left = [[f.id, f.text] for f in session.waiting]
        say(session=session.key, opened=left, count=session.waiting_count, cut_off=cut_off)
        order = self._order()
        assert isinstance(order, ArrangedOrder)
        order.queue.extend(Slot(f.lane, f.text, f.id) for f in session.waiting)
        order.held = session.hold is not None
        for id, text in left:
            self.books.ledger.acknowledged(id, text)
        seat = Seat(cast("Session", ToldSession(session, ids)), order, self.books)
        self.seats[session.key] = seat
        self.meter.watches.append(seat.watch)

    async def _tell(self, observer: Observer) -> None:
        wrong = 0
        async for event in observer:
            events = [event, *observer.take()]
            # In one write, for each gives the processor away.
            _say_all([e for e in events if e.type not in _PASSING])
            found = sum(watch.order.out_of_order for watch in self.meter.watches)
            if found > wrong:
                wrong = found
                say(wrong=wrong, after=as_json(events[-1], 0))


def _say_all(events: list[Event]) -> None:
    lines = [json.dumps({"session": e.session, "told": as_json(e, 0)}) + "\n" for e in events]
    left = memoryview("".join(lines).encode())
    while left:
        left = left[os.write(1, left) :]


async def main(settings: FloodSettings) -> None:
    """Floods until it is killed or is through; then it says its own figures."""
    turn_module.PARTIAL_S = settings.partial_s
    flood = ToldFlood(settings)
    await flood.run()
    result = result_of(flood)
    # What was taken up counts as accepted too.
    say(result=result.as_json(), faults=[f for f in result.faults if not f.startswith("accepted=")])


if __name__ == "__main__":
    asyncio.run(main(FloodSettings(**json.loads(sys.argv[1]))))
