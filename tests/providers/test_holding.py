"""A provider that fails in the middle of a task: the queue holds, and nothing is burnt."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_shell import Budget, HoldReason, Lane, State
from agent_shell.events import SessionHeld, SessionReleased, TurnStarted
from providers.house import MODELS, House, Talk, open_engine
from providers.mending import MENDED, TASK, mender, project
from providers.story import (
    Asked,
    Cut,
    ErrorEvent,
    Garble,
    Part,
    Refuse,
    Stall,
    html_page,
    refuse,
)
from providers.wire_server import WireServer

each_format = pytest.mark.parametrize("format", MODELS)


class Failing:
    """A model whose requests from number `first` on fail `times` times, and go on then."""

    def __init__(self, first: int, fault: Sequence[Part], times: int = 1, after: int = 0) -> None:
        self._first = first
        self._left = times
        self._fault = fault
        self._after = after  # how many parts of the right answer come before the fault

    def __call__(self, asked: Asked) -> Sequence[Part]:
        right = mender(asked)
        if asked.number < self._first or not self._left:
            return right
        self._left -= 1
        return [*right[: self._after], *self._fault]


async def _no_sleep(seconds: float) -> None:
    """A pause that is over at once."""


async def _held(talk: Talk) -> SessionHeld:
    """The session's hold, once it holds."""
    async with asyncio.timeout(30):
        await talk.session.settled()
    held = [event for event in talk.told() if isinstance(event, SessionHeld)]
    assert held, talk.told()
    assert talk.session.hold is not None
    return held[-1]


async def _three(talk: Talk) -> None:
    await talk.submit(TASK)
    await talk.submit("NOTE second")
    await talk.submit("NOTE third")


def _order(talk: Talk) -> list[str]:
    """The ids in the order in which their turns began, each once."""
    started = [event.id for event in talk.told() if isinstance(event, TurnStarted)]
    return list(dict.fromkeys(started))


FAULTS: dict[str, tuple[Sequence[Part], int]] = {
    "reset": ([Cut()], 3),
    "closed": ([Cut(reset=False)], 3),
    "garbage": ([Garble()], 3),
    "overloaded": ([refuse(529)], 3),
    "broken": ([refuse(500)], 3),
    "a page": ([html_page(502)], 3),
    "no key": ([refuse(401, "invalid x-api-key")], 1),
    "no credit": ([refuse(402, "Your credit balance is too low")], 1),
    "no model": ([refuse(404, "model: gpt-4o")], 1),
    "an error inside": ([ErrorEvent("overloaded_error", "Overloaded")], 3),
}


@each_format
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("first", [1, 4], ids=["first", "after-shell"])
async def test_an_outage_holds_and_the_task_goes_on(
    format: str, name: str, first: int, tmp_path: Path
):
    """Wherever it fails the queue holds as it was; released, all is answered, in order, once."""
    fault, times = FAULTS[name]
    async with WireServer(Failing(first, fault, times)) as server:
        house = House(server, format, project(tmp_path), sleep=_no_sleep)
        async with open_engine(house) as engine:
            talk = Talk(engine.session("s"))
            await _three(talk)
            held = await _held(talk)
            assert (held.reason, held.queued) == (HoldReason.UNREACHABLE, 3)
            assert [one.id for one in talk.session.waiting] == talk.ids
            talk.session.release()
            receipts = await talk.receipts()
        await house.close()
    assert {receipt.state for receipt in receipts.values()} == {State.ANSWERED}
    assert receipts[talk.ids[0]].answer.endswith("Mended.")
    assert _order(talk) == talk.ids
    assert (tmp_path / "sums.py").read_text() == MENDED
    assert [one.tool for one in house.person.asked] == ["edit", "shell"], "nothing is done twice"


@each_format
@pytest.mark.parametrize("first", [1, 3, 4], ids=["first", "after-edit", "after-shell"])
async def test_a_cut_after_a_part_of_the_answer_is_gone_on_with(
    format: str, first: int, tmp_path: Path
):
    """What a person has seen is kept, in the history too, and the turn is gone on with."""
    async with WireServer(Failing(first, [Cut()], after=1)) as server:
        house = House(server, format, project(tmp_path), sleep=_no_sleep)
        async with open_engine(house) as engine:
            talk = Talk(engine.session("s"))
            await _three(talk)
            await _held(talk)
            talk.session.release()
            receipts = await talk.receipts()
        await house.close()
    assert {receipt.state for receipt in receipts.values()} == {State.ANSWERED}
    assert _order(talk) == talk.ids


@each_format
async def test_a_rate_limit_ends_by_itself(format: str, tmp_path: Path):
    """The queue holds until the provider's time, which is told, and goes on where it was."""
    async with WireServer(Failing(3, [refuse(429, "slow down", retry_after="1")])) as server:
        house = House(server, format, project(tmp_path))
        async with open_engine(house) as engine:
            talk = Talk(engine.session("s"))
            await _three(talk)
            receipts = await talk.receipts(held=True)
        await house.close()
    (held,) = [event for event in talk.told() if isinstance(event, SessionHeld)]
    (released,) = [event for event in talk.told() if isinstance(event, SessionReleased)]
    assert (held.reason, held.queued) == (HoldReason.RATE_LIMITED, 3)
    assert held.until is not None
    assert 0 <= released.time - held.until < 1
    assert 0.5 < held.until - held.time <= 1.5
    assert {receipt.state for receipt in receipts.values()} == {State.ANSWERED}
    assert _order(talk) == talk.ids
    assert [one.tool for one in house.person.asked] == ["edit", "shell"]


@each_format
async def test_a_steer_survives_the_failure_of_its_turn(format: str, tmp_path: Path):
    """What was steered into a turn that then failed stands in its history when it goes on."""
    failing = Failing(2, [refuse(500)], times=3)
    async with WireServer(failing) as server:
        house = House(server, format, project(tmp_path), sleep=_no_sleep)

        async with open_engine(house) as engine:
            talk = Talk(engine.session("s"))

            async def steer() -> None:
                await talk.submit("STEER gently", Lane.STEER)

            house.places.at, house.places.act = 0, steer
            house.watch(house.places)
            await talk.submit(TASK)
            await _held(talk)
            talk.session.release()
            receipts = await talk.receipts()
        await house.close()
    first, steered = (receipts[id] for id in talk.ids)
    assert (first.state, steered.state) == (State.ANSWERED, State.STEERED)
    assert first.answer.endswith("Mended. Heeded gently.")


@each_format
async def test_a_stall_is_an_outage(format: str, tmp_path: Path):
    """A server that says nothing any more is given up after its time."""
    async with WireServer(Failing(2, [Stall()])) as server:
        house = House(server, format, project(tmp_path), sleep=_no_sleep, stall_s=0.5, tries=1)
        async with open_engine(house) as engine:
            talk = Talk(engine.session("s"))
            await _three(talk)
            held = await _held(talk)
            assert "not a byte" in held.detail
            talk.session.release()
            receipts = await talk.receipts()
        await house.close()
    assert {receipt.state for receipt in receipts.values()} == {State.ANSWERED}


@each_format
async def test_a_key_is_in_no_event(format: str, tmp_path: Path):
    """A server that repeats the key in its error finds no echo."""
    refusal = dataclasses.replace(refuse(401, "bad key"), echoes_key=True)
    assert isinstance(refusal, Refuse)
    async with WireServer(Failing(1, [refusal])) as server:
        house = House(server, format, project(tmp_path))
        async with open_engine(house) as engine:
            talk = Talk(engine.session("s"))
            await talk.submit(TASK)
            held = await _held(talk)
            assert "bad key" in held.detail
            assert not any(server.key in str(event) for event in talk.told())
            talk.session.release()
            await talk.receipts()
        await house.close()


@each_format
async def test_a_spent_budget_holds(format: str, tmp_path: Path):
    """Between two turns, the queue holds when the tokens are used; who releases grants more."""
    async with WireServer(mender) as server:
        house = House(server, format, project(tmp_path))
        async with open_engine(house, budget=Budget(tokens=500)) as engine:
            talk = Talk(engine.session("s"))
            await _three(talk)
            held = await _held(talk)
            assert held.reason is HoldReason.BUDGET
            for _ in range(20):  # a few times are enough, each lets a request be sent
                if talk.session.hold is not None:
                    talk.session.release()
                    await talk.session.settled()
            assert talk.session.hold is None
            receipts = await talk.receipts()
        await house.close()
    assert {receipt.state for receipt in receipts.values()} == {State.ANSWERED}
    assert _order(talk) == talk.ids
