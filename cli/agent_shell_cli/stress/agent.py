"""The agent that the flooded engine runs: an echo with a gate and gauges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from agent_shell import AgentEvent, Delta, Turn
from agent_shell_cli.stress.meter import Meter
from agent_shell_cli.stress.seat import Reader, Seat

__all__ = ["FloodAgent"]

_READ_EVERY = 64  # turns


class FloodAgent:
    """Repeats its input at once, as `EchoAgent` does; no turn ends before the gate opens.

    Not around an `EchoAgent`: a second generator would be a tenth of a turn.
    """

    def __init__(self, meter: Meter, seats: dict[str, Seat]) -> None:
        self.gate = asyncio.Event()
        self._meter = meter
        self._seats = seats
        self._reader: Reader | None = None

    def attach(self, reader: Reader) -> None:
        """Says who is to be told that there is something to read."""
        self._reader = reader

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers the turn, watched from the first step to the last."""
        seat = self._seats[turn.session_key]
        watch = seat.watch
        self._meter.turn_started()
        watch.started(turn.id, seat.session.guard)
        try:
            if not self.gate.is_set():
                await self.gate.wait()
            yield Delta(turn.text)
        finally:
            watch.ended()
            reader = self._reader
            if reader is not None and (watch.order.rested or not watch.turns % _READ_EVERY):
                reader.nudge()
