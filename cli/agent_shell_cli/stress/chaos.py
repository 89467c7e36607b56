"""Chaos: an agent that misbehaves, and a user who changes his mind all the time.

All choices are drawn from the seed, in an order that the session's own turns and
inputs give.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from itertools import islice
from random import Random
from typing import cast

from agent_shell import (
    AgentError,
    AgentEvent,
    EchoAgent,
    FollowUp,
    Lane,
    Misbehaviour,
    NotWaiting,
    Turn,
)
from agent_shell.agents.base import WrappedTurn
from agent_shell_cli.stress.arranged import ArrangedOrder
from agent_shell_cli.stress.meter import Meter
from agent_shell_cli.stress.order import Slot
from agent_shell_cli.stress.seat import Reader, Seat

__all__ = ["ChaosAgent", "Meddler"]

_BRIEFLY_S = 0.001
_PAUSES = 1000  # about so many stalls and slow clean-ups each, at most, in a session
_NEAR = 64  # only the front of the queue is meddled with: finding a place costs its distance


class ChaosAgent:
    """An `EchoAgent` that fails, stalls, is slow to clean up or ignores its cancellation."""

    def __init__(self, meter: Meter, seats: dict[str, Seat], seed: int, n: int) -> None:
        self.gate = asyncio.Event()
        self._meter = meter
        self._seats = seats
        self._seed = seed
        self._pausing = min(0.2, _PAUSES / n)
        self._luck: dict[str, Random] = {}
        self._echo = EchoAgent(misbehave=self._misbehaviour)

    def attach(self, reader: Reader) -> None:
        """Has it read at every receipt: what is expected depends on each."""
        reader.eager += 1
        reader.nudge()  # it may have gone to sleep while the sessions were opened

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers the turn or not, watched from the first step to the last."""
        seat = self._seats[turn.session_key]
        self._meter.turn_started()
        seat.watch.started(turn.id, seat.session.guard)
        seat.changed.set()
        failed = False
        try:
            await self.gate.wait()
            answer = self._echo.run(_SteeredTurn(turn, cast("ArrangedOrder", seat.order)))
            # Left in the middle, its clean-up would run when the collector pleases.
            async with aclosing(cast("AsyncGenerator[AgentEvent, None]", answer)) as stream:
                async for event in stream:
                    yield event
        except AgentError:
            failed = True
            raise
        finally:
            seat.watch.ended(failed=failed)
            seat.changed.set()

    def _misbehaviour(self, turn: Turn) -> Misbehaviour:
        luck = self._luck.setdefault(turn.session_key, Random(f"{self._seed} {turn.session_key}"))  # noqa: S311
        wrong = Misbehaviour()
        wrong.stall_s = _BRIEFLY_S * (luck.random() < self._pausing)
        wrong.clean_up_s = _BRIEFLY_S * (luck.random() < self._pausing)
        wrong.ignore_cancel = luck.random() < 0.1
        wrong.fail = "chaos" if luck.random() < 0.05 else ""
        return wrong


class _SteeredTurn(WrappedTurn):
    """A turn that tells what steered it."""

    def __init__(self, turn: Turn, order: ArrangedOrder) -> None:
        super().__init__(turn)
        self._order = order

    def take_steers(self, where: str = "", /) -> list[FollowUp]:
        taken = super().take_steers(where)
        self._order.steered([follow_up.id for follow_up in taken])
        return taken


class Meddler:
    """Sends the late inputs of one session, on all lanes, and commands between them."""

    def __init__(self, seat: Seat, order: ArrangedOrder, luck: Random) -> None:
        self._seat = seat
        self._session = seat.session
        self._order = order
        self._luck = luck

    async def run(self, texts: Iterable[str], flooded: asyncio.Future[list[None]]) -> None:
        """Sends `texts`; then sees to it that nothing stays held until `flooded` is done."""
        flooded.add_done_callback(lambda _: self._seat.changed.set())
        for text in texts:
            await self._moment()
            self._command()
            lane = self._luck.choice((Lane.QUEUE, Lane.STEER, Lane.INTERRUPT, Lane.MERGE))
            while not await self._seat.submit(text, Lane.QUEUE if self._order.unclear else lane):
                # Not in line with the producers: nobody else would end a hold.
                self._release()
                await self._change()
        while not flooded.done():
            self._release()
            await self._change()

    async def _moment(self) -> None:
        """Waits until the running turn has come a little further."""
        if self._order.running:
            await self._change()
        for _ in range(self._luck.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)
        # What a command would meet is not known before.
        while self._order.unclear:
            await self._change()

    async def _change(self) -> None:
        self._seat.changed.clear()
        await self._seat.changed.wait()

    def _command(self) -> None:
        luck = self._luck
        if self._order.held and luck.random() < 0.5:
            self._release()
        elif luck.random() < 0.1:
            self._session.interrupt("chaos")
            self._order.interrupt()
        elif luck.random() < 0.05:
            self._session.put_on_hold("chaos")
            self._order.hold()
        elif luck.random() < 0.5:
            self._arrange(luck.choice((self._edit, self._remove, self._move)))

    def _release(self) -> None:
        if self._order.held:
            self._session.release("chaos")
            self._order.release()

    def _arrange(self, change: Callable[[Slot, str], None]) -> None:
        slots = [slot for slot in islice(self._order.queue, _NEAR) if slot.id is not None]
        if not slots:
            return
        slot = self._luck.choice(slots)
        try:
            change(slot, slot.id or "")
        except NotWaiting:
            self._order.refused(slot)

    def _edit(self, slot: Slot, id: str) -> None:
        self._session.edit(id, f"{slot.text} edited")

    def _remove(self, slot: Slot, id: str) -> None:
        self._session.remove(id, "chaos")
        self._order.remove(slot)

    def _move(self, slot: Slot, id: str) -> None:
        position = self._luck.randint(1, min(_NEAR, len(self._order.queue)))
        self._session.move(id, position)
        self._order.move(slot, position)
