"""An event loop of which every step is taken by hand, in virtual time.

Own code: the libraries that simulate asyncio (simloop, simloom, seedloop) need Python
3.12 and draw their schedules from a seed; none says what could happen next, which a
search of all schedules has to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import types
from asyncio import events
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

__all__ = ["Clock", "SteppedLoop", "depth", "owner", "place"]


class Clock:
    """Virtual time, in seconds: it stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        """The time, for whoever takes a clock."""
        return self.now


class SteppedLoop(asyncio.BaseEventLoop):
    """asyncio's own loop without its `run`: `step` runs one callback that is ready.

    What a loop promises is kept: callbacks run in the order in which they became ready.
    The step of a task may come later than it could, as if there were more between.
    """

    inside = False

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.faults: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []

    @property
    def ready(self) -> deque[asyncio.Handle]:
        """The callbacks that can run now, in the order in which they became ready."""
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        return ready

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """The callbacks that wait for their time."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return sorted((t for t in timers if not t.cancelled()), key=lambda t: t.when())

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self.clock.now

    def is_running(self) -> bool:
        """Whether one of its callbacks runs at this moment."""
        return self.inside

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """As in asyncio; notes new tasks."""
        handle = super().call_soon(callback, *args, context=context)
        task = owner(handle)
        if task is not None and task not in self.tasks:
            self.tasks = [*(t for t in self.tasks if not t.done()), task]
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keeps what nobody has caught."""
        error = context.get("exception")
        self.faults.append(f"{context['message']}: {error!r}" if error else context["message"])

    def heads(self) -> list[asyncio.Handle]:
        """What may run next: the first callback, and what tasks could step before it."""
        while self.ready and self.ready[0].cancelled():
            self.ready.popleft()
        found: list[asyncio.Handle] = []
        for handle in self.ready:
            if not handle.cancelled():
                found.append(handle)
                if owner(handle) is None:
                    break
        return found

    @contextlib.contextmanager
    def entered(self) -> Generator[None]:
        """Inside, this is the running loop."""
        outside = events._get_running_loop()  # where a test itself runs on a loop
        events._set_running_loop(self)
        self.inside = True
        try:
            yield
        finally:
            self.inside = False
            events._set_running_loop(outside)

    def step(self, handle: asyncio.Handle) -> None:
        """Runs one callback that is ready."""
        self.ready.remove(handle)
        with self.entered():
            handle._run()

    def due(self) -> None:
        """Makes ready what waited for this time."""
        for timer in self.timers:
            if timer.when() <= self.clock.now:
                self._scheduled.remove(timer)  # type: ignore[attr-defined]
                timer._scheduled = False  # type: ignore[attr-defined]
                self.ready.append(timer)

    def _check_closed(self) -> None:
        """What is collected of a process that was thrown away may still call: in vain."""

    def throw_away(self) -> None:
        """Its process is dead: nothing of it runs any more."""
        for task in self.tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                task.get_coro().close()
        self.tasks = []
        self.close()


def owner(handle: asyncio.Handle) -> asyncio.Task[Any] | None:
    """The task whose step this callback is, if it is one."""
    task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    return task if isinstance(task, asyncio.Task) else None


def depth() -> int:
    """How many frames there are from the loop's step to the caller."""
    frame: types.FrameType | None = sys._getframe(1)
    count = 0
    while frame is not None and frame.f_code is not SteppedLoop.step.__code__:
        frame, count = frame.f_back, count + 1
    return count


def place(task: asyncio.Task[Any]) -> tuple[Any, ...]:
    """Where a task stands: the frames of its coroutines, each with its instruction."""
    where: list[Any] = [task.get_name(), task.done(), task.cancelling()]
    inner: Any = task.get_coro()
    while (frame := getattr(inner, "cr_frame", getattr(inner, "gi_frame", None))) is not None:
        where.append((frame.f_code.co_name, frame.f_lasti))
        inner = getattr(inner, "cr_await", getattr(inner, "gi_yieldfrom", None))
    return tuple(where)
