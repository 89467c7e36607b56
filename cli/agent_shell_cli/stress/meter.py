"""What is measured at the start of every turn, from inside it."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any

from agent_shell_cli.stress import memory
from agent_shell_cli.stress.order import Order

__all__ = ["Meter", "Sample", "Watch", "figures"]

_SAMPLES = 180  # a run; three a column of the plot
_ALL_COUNTED = 100  # turns in which the live tasks are counted each time
_MARK: contextvars.ContextVar[bool] = contextvars.ContextVar("_MARK", default=False)


@dataclass(slots=True)
class Sample:
    """One moment of a run: turns so far, frames, MiB, and seconds on `perf_counter`."""

    turns: int
    depth: int
    rss_mib: float | None
    at: float


def figures(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that has `samples`, without those, and rounded."""
    plain = dataclasses.asdict(dataclasses.replace(record, samples=[]))
    del plain["samples"]
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in plain.items()}


class Meter:
    """The gauges of a whole run of about `total` turns in `sessions` sessions.

    `leaks` counts the turns that saw a context variable or an exception of an
    earlier one. Live tasks are counted in the first turns and then in every
    `tasks_every`-th, for it costs as much as a turn.
    """

    __slots__ = (
        "_below",
        "_depth",
        "_ground",
        "_height",
        "_next_sample",
        "_not_theirs",
        "_sessions",
        "_stride",
        "leaks",
        "max_depth",
        "max_spread",
        "max_tasks",
        "min_depth",
        "samples",
        "tasks_every",
        "turns",
        "watches",
    )

    def __init__(self, total: int, sessions: int, producers: int) -> None:
        self._below: dict[FrameType, int] = {}
        self._ground: FrameType | None = None
        self._height = self._depth = 0
        self._sessions = sessions
        self._stride = max(1, total // _SAMPLES)
        self._next_sample = 1
        self._not_theirs: set[asyncio.Task[object]] = set()
        self.tasks_every = max(64, sessions * (producers + 2))
        self.turns = 0
        self.min_depth = self.max_depth = 0
        self.max_tasks = 0
        self.max_spread = 0
        self.leaks = 0
        self.samples: list[Sample] = []
        self.watches: list[Watch] = []

    def not_theirs(self, *tasks: asyncio.Task[object]) -> None:
        """Says that these tasks are ours: the engine made those that remain."""
        self._not_theirs.update(tasks)

    def lay_ground(self) -> None:
        """To be called in the flood's own task: notes the frames below the event loop."""
        chain = _chain()
        self._below = {frame: len(chain) - above for above, frame in enumerate(chain)}

    def leave_ground(self) -> None:
        """Lets go of those frames."""
        self._ground, self._below = None, {}

    def turn_started(self) -> None:
        """To be called in the agent's first step."""
        turns = self.turns = self.turns + 1
        try:
            # Where the loop's own frame is as far away as at the turn before, nothing
            # has changed. To look there alone makes no objects of the frames between.
            ground = sys._getframe(self._height)  # pyright: ignore[reportPrivateUsage]
        except ValueError:
            ground = None
        if ground is None or ground is not self._ground:
            self._measure_depth()
        if _MARK.get() or sys.exception() is not None:
            self.leaks += 1
        _MARK.set(True)
        if turns % self.tasks_every == 0 or turns <= _ALL_COUNTED:
            self._count_tasks()
        if turns >= self._next_sample:
            self._sample()

    def _measure_depth(self) -> None:
        chain = _chain()[1:]
        self._height = next((i for i, frame in enumerate(chain) if frame in self._below), 0)
        self._ground = chain[self._height]
        self._depth = self._height + self._below.get(self._ground, len(chain))
        self.max_depth = max(self.max_depth, self._depth)
        self.min_depth = min(self.min_depth or self._depth, self._depth)

    def _count_tasks(self) -> None:
        theirs = len(asyncio.all_tasks() - self._not_theirs)
        self.max_tasks = max(self.max_tasks, -(-theirs // self._sessions))

    def _sample(self) -> None:
        self._next_sample += self._stride
        self.samples.append(Sample(self.turns, self._depth, memory.rss_mib(), time.perf_counter()))
        # One that is done waits for nobody, and is no measure of the others' wait.
        busy = [watch.turns for watch in self.watches if not watch.order.rested]
        if busy:
            self.max_spread = max(self.max_spread, max(busy) - min(busy))

    @property
    def flat(self) -> bool:
        """Whether no gauge knows how many handoffs there were."""
        return self.min_depth == self.max_depth and self.max_tasks <= 2 and not self.leaks


class Watch:
    """What is seen of one session: turns at once, their order, and its guard.

    `guard_changes` counts the turns that started without a guard, or with another
    one than the turn before although something had waited all the time.
    """

    __slots__ = ("_guard", "_running", "guard_changes", "guards", "max_running", "order", "turns")

    def __init__(self, order: Order) -> None:
        self.order = order
        self._running = 0
        self._guard: int | None = None
        self.turns = 0
        self.max_running = 0
        self.guards = 0
        self.guard_changes = 0

    def started(self, id: str, guard: int | None) -> None:
        """The agent was started on `id`, under `guard`."""
        self.turns += 1
        self._running += 1
        if self._running > self.max_running:
            self.max_running = self._running
        if guard is None or guard != self._guard:
            self._see_guard(guard)
        self.order.started(id)
        self.order.rested = False

    def ended(self, *, failed: bool = False) -> None:
        """The agent is done, its clean-up included."""
        self._running -= 1
        self.order.over(failed=failed)

    def _see_guard(self, guard: int | None) -> None:
        self.guards += guard is not None
        if guard is None or not self.order.rested:
            self.guard_changes += 1
        self._guard = guard


def _chain() -> list[FrameType]:
    """The caller's frame and all those below it."""
    chain: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        chain.append(frame)
        frame = frame.f_back
    return chain
