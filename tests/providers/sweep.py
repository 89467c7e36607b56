"""Follow-ups, steers and interrupts at every point of a turn that reads, edits and runs.

    python tests/providers/sweep.py [FORMAT …]

The points are found by a run that is left alone: at each event of each answer, before and
after each tool, at each question, after the turn. Then the same task runs once for each
point and each thing that a person may do there. Every request on the way is checked by the
validators of the format. The tests take fewer points, with the same code.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from agent_shell import Lane, State
from agent_shell.events import Receipt, TurnStarted
from providers.house import MODELS, House, Places, Talk, open_engine
from providers.mending import BROKEN, CUT_ON_PURPOSE, MENDED, TASK, mender, project
from providers.story import Asked
from providers.wire_server import WireServer

Doing = Callable[[Talk], Awaitable[None]]


async def _follow_up(talk: Talk) -> None:
    await talk.submit("NOTE follow-up")


async def _steer(talk: Talk) -> None:
    await talk.submit("STEER gently", Lane.STEER)


async def _steer_twice_and_follow_up(talk: Talk) -> None:
    await talk.submit("STEER gently", Lane.STEER)
    await talk.submit("NOTE follow-up")
    await talk.submit("STEER slowly", Lane.STEER)


async def _interrupt_by_input(talk: Talk) -> None:
    await talk.submit("NOTE interrupt", Lane.INTERRUPT)


async def _stop_and_go_on(talk: Talk) -> None:
    await talk.submit("NOTE follow-up")
    talk.session.interrupt()
    talk.session.release()


async def _steer_and_stop(talk: Talk) -> None:
    await talk.submit("STEER gently", Lane.STEER)
    talk.session.interrupt()
    talk.session.release()


DOINGS: dict[str, Doing] = {
    "follow-up": _follow_up,
    "steer": _steer,
    "two steers and a follow-up": _steer_twice_and_follow_up,
    "interrupt by an input": _interrupt_by_input,
    "stop and go on": _stop_and_go_on,
    "steer and stop": _steer_and_stop,
}


AFTER = "after the turn"
"""The last of the points."""

Choose = Callable[[list[str]], list[int]]
"""Of the points' names, the numbers of those that are taken."""


def all_points(points: list[str]) -> list[int]:
    """Every one."""
    return list(range(len(points)))


def few_points(points: list[str]) -> list[int]:
    """All that are no event of an answer; of each answer the first, the middle and the last."""
    chosen: list[int] = []
    answer: list[int] = []
    for at, name in enumerate(points):
        if name.startswith("request"):
            answer.append(at)
            continue
        chosen += sorted({answer[0], answer[len(answer) // 2], answer[-1]} if answer else ())
        chosen.append(at)
        answer = []
    return chosen


async def nothing(talk: Talk) -> None:
    """Leaves the run alone."""


@dataclass
class Run:
    """What came of one task with one thing done at one point."""

    talk: Talk
    receipts: dict[str, Receipt]
    places: list[str]
    first: str
    last: str


class Bench:
    """Runs the task again and again, each time in a session of its own."""

    def __init__(self, server: WireServer, house: House) -> None:
        self.server = server
        self.house = house
        self.engine = open_engine(house)
        self._keys = itertools.count()

    async def run(self, at: int, doing: Doing) -> Run:
        """The task, with `doing` at place number `at`, and a last follow-up."""
        project(self.house.folder)
        talk = Talk(self.engine.session(f"s{next(self._keys)}"))
        places = Places(at, lambda: doing(talk))
        self.house.watch(places)
        await talk.submit(TASK)
        first = talk.ids[0]
        async with asyncio.timeout(30):
            await talk.answered(first)
            await places.come_past(AFTER)
            if places.acting is not None:
                await places.acting
        last = await talk.submit("NOTE last")
        until = places.names.index(AFTER) + 1
        return Run(talk, await talk.receipts(), places.names[:until], first, last)

    async def sweep(self, doing: Doing, choose: Choose) -> tuple[int, int]:
        """Does it at all points that are chosen; how many those were, and the requests."""
        points = (await self.run(-1, nothing)).places
        chosen, before = choose(points), len(self.server.asked)
        for at in chosen:
            begun = len(self.server.asked)
            run = await self.run(at, doing)
            try:
                judge(self, run, self.server.asked[begun:], stopped=points[at] == AFTER)
            except AssertionError as error:
                raise AssertionError(f"at point {at}, {points[at]}: {error}") from error
        return len(chosen), len(self.server.asked) - before


@contextlib.asynccontextmanager
async def bench(format: str, folder: Path) -> AsyncIterator[Bench]:
    """A bench over that format, with its project in the folder."""
    async with WireServer(mender) as server:
        house = House(server, format, folder)
        server.on_point = house.on_point
        bench = Bench(server, house)
        async with bench.engine:
            yield bench
        await house.close()


def judge(bench: Bench, run: Run, asked: list[Asked], *, stopped: bool) -> None:
    """Raises `AssertionError`; `stopped`: what was put in may have run, and been stopped."""
    receipts = run.receipts
    first, last = receipts[run.first], receipts[run.last]
    assert bench.server.violations == []
    assert (last.state, last.answer) == (State.ANSWERED, "Heard NOTE last.")
    assert first.state in (State.ANSWERED, State.CANCELLED)
    if first.state is State.ANSWERED:
        assert (bench.house.folder / "sums.py").read_text() == MENDED
    else:
        assert (bench.house.folder / "sums.py").read_text() in (BROKEN, MENDED)
        assert any(CUT_ON_PURPOSE in text for text in asked[-1].users), "the model knows"
    started = [event.id for event in run.talk.told() if isinstance(event, TurnStarted)]
    assert len(started) == len(set(started)), "no follow-up runs twice"
    for id in set(run.talk.ids) - {run.first, run.last}:
        if not (stopped and receipts[id].state is State.CANCELLED):
            _judge_input(receipts[id], receipts, asked)


def _judge_input(receipt: Receipt, receipts: dict[str, Receipt], asked: list[Asked]) -> None:
    """What was put in on the way is answered by a turn of its own, or stands in the other's."""
    assert receipt.state in (State.ANSWERED, State.STEERED)
    everything = "\n".join(asked[-1].users)
    if receipt.state is State.ANSWERED:
        assert receipt.answer.startswith("Heard ")
        assert receipt.answer[6:-1] in everything
        return
    turn = next(other for other in receipts.values() if other.turn == receipt.turn)
    assert receipt.reason.startswith(f"turn {receipt.turn}")
    if turn.state is State.ANSWERED and turn is not receipt:
        assert "gently" in everything


async def main(formats: list[str]) -> None:
    """Everything at every point, over the formats named, or over all."""
    total = histories = 0
    for format in formats or list(MODELS):
        with tempfile.TemporaryDirectory() as folder:
            async with bench(format, Path(folder)) as one:
                for name, doing in DOINGS.items():
                    begun = time.monotonic()
                    points, requests = await one.sweep(doing, all_points)
                    total, histories = total + points, histories + requests
                    took_s = time.monotonic() - begun
                    print(
                        f"{format}: {name}: {points} points, {requests} histories, {took_s:.0f} s"
                    )
    print(f"{total:,} injections, {histories:,} histories, all valid")


if __name__ == "__main__":
    os.environ["OPENAI_API_KEY"] = os.environ["ANTHROPIC_API_KEY"] = "sk-test-0123456789abcdefghij"
    asyncio.run(main(sys.argv[1:]))
