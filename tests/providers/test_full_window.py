"""A queue that is longer than what the model reads at once: summaries keep it going, in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_shell import State
from agent_shell.events import TurnNotice, TurnStarted
from providers.house import MODELS, House, Talk, open_engine
from providers.mending import MENDED, TASK, mender, project
from providers.story import Asked, Part, Said, say
from providers.wire_server import WireServer

WINDOW = 6_000  # tokens of four characters, as the server counts them
LONG = "and-on-" * 400  # one word, so one event


def talkative(asked: Asked) -> Sequence[Part]:
    """Does the task, answers notes at length, and summarises when it is told to."""
    if asked.said[0].role == "system" and "You summarise" in asked.said[0].text:
        return [say("Summary: notes were heard.")]
    answer = mender(asked)
    return [*answer, say(f" {LONG}")] if _is_note(asked.said) else answer


def _is_note(said: Sequence[Said]) -> bool:
    return said[-1].role == "user" and "NOTE" in said[-1].text


@pytest.mark.parametrize("format", MODELS)
async def test_a_long_queue_outlives_the_window(format: str, tmp_path: Path):
    """Nothing is refused for its length, nothing is lost, and a task among it is done."""
    async with WireServer(talkative, window=WINDOW) as server:
        house = House(server, format, project(tmp_path), window=WINDOW)
        async with open_engine(house) as engine:
            talk = Talk(engine.session("s"))
            for number in range(8):
                await talk.submit(f"NOTE {number}")
            await talk.submit(TASK)
            await talk.submit("NOTE last")
            receipts = await talk.receipts()
        await house.close()
        assert max(len(json.dumps(asked.body)) // 4 for asked in server.asked) <= WINDOW
    assert {receipt.state for receipt in receipts.values()} == {State.ANSWERED}
    assert [e.id for e in talk.told() if isinstance(e, TurnStarted)] == talk.ids
    assert receipts[talk.ids[3]].answer.startswith("Heard NOTE 3.")
    assert receipts[talk.ids[8]].answer.endswith("Mended.")
    assert (tmp_path / "sums.py").read_text() == MENDED
    told = [event.text for event in talk.told() if isinstance(event, TurnNotice)]
    assert any("being summarised" in text for text in told), "it is shown"
