"""All schedules of a small scene, some of a large one, and the shortest that fails."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from explorer.witness import Broken
from explorer.world import Action, Scene, World

__all__ = ["Failure", "Report", "exhaust", "play", "replay", "shrink", "walk"]


@dataclass
class Failure:
    """A schedule, as labels, that breaks an invariant."""

    scene: str
    invariant: str
    seen: str
    schedule: list[str]

    def story(self) -> str:
        """The schedule to read and to replay."""
        lines = "\n".join(f"  {line}" for line in self.schedule)
        return f"scene: {self.scene}\n{lines}\nthen {self.invariant} is broken: {self.seen}\n"


@dataclass
class Report:
    """What a search has seen. `cut` schedules were as long as the scene allows."""

    scene: str
    schedules: int = 0
    states: int = 0
    steps: int = 0
    cut: int = 0
    seconds: float = 0.0
    complete: bool = True
    failure: Failure | None = None


class _Run:
    """A world and the labels of what was done in it."""

    def __init__(self, scene: Scene) -> None:
        self.world = World(scene)
        self.labels: list[str] = []

    def do(self, action: Action) -> None:
        self.labels.append(action.label)
        self.world.do(action)

    def failure(self, broken: Broken) -> Failure:
        return Failure(self.world.scene.name, broken.invariant, broken.seen, self.labels)


def exhaust(
    scene: Scene, *, schedules: int | None = None, depth: int | None = None, prune: bool = True
) -> Report:
    """Tries every order, the ways out of each state once; at most so many schedules."""
    report, begun = Report(scene.name), time.perf_counter()
    deepest = depth or scene.depth
    seen: dict[int, int] = {}
    todo: list[tuple[int, ...]] = [()]
    while todo and report.failure is None:
        if schedules is not None and report.schedules >= schedules:
            report.complete = False
            break
        report.schedules += 1
        path = todo.pop()
        run = _Run(scene)
        try:
            _follow(run, path, deepest, seen if prune else None, todo, report)
        except Broken as broken:
            report.failure = run.failure(broken)
        _let_go(run, report)
    report.states, report.seconds = len(seen), time.perf_counter() - begun
    return report


def _follow(
    run: _Run,
    path: tuple[int, ...],
    deepest: int,
    seen: dict[int, int] | None,
    todo: list[tuple[int, ...]],
    report: Report,
) -> None:
    world = run.world
    for choice in path:
        run.do(world.actions()[choice])
    while actions := world.actions():
        left = deepest - len(path)
        if left == 0:
            report.cut += 1
            break
        if seen is not None:
            mark = world.fingerprint()
            if seen.get(mark, -1) >= left:
                return
            seen[mark] = left
        todo += [(*path, other) for other in range(len(actions) - 1, 0, -1)]
        path = (*path, 0)
        run.do(actions[0])
    world.finish()


def walk(scene: Scene, seed: int, walks: int) -> Report:
    """Tries `walks` orders, chosen by chance from `seed`."""
    report, begun = Report(scene.name, complete=False), time.perf_counter()
    for number in range(walks):
        report.schedules += 1
        chance = random.Random(f"{seed}/{number}")
        # One is hasty and lets the loop run on, another interferes at every step.
        hasty = chance.random()
        run = _Run(scene)
        try:
            while (actions := run.world.actions()) and len(run.labels) < scene.depth:
                first = chance.random() < hasty
                run.do(actions[0] if first else chance.choice(actions))
            report.cut += bool(actions)
            run.world.finish()
        except Broken as broken:
            report.failure = run.failure(broken)
        _let_go(run, report)
        if report.failure is not None:
            break
    report.seconds = time.perf_counter() - begun
    return report


def _let_go(run: _Run, report: Report) -> None:
    report.steps += run.world.steps
    run.world.dispose()
    if report.schedules % 200 == 0:
        gc.collect()


def play(scene: Scene, schedule: Sequence[str]) -> tuple[Failure | None, list[str]]:
    """Does what the lines say, as far as it is possible, and then all the rest.

    Returns the failure, and the lines that were possible.
    """
    run = _Run(scene)
    try:
        for line in schedule:
            action = next((a for a in run.world.actions() if a.label == line), None)
            if action is not None:
                run.do(action)
            elif line == REST and not run.world.at_rest():
                run.labels.append(REST)
                run.world.run()
        run.world.finish()
    except Broken as broken:
        return run.failure(broken), run.labels
    finally:
        run.world.dispose()
    return None, run.labels


# A line of a story that stands for many: what goes on by itself does, in the loop's order.
REST = "all that goes on by itself does"


def shrink(scene: Scene, failure: Failure) -> Failure:
    """A story as short as can be found that breaks the same invariant."""
    best = failure
    size = len(best.schedule)
    while size >= 1:
        shorter = next(_shorter(scene, best, size), None)
        if shorter is not None:
            best = shorter
        else:
            size //= 2
    return best


def _shorter(scene: Scene, best: Failure, size: int) -> Iterator[Failure]:
    schedule = best.schedule
    for start in range(0, len(schedule), size):
        cut = schedule[start : start + size]
        for instead in ([], [REST]) if len(cut) > 1 else ([],):
            tried, done = play(scene, [*schedule[:start], *instead, *schedule[start + size :]])
            same = tried is not None and tried.invariant == best.invariant
            if tried is not None and same and len(done) < len(schedule):
                yield Failure(scene.name, tried.invariant, tried.seen, done)


def replay(scene: Scene, story: str) -> None:
    """Plays a story as it was printed; raises `Broken` where it still breaks something."""
    lines = [line.strip() for line in story.strip().splitlines()]
    body = [line for line in lines if not line.startswith(("scene: ", "then ", "#"))]
    failure, _ = play(scene, body)
    if failure is not None:
        raise Broken(failure.invariant, failure.seen)
