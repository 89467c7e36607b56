"""The flood: every session gets its follow-ups while its first turn is kept running.

The first turn waits at a gate, which opens when every session has accepted its
flood or has no room for more of it. From there on it is the engine's own pace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from random import Random

from agent_shell import Engine, Journal, Limits, OnFailure
from agent_shell_cli.exits import UsageError
from agent_shell_cli.options import StressOptions
from agent_shell_cli.stress import memory
from agent_shell_cli.stress.agent import FloodAgent
from agent_shell_cli.stress.arranged import ArrangedOrder
from agent_shell_cli.stress.chaos import ChaosAgent, Meddler
from agent_shell_cli.stress.journal import opened
from agent_shell_cli.stress.meter import Meter
from agent_shell_cli.stress.order import AckOrder, Order
from agent_shell_cli.stress.seat import Books, Reader, Seat

__all__ = ["Flood", "Times"]

_YIELD_EVERY = 32  # inputs between two pauses, in which the others run and the reader reads
_LATE = 4  # with chaos, one input in so many comes while the queue drains
_STALLED_S = 30.0  # without any progress: the engine is stuck
_CLEAN_UP_S = 2.0


@dataclass(slots=True)
class Times:
    """When what happened, in seconds on `time.perf_counter`; 0 is not yet."""

    began: float = 0.0
    opened: float = 0.0
    ended: float = 0.0


class Flood:
    """One run, and all that is measured in it; `run` once, inside an event loop.

    Where the run was cut off, `cut_off` says why (`interrupted` or `stalled`),
    and `left` holds the ids that were left in the queues.
    """

    def __init__(self, options: StressOptions) -> None:
        self.options = options
        self.total = options.n * options.sessions
        self.seed = 0 if options.seed is None else options.seed
        self.limit = options.queue_limit or options.n
        # Either way of going on after a failure is worth a flood; the seed picks.
        hold = options.chaos and self.seed % 2 == 0
        self.on_failure = OnFailure.HOLD if hold else OnFailure.CONTINUE
        self.meter = Meter(self.total, options.sessions, options.producers)
        self.books = Books(exact=not options.chaos)
        self.seats: dict[str, Seat] = {}
        self.times = Times()
        self.rss_mib: list[float | None] = [memory.rss_mib(), None]
        self.peak_before_mib = memory.peak_mib()
        self.cut_off: str | None = None
        self.left: list[str] = []
        self._filling = options.producers * options.sessions
        if options.chaos:
            self._agent: FloodAgent | ChaosAgent = ChaosAgent(
                self.meter, self.seats, self.seed, options.n
            )
        else:
            self._agent = FloodAgent(self.meter, self.seats)

    async def run(self) -> None:
        """Floods and drains. Where it is cancelled, it ends quickly and keeps its figures."""
        async with opened(self.options.journal) as journal:
            await self._run(journal)

    async def _run(self, journal: Journal) -> None:
        self.times.began = time.perf_counter()
        self.meter.not_theirs(*asyncio.all_tasks())
        self.meter.lay_ground()
        engine = Engine(
            self._agent,
            journal=journal,
            limits=Limits(self.limit),
            on_failure=self.on_failure,
        )
        room = 10_000 + 2 * _YIELD_EVERY * self._filling
        reader = Reader(engine.observe(room), self.seats, self.books)
        reading = self._task(reader.run())
        try:
            await self._in_time(self._work(engine, reader))
        finally:
            left = await engine.close(drain=False, timeout=_CLEAN_UP_S)
            self.left = [follow_up.id for rest in left.values() for follow_up in rest]
            reader.close()
            await reading
            self.meter.leave_ground()
            self.times.ended = time.perf_counter()
            self.rss_mib[1] = memory.rss_mib()

    async def _take_seats(self, engine: Engine) -> None:
        for number in range(1, self.options.sessions + 1):
            session = await engine.open(f"stress-{number}")
            if session.waiting_count:
                raise UsageError(
                    f"{self.options.journal} has a queue of an earlier flood; name a new file"
                )
            seat = Seat(session, self._order(), self.books)
            self.seats[seat.session.key] = seat
            self.meter.watches.append(seat.watch)

    def _order(self) -> Order:
        if not self.options.chaos:
            return AckOrder()
        return ArrangedOrder(self.limit, hold_failed=self.on_failure is OnFailure.HOLD)

    async def _in_time(self, work: Coroutine[object, object, None]) -> None:
        """Does the work, unless it is interrupted or makes no progress."""
        alarm = self._task(self._stalled())
        working = self._task(work)
        try:
            await asyncio.wait((alarm, working), return_when=asyncio.FIRST_COMPLETED)
            if alarm.done():
                self.cut_off = "stalled"
        except asyncio.CancelledError:
            self.cut_off = "interrupted"
            raise
        finally:
            alarm.cancel()
            if self.cut_off:
                working.cancel()
            await asyncio.gather(alarm, working, return_exceptions=True)
        if not self.cut_off:
            working.result()

    async def _stalled(self) -> None:
        seen = (-1, -1, -1)
        while seen != (now := self._progress()):
            seen = now
            await asyncio.sleep(_STALLED_S)

    def _progress(self) -> tuple[int, int, int]:
        ledger = self.books.ledger
        return ledger.accepted, self.meter.turns, ledger.settled

    async def _work(self, engine: Engine, reader: Reader) -> None:
        await self._take_seats(engine)
        self._agent.attach(reader)
        seats = self.seats.values()
        await asyncio.gather(*(self._task(self._flood(seat, reader)) for seat in seats))
        await asyncio.gather(*(self._task(self._drain(seat)) for seat in seats))

    async def _flood(self, seat: Seat, reader: Reader) -> None:
        n = self.options.n
        late = n // _LATE if self.options.chaos else 0
        texts = (f"{number}." for number in range(1, n + 1 - late))
        async with asyncio.TaskGroup() as group:
            producers = [
                group.create_task(self._produce(seat, reader, texts))
                for _ in range(self.options.producers)
            ]
            self.meter.not_theirs(*producers)
            if isinstance(seat.order, ArrangedOrder):
                luck = Random(f"{self.seed} {seat.session.key} meddling")  # noqa: S311
                meddler = Meddler(seat, seat.order, luck)
                late_texts = [f"{number}." for number in range(n + 1 - late, n + 1)]
                await self._agent.gate.wait()
                await meddler.run(late_texts, asyncio.gather(*producers))

    async def _produce(self, seat: Seat, reader: Reader, texts: Iterator[str]) -> None:
        """One of several producers that share `texts`: awaits each acknowledgement."""
        filling = True
        for sent, text in enumerate(texts, 1):
            while not await seat.submit(text):
                self._filled(filling)
                filling = False
                await reader.room(seat)
            if sent % _YIELD_EVERY == 0:
                reader.nudge()
                await asyncio.sleep(0)
        self._filled(filling)

    def _filled(self, filling: bool) -> None:
        """A producer is through, or has found the queue full for the first time."""
        self._filling -= filling
        if not self._filling and not self.times.opened:
            self.open_gate()

    def open_gate(self) -> None:
        """Lets the first turns end: every session is full, or has it all."""
        self.times.opened = time.perf_counter()
        self._agent.gate.set()

    async def _drain(self, seat: Seat) -> None:
        """Waits for the end of the queue; nothing stays held."""
        await seat.session.settled()
        while seat.session.waiting:
            if isinstance(seat.order, ArrangedOrder):
                seat.order.release()
            seat.session.release("stress")
            await seat.session.settled()

    def _task(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.meter.not_theirs(task)
        return task
