"""The faults of the gateway that this engine learns from, each built in again.

Every scene runs twice: the engine as it ships must pass, and a tiny engine with
the original fault must be caught by the same assertions.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import pytest

from agent_shell import Delta, Engine, Turn
from agent_shell.agents.base import AgentEvent
from agent_shell.events import TurnDelta
from support import until

Emit = Callable[[str], None]
Run = Callable[[str, Emit], Awaitable[None]]


class Subject(Protocol):
    """As much of an engine as the scenes need: one session."""

    shown: list[str]

    async def submit(self, text: str) -> None: ...

    def stop(self) -> None: ...

    async def settled(self) -> None: ...


class Real:
    """The engine as it ships."""

    def __init__(self, run: Run) -> None:
        self.shown: list[str] = []

        class AsAgent:
            async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
                said: list[str] = []
                work = run(turn.text, said.append)
                # What was said comes out before each wait of the original.
                task = asyncio.ensure_future(work)
                try:
                    while not task.done():
                        done, _ = await asyncio.wait({task}, timeout=0)
                        while said:
                            yield Delta(said.pop(0))
                        if not done:
                            await asyncio.sleep(0)
                    await task
                except asyncio.CancelledError:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                    while said:
                        yield Delta(said.pop(0))
                    raise

        class Direct:
            async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
                await run(turn.text, lambda text: None)
                yield Delta(turn.text)

        agent = Direct() if getattr(run, "silent", True) else AsAgent()
        self._engine = Engine(agent)
        self._session = self._engine.session("s")
        self._observer = self._engine.observe()

    async def submit(self, text: str) -> None:
        await self._session.submit(text)

    def stop(self) -> None:
        if self._session.interrupt():
            self._session.release()

    async def settled(self) -> None:
        await self._session.settled()
        self.shown += [e.text for e in self._observer.take() if isinstance(e, TurnDelta)]


class Faulty:
    """What the tiny engines share: a queue, a guard, a task."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.queue: list[str] = []
        self.guard = False
        self.task: asyncio.Task[None] | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.shown: list[str] = []

    def spawn(self, text: str) -> None:
        self.guard = True
        self.task = asyncio.create_task(self.own(text))
        self.tasks.append(self.task)

    async def submit(self, text: str) -> None:
        if self.guard:
            self.queue.append(text)
        else:
            self.spawn(text)

    async def own(self, text: str) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def settled(self) -> None:
        done = 0
        while done < len(self.tasks):
            done = len(self.tasks)
            await asyncio.gather(*self.tasks, return_exceptions=True)


class DrainsByRecursion(Faulty):
    """A turn that ends awaits the next one: every follow-up adds a frame."""

    async def own(self, text: str) -> None:
        await self.run(text, self.shown.append)
        if self.queue:
            await self.own(self.queue.pop(0))
        else:
            self.guard = False


class FinishingTaskReleasesTheGuard(Faulty):
    """The finishing task starts its successor, and then its clean-up clears the guard."""

    async def own(self, text: str) -> None:
        try:
            await self.run(text, self.shown.append)
        finally:
            if self.queue:
                self.spawn(self.queue.pop(0))
            self.guard = False


class DropsLateArrivals(Faulty):
    """The queue is looked at before the clean-up, and never again after it."""

    async def own(self, text: str) -> None:
        more = False
        try:
            await self.run(text, self.shown.append)
            more = bool(self.queue)
        finally:
            await asyncio.sleep(0)  # the clean-up
            if more:
                self.spawn(self.queue.pop(0))
            else:
                self.guard = False


class LateArrivalsStartASecondSuccessor(Faulty):
    """In-band and late-arrival drains are two pieces of code that do not agree."""

    async def own(self, text: str) -> None:
        await self.run(text, self.shown.append)
        if self.queue:
            self.spawn(self.queue.pop(0))  # in-band
        await asyncio.sleep(0)  # the clean-up
        if self.queue:
            self.spawn(self.queue.pop(0))  # late arrival
        elif self.task is asyncio.current_task():
            self.guard = False


class StopFreesTheSessionAtOnce(Faulty):
    """A stop clears the guard while the stopped turn is still cleaning up."""

    def stop(self) -> None:
        super().stop()
        self.guard = False

    async def own(self, text: str) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self.run(text, self.shown.append)
        if self.task is asyncio.current_task():
            self.guard = False
            if self.queue:
                self.spawn(self.queue.pop(0))


class ShowsStaleAnswers(Faulty):
    """What a stopped turn still says is shown."""

    async def own(self, text: str) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self.run(text, self.shown.append)
        self.guard = False
        if self.queue:
            self.spawn(self.queue.pop(0))


class Scene:
    """Turns that measure: how deep, how many at once, which; with gates to hold them."""

    silent = True

    def __init__(self) -> None:
        self.depths: list[int] = []
        self.started: list[str] = []
        self.running = 0
        self.most_at_once = 0
        self.gates: dict[str, asyncio.Event] = {}
        self.cleaning = asyncio.Event()
        self.clean_up: dict[str, asyncio.Event] = {}

    async def has_started(self, text: str) -> None:
        await until(lambda: text in self.started)

    async def __call__(self, text: str, emit: Emit) -> None:
        self.depths.append(sum(1 for _ in traceback.walk_stack(sys._getframe())))
        self.started.append(text)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            if text in self.gates:
                await self.gates[text].wait()
            emit(text)
        finally:
            if text in self.clean_up:
                self.cleaning.set()
                await self.clean_up[text].wait()
            self.running -= 1


async def drain_twelve(make: Callable[[Run], Subject]) -> None:
    """Twelve chained follow-ups run at one depth."""
    scene = Scene()
    scene.gates["0"] = asyncio.Event()
    subject = make(scene)
    for i in range(12):
        await subject.submit(str(i))
    await until(lambda: scene.running == 1)
    scene.gates["0"].set()
    await subject.settled()
    assert len(scene.depths) == 12
    rise = [depth - scene.depths[0] for depth in scene.depths]
    assert rise == [0] * 12


async def third_input(make: Callable[[Run], Subject]) -> None:
    """An input that comes when the first turn has ended does not start a second turn."""
    scene = Scene()
    scene.gates = {"a": asyncio.Event(), "b": asyncio.Event()}
    subject = make(scene)
    await subject.submit("a")
    await subject.submit("b")
    await scene.has_started("a")
    scene.gates["a"].set()
    await scene.has_started("b")
    await subject.submit("c")
    for _ in range(10):
        await asyncio.sleep(0)
    scene.gates["b"].set()
    await subject.settled()
    assert scene.most_at_once == 1
    assert scene.started == ["a", "b", "c"]


async def late_arrival(make: Callable[[Run], Subject]) -> None:
    """An input that comes while the last turn ends is run."""
    scene = Scene()
    for steps in range(6):
        text = f"a{steps}"
        scene.gates[text] = asyncio.Event()
        subject = make(scene)
        await subject.submit(text)
        await scene.has_started(text)
        scene.gates[text].set()
        for _ in range(steps):
            await asyncio.sleep(0)
        await subject.submit(f"late{steps}")
        await subject.settled()
        assert f"late{steps}" in scene.started


async def one_successor(make: Callable[[Run], Subject]) -> None:
    """Whenever inputs arrive around the end of a turn, one turn runs at a time."""
    for steps in range(6):
        scene = Scene()
        scene.gates = {"a": asyncio.Event(), "b": asyncio.Event(), "c": asyncio.Event()}
        subject = make(scene)
        for text in "ab":
            await subject.submit(text)
        await scene.has_started("a")
        scene.gates["a"].set()
        for _ in range(steps):
            await asyncio.sleep(0)
        await subject.submit("c")
        for _ in range(10):
            await asyncio.sleep(0)
        scene.gates["b"].set()
        scene.gates["c"].set()
        await subject.settled()
        assert scene.most_at_once == 1
        assert scene.started == ["a", "b", "c"]


async def stop_during_arrival(make: Callable[[Run], Subject]) -> None:
    """An input that comes while a stopped turn cleans up waits for the end of that."""
    scene = Scene()
    scene.gates["a"] = asyncio.Event()
    scene.clean_up["a"] = asyncio.Event()
    subject = make(scene)
    await subject.submit("a")
    await scene.has_started("a")
    subject.stop()
    await scene.cleaning.wait()
    await subject.submit("b")
    for _ in range(10):
        await asyncio.sleep(0)
    scene.clean_up["a"].set()
    await subject.settled()
    assert scene.started == ["a", "b"]
    assert scene.most_at_once == 1


async def stale_answer(make: Callable[[Run], Subject]) -> None:
    """What a stopped turn says after the stop is not shown."""

    class Stubborn(Scene):
        silent = False

        async def __call__(self, text: str, emit: Emit) -> None:
            self.started.append(text)
            try:
                if text == "a":
                    emit("early ")
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                emit("stale")
                raise
            emit(text)

    scene = Stubborn()
    subject = make(scene)
    await subject.submit("a")
    await scene.has_started("a")
    for _ in range(10):
        await asyncio.sleep(0)
    subject.stop()
    await subject.submit("b")
    await subject.settled()
    assert "".join(subject.shown) == "early b"


SCENES = [
    (drain_twelve, DrainsByRecursion),
    (third_input, FinishingTaskReleasesTheGuard),
    (late_arrival, DropsLateArrivals),
    (one_successor, LateArrivalsStartASecondSuccessor),
    (stop_during_arrival, StopFreesTheSessionAtOnce),
    (stale_answer, ShowsStaleAnswers),
]


@pytest.mark.parametrize("scene", [scene for scene, _ in SCENES], ids=lambda s: s.__name__)
async def test_the_engine_passes(scene):
    """No scene of the original history goes wrong."""
    await scene(Real)


@pytest.mark.parametrize(("scene", "fault"), SCENES, ids=lambda s: s.__name__)
async def test_the_original_fault_is_caught(scene, fault):
    """Each fault, built in again, fails the scene that was made for it."""
    with pytest.raises(AssertionError):
        await scene(fault)


async def test_the_recursive_drain_grows_by_a_frame_a_turn():
    """The original regression: depth 1, 2, 3 … 12."""
    scene = Scene()
    scene.gates["0"] = asyncio.Event()
    subject = DrainsByRecursion(scene)
    for i in range(12):
        await subject.submit(str(i))
    scene.gates["0"].set()
    await subject.settled()
    assert [depth - scene.depths[0] for depth in scene.depths] == list(range(12))
