"""Follow-ups, steers and interrupts at points of every kind; `sweep.py` takes all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_shell import State
from providers.house import MODELS
from providers.mending import MENDED
from providers.sweep import DOINGS, bench, few_points, nothing


@pytest.mark.parametrize("format", MODELS)
async def test_the_task_is_done_where_nothing_happens(format: str, tmp_path: Path):
    """The model reads, edits after a question, runs the check after another, and says so."""
    async with bench(format, tmp_path) as one:
        run = await one.run(-1, nothing)
        first = run.receipts[run.first]
        assert (first.state, first.answer) == (State.ANSWERED, "Read.\n\nCheck.\n\nMended.")
        assert (tmp_path / "sums.py").read_text() == MENDED
        assert [asked.tool for asked in one.house.person.asked] == ["edit", "shell"]


@pytest.mark.parametrize("name", DOINGS)
@pytest.mark.parametrize("format", MODELS)
async def test_at_any_point(format: str, name: str, tmp_path: Path):
    """Whatever is done wherever: one receipt each, in order, and only right histories."""
    third = list(MODELS).index(format)  # each format takes other points than the others
    async with bench(format, tmp_path) as one:
        points, requests = await one.sweep(DOINGS[name], lambda found: few_points(found)[third::3])
    assert points > 5
    assert requests > points
