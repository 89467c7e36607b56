"""flat: frames, tasks and contexts are constant in the number of handoffs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import traceback
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from agent_shell import Delta, Engine, Limits, OnFailure, Turn
from agent_shell.agents.base import AgentEvent

MARK: contextvars.ContextVar[int] = contextvars.ContextVar("MARK", default=0)
LOOPS = ["plain", "eager", "uvloop"]


class Gauge:
    """An agent that measures, at the start of each turn, what a chain could pile up.

    The first turn waits for the gate, so that all the others are handed off.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.depths: list[int] = []
        self.tasks: set[int] = set()
        self.inherited: set[int] = set()

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        self.depths.append(stack_depth())
        if turn.number % 50 == 1:
            self.tasks.add(len(asyncio.all_tasks()))
        self.inherited.add(MARK.get())
        MARK.set(turn.number)
        if turn.number == 1:
            await self.gate.wait()
        yield Delta(turn.text)


def stack_depth() -> int:
    return sum(1 for _ in traceback.walk_stack(sys._getframe()))


async def chain(n: int) -> Gauge:
    """`n` follow-ups, all but the first of them waiting when the first ends."""
    gauge = Gauge()
    engine = Engine(gauge, limits=Limits(queue=n))
    session = engine.session("s")
    for i in range(n):
        await session.submit(str(i))
    gauge.gate.set()
    await session.settled()
    assert len(gauge.depths) == n
    return gauge


def run_on(loop: str, n: int) -> Gauge:
    """Runs the chain on that kind of loop, or skips the test where there is none."""
    if loop == "uvloop":
        uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(chain(n))
    with asyncio.Runner() as runner:
        if loop == "eager":
            if sys.version_info < (3, 12):
                pytest.skip("eager tasks came with Python 3.12")
            runner.get_loop().set_task_factory(asyncio.eager_task_factory)
        return runner.run(chain(n))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("n", [12, 5_000, 100_000])
def test_the_stack_is_as_deep_at_the_last_turn_as_at_the_first(loop: str, n: int):
    """12 chained follow-ups (the original regression), and many more: one depth for all."""
    gauge = run_on(loop, n)
    assert len(set(gauge.depths)) == 1
    # The chain's main task, the turn's own, and at most its predecessor.
    assert max(gauge.tasks) <= 3


@pytest.mark.parametrize("loop", LOOPS)
def test_a_turn_starts_from_the_sessions_context(loop: str):
    """What a turn sets in its context is not there in the next one."""
    assert run_on(loop, 12).inherited == {0}


def test_the_session_keeps_the_context_that_it_was_made_in():
    """What was set around the session's making is there in every turn."""

    async def main() -> set[int]:
        MARK.set(7)
        gauge = Gauge()
        session = Engine(gauge).session("s")
        MARK.set(8)
        gauge.gate.set()
        await session.submit("a")
        await session.submit("b")
        await session.settled()
        return gauge.inherited

    assert asyncio.run(main()) == {7}


async def test_an_exception_does_not_reach_back_over_turns():
    """The exception of a failed turn has no context of an earlier one."""
    contexts: list[BaseException | None] = []

    class Failing:
        async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
            error = ValueError(turn.text)
            try:
                raise error
            finally:
                contexts.append(error.__context__)
            yield

    session = Engine(Failing(), on_failure=OnFailure.CONTINUE).session("s")
    for i in range(20):
        await session.submit(str(i))
    await session.settled()
    assert contexts == [None] * 20


async def test_idle_sessions_cost_no_task_and_little_memory():
    """100,000 idle sessions: no task at all, at most 2 KiB each."""
    engine = Engine(Gauge())
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    n = 100_000
    for i in range(n):
        engine.session(f"session-{i}")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(asyncio.all_tasks()) == 1
    assert (after - before) / n <= 2048
    await engine.close()


async def test_a_session_that_was_busy_is_as_small_when_it_is_idle_again():
    """An idle session keeps no task and no finished turn alive."""
    gauge = Gauge()
    gauge.gate.set()
    engine = Engine(gauge)
    await engine.session("s").submit("a")
    await engine.session("s").settled()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
