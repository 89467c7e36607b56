"""A short campaign: chaos on a durable journal, killed from outside, taken up again.

The long one is `python tests/campaign/chaos.py --operations 1000000`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from campaign.chaos import Chaos
from campaign.ledger import Ledger, Row, Snapshot, Turn


def quiet(line: str) -> None:
    """Says nothing of the campaign's progress."""


def test_chaos_goes_on_over_kills(tmp_path: Path):
    """Nothing is lost, doubled or out of order, and the flood's own account agrees."""
    chaos = Chaos(tmp_path / "j.sqlite", operations=1, seed=3, life=150, progress=quiet)
    chaos.run()
    assert chaos.faults == []
    assert (chaos.kills, chaos.floods) == (6, 1)
    assert chaos.receipts.total() >= chaos.acknowledged > 0
    assert set(chaos.done) >= {"submit", "move", "edit", "remove", "release"}


def told(lanes: dict[str, str], inbox: list[str], queue: list[str]) -> Ledger:
    """A ledger that was told of these inputs, by lane, and that they wait there."""
    ledger = Ledger(inbox=inbox, queue=queue)
    for id, lane in lanes.items():
        ledger.sends({"do": "submit", "id": id, "text": id, "lane": lane})
        ledger.texts[id] = id
    ledger.changing.clear()
    return ledger


def left(*queue: str) -> Snapshot:
    """A file in which these wait."""
    return Snapshot({id: Row(id, id, "queued") for id in queue}, [], list(queue))


@pytest.mark.parametrize("file", [["s", "i", "q"], ["i", "s", "q"]])
def test_a_steer_that_came_too_late_is_before_the_queue(file: list[str]):
    """Behind an interrupt if the turn was stopped, before it if the process died."""
    lanes = {"s": "steer", "i": "interrupt", "q": "queue"}
    ledger = told(lanes, ["s"], ["i", "q"])
    ledger.crashed(left(*file))
    assert ledger.faults == []


def test_the_head_may_have_gone_before_the_steer_was_put_behind_the_next():
    """A removal that nobody was told of any more leaves the interrupt at the head."""
    lanes = {"s": "steer", "i": "interrupt", "q": "queue"}
    ledger = told(lanes, ["s"], ["q", "i"])
    ledger.crashed(Snapshot({id: Row(id, id, "queued") for id in "isq"}, [], ["i", "s"]))
    assert ledger.faults == []


@pytest.mark.parametrize(("queue", "said"), [(["a", "b"], True), (["b", "a"], False)])
def test_a_turn_that_was_cut_off_is_told_of_while_it_is_the_next(queue: list[str], said: bool):
    """Its owner may have moved another before it, and have been killed then."""
    file = left(*queue)
    file.turns, file.rows["a"].turn = [Turn(1, "a", "interrupted")], 1
    cut_off = {"id": "a", "answer": ""} if said else None
    opened = {"opened": [[id, id] for id in queue], "count": 2, "cut_off": cut_off}
    ledger = Ledger()
    ledger.reopened(file, file, opened)
    assert ledger.faults == []


@pytest.mark.parametrize("file", [["i", "q", "s"], ["q", "i", "s"], ["s", "q", "i"]])
def test_a_steer_behind_the_queue_is_out_of_order(file: list[str]):
    """And so is a queue in another order than was told."""
    lanes = {"s": "steer", "i": "interrupt", "q": "queue"}
    ledger = told(lanes, ["s"], ["i", "q"])
    ledger.crashed(left(*file))
    assert {kind for kind, _ in ledger.faults} == {"out_of_order"}
