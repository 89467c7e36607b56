"""A deterministic agent: repeats its input. For trials, tests and floods.

It can be told to fail, to stall or to ignore its cancellation, all in its
settings, none by what an input says.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from agent_shell.agents.base import AgentEvent, Delta, Turn
from agent_shell.errors import AgentError

__all__ = ["EchoAgent", "Misbehaviour"]


@dataclass(slots=True)
class Misbehaviour:
    """What goes wrong in one turn; times in seconds.

    `stall_s` is spent before the first word, `clean_up_s` after the last one or
    after a cancellation; with `ignore_cancel` the turn goes on to its end.
    """

    fail: str = ""
    stall_s: float = 0.0
    clean_up_s: float = 0.0
    ignore_cancel: bool = False


class EchoAgent:
    """Repeats the input at `words_per_second`; at once, in one piece, without."""

    name = "echo"

    def __init__(
        self,
        words_per_second: float | None = None,
        misbehave: Callable[[Turn], Misbehaviour | None] | None = None,
    ) -> None:
        if words_per_second is not None and not 0 < words_per_second < float("inf"):
            raise ValueError("words_per_second is a number above 0")
        self._pause_s = None if words_per_second is None else 1 / words_per_second
        self._misbehave = misbehave

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Repeats the turn's text, and between two words what steers it."""
        wrong = None if self._misbehave is None else self._misbehave(turn)
        if wrong is None and self._pause_s is None:
            yield Delta(turn.text)
            return
        wrong = wrong or Misbehaviour()
        try:
            await _sleep(wrong.stall_s, wrong.ignore_cancel)
            for word in _words(turn.text) if self._pause_s is not None else [turn.text]:
                yield Delta(word)
                await _sleep(self._pause_s or 0.0, wrong.ignore_cancel)
                for steer in turn.take_steers():
                    yield Delta(f"\n{steer.text}\n")
            if wrong.fail:
                raise AgentError(wrong.fail)
        finally:
            await _sleep(wrong.clean_up_s, wrong.ignore_cancel)


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+$", text)


async def _sleep(seconds: float, ignore_cancel: bool) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while seconds > 0:
        try:
            await asyncio.sleep(seconds)
            return
        except asyncio.CancelledError:
            if not ignore_cancel:
                raise
            seconds = end - loop.time()
