"""What stands around the engine while it is compared: time, an event loop, an agent."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import sys
import traceback
import types
from collections.abc import AsyncIterator, Coroutine, Generator
from typing import Any, cast

from agent_shell import Delta, Turn
from agent_shell.agents.base import AgentEvent

__all__ = ["Puppet", "Step", "VirtualLoop", "be_eager"]

_MARK: contextvars.ContextVar[int] = contextvars.ContextVar("_MARK", default=0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stands still until the test lets it pass."""

    now = 1000.0

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self.now

    async def quiet(self) -> None:
        """Returns when nothing is left that could be done at this time."""
        rests = 0
        while rests < 2:
            await asyncio.sleep(0)
            rests = 0 if self._ready else rests + 1  # type: ignore[attr-defined]


def be_eager(loop: asyncio.AbstractEventLoop) -> None:
    """Runs the first step of each task in the frame that makes it, as Python 3.12 may."""
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", _eager_task))


def _eager_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """As much of an eager task factory as Python 3.11 allows."""
    if not loop.is_running():
        return asyncio.Task(coro, loop=loop, **options)
    try:
        waits_for = options.get("context", contextvars.copy_context()).run(coro.send, None)
    except StopIteration as end:
        return asyncio.Task(_ended(end.value), loop=loop)
    return asyncio.Task(cast("Any", _resumed(coro, waits_for)), loop=loop, **options)


async def _ended(value: Any) -> Any:
    return value


@types.coroutine
def _resumed(coro: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    while True:
        try:
            try:
                sent = yield waits_for
            except BaseException as error:
                waits_for = coro.throw(error)
            else:
                waits_for = coro.send(sent)
        except StopIteration as end:
            return end.value


class Step:
    """One turn of the puppet: it talks, then cleans up until `gate` is set, then is over."""

    def __init__(self, turn: Turn, stubborn: bool) -> None:
        self.turn = turn
        self.stubborn = stubborn
        self.cleaning = False
        self.breaks = False
        self.gate = asyncio.Event()
        self.orders: asyncio.Queue[Any] = asyncio.Queue()


class Puppet:
    """An agent that does what it is told; with `stubborn`, it does not heed cancellation.

    It measures what must not grow from turn to turn: frames, contexts, turns at once.
    """

    def __init__(self, stubborn: bool) -> None:
        self.steps: list[Step] = []
        self.stubborn = stubborn
        self.running = 0
        self.most_at_once = 0
        self.stopped_at_start = False
        self.depths: set[int] = set()
        self.inherited: set[int] = set()

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Obeys, cleans up, ends."""
        step = Step(turn, self.stubborn)
        self.steps.append(step)
        self._measure(turn)
        try:
            async for event in self._obey(step):
                yield event
        finally:
            step.cleaning = True
            while not step.gate.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await step.gate.wait()
            self.running -= 1
            if step.breaks:
                raise RuntimeError("the clean-up broke")

    def _measure(self, turn: Turn) -> None:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        frames = (frame.f_code.co_name for frame, _ in traceback.walk_stack(sys._getframe()))
        self.depths.add(
            sum(1 for _ in itertools.takewhile(lambda name: name != "_run_once", frames))
        )
        self.inherited.add(_MARK.get())
        _MARK.set(turn.number)
        self.stopped_at_start |= turn.stopping

    async def _obey(self, step: Step) -> AsyncIterator[AgentEvent]:
        while True:
            try:
                order = await step.orders.get()
            except asyncio.CancelledError:
                if not step.stubborn:
                    raise
                continue
            if order is None:
                return
            if isinstance(order, Exception):
                raise order
            yield Delta(order)
