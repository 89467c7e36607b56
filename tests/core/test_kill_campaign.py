"""A short kill campaign, and proof that its judge can find a fault.

The long one is `python tests/campaign/kill.py --kills 300`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from campaign.crashes import Crashes
from campaign.ledger import Ledger, Row, Snapshot, Turn, read_snapshot
from campaign.owners import Owners, check_turns


def quiet(line: str) -> None:
    """Says nothing of the campaign's progress."""


def test_nothing_is_lost_over_kills(tmp_path: Path):
    """What was acknowledged is there after every SIGKILL, once, and in its order."""
    campaign = Crashes(tmp_path / "j.sqlite", kills=15, seed=7, progress=quiet)
    campaign.run()
    assert campaign.ledger.faults == []
    assert campaign.restarts == 15
    assert len(campaign.ledger.receipts) >= len(campaign.ledger.acknowledged) > 0


def test_two_processes_never_own_a_session_at_once(tmp_path: Path):
    """Owners that are killed and stopped are succeeded; what they say later is void."""
    owners = Owners(tmp_path / "j.sqlite", rounds=4, seed=7, progress=quiet)
    owners.run()
    assert owners.ledger.faults == []
    assert owners.take_overs == 4


# The judge: a history that was written by hand, and one fault in each.


def accepted(id: str, position: int = 1) -> dict[str, Any]:
    return {
        "told": {
            "type": "follow_up.accepted",
            "id": id,
            "text": f"text of {id}",
            "lane": "queue",
            "position": position,
        }
    }


def started(id: str, turn: int) -> dict[str, Any]:
    return {"told": {"type": "turn.started", "id": id, "turn": turn}}


def ended(id: str) -> dict[str, Any]:
    return {"told": {"type": "turn.ended", "id": id, "state": "answered"}}


def receipt(id: str, turn: int, state: str = "answered") -> dict[str, Any]:
    return {"told": {"type": "receipt", "id": id, "turn": turn, "state": state}}


HISTORY = [
    accepted("a", 0),
    started("a", 1),
    accepted("b", 1),
    accepted("c", 2),
    accepted("d", 3),
    ended("a"),
    receipt("a", 1),
    started("b", 2),
]


def the_file() -> Snapshot:
    """What a crash leaves after that history: a answered, b cut off, c and d waiting."""
    states = {"a": "answered", "b": "running", "c": "queued", "d": "queued"}
    turns = {"a": 1, "b": 2}
    return Snapshot(
        {id: Row(id, f"text of {id}", state, "", turns.get(id)) for id, state in states.items()},
        [Turn(1, "a", "answered", "text of a"), Turn(2, "b", "running", "text")],
        ["c", "d"],
    )


def told(history: list[dict[str, Any]]) -> Ledger:
    ledger = Ledger()
    for id in "abcd":
        ledger.sends({"do": "submit", "id": id, "text": f"text of {id}", "lane": "queue"})
    for line in history:
        ledger.hears(line)
    return ledger


def test_a_true_history_has_no_faults():
    """The judge does not cry wolf: not after the crash, not after the next start."""
    ledger, before = told(HISTORY), the_file()
    ledger.crashed(before)
    after = the_file()
    after.turns[1].state = "interrupted"
    after.rows["b"].state = "queued"
    after.queue.insert(0, "b")
    opened = {
        "opened": [[id, ""] for id in "bcd"],
        "count": 3,
        "cut_off": {"id": "b", "answer": "text"},
    }
    ledger.reopened(before, after, opened)
    assert ledger.faults == []


def _lose(file: Snapshot) -> None:
    del file.rows["c"]
    file.queue.remove("c")


def _take_receipt_back(file: Snapshot) -> None:
    file.rows["a"].state = "queued"


def _change_receipt(file: Snapshot) -> None:
    file.rows["a"].state = "failed"


def _run_again(file: Snapshot) -> None:
    file.turns.insert(1, dataclasses.replace(file.turns[0], number=3))


def _swap(file: Snapshot) -> None:
    file.queue.reverse()


def _edit(file: Snapshot) -> None:
    file.rows["d"].text = "another text"


def _say_else(file: Snapshot) -> None:
    file.turns[1].answer = "no part of it"


def _run_two(file: Snapshot) -> None:
    file.turns.append(Turn(3, "c", "running"))


def _appear(file: Snapshot) -> None:
    file.rows["ghost"] = Row("ghost", "boo", "queued")


def _damage(file: Snapshot) -> None:
    file.integrity = "row 7 missing from index"


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (_lose, "lost"),
        (_take_receipt_back, "lost"),
        (_change_receipt, "changed"),
        (_run_again, "duplicated"),
        (_swap, "out_of_order"),
        (_edit, "changed"),
        (_say_else, "changed"),
        (_run_two, "two_at_once"),
        (_appear, "appeared"),
        (_damage, "integrity"),
    ],
)
def test_a_faulty_file_is_found(spoil: Callable[[Snapshot], None], kind: str):
    """One thing is wrong with what the crash left, and the judge says which."""
    ledger, file = told(HISTORY), the_file()
    spoil(file)
    ledger.crashed(file)
    assert kind in ledger.counts()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (receipt("a", 1), "duplicated"),
        (receipt("a", 1, "failed"), "changed"),
        (accepted("a"), "duplicated"),
        (started("c", 3), "two_at_once"),
        (started("c", 2), "turn_numbers"),
        ({"refused": 9, "do": "submit", "id": "c", "why": "JournalError: no"}, "refused"),
    ],
)
def test_a_faulty_word_is_found(line: dict[str, Any], kind: str):
    """One thing that a worker tells cannot be, and the judge says why."""
    assert kind in told([*HISTORY, line]).counts()


def test_turns_out_of_order_are_found():
    """A turn that starts while another follow-up is the next is one."""
    assert "out_of_order" in told([*HISTORY[:-1], started("c", 2)]).counts()


def test_an_accepted_input_without_a_receipt_is_found_at_the_end():
    """When all has drained, what still waits was forgotten."""
    ledger = told(HISTORY)
    ledger.finished(the_file())
    assert "lost" in ledger.counts()


def test_a_cut_off_turn_that_is_not_said_is_found():
    """The next worker must show the turn that the crash cut off."""
    ledger, before = told(HISTORY), the_file()
    ledger.reopened(before, before, {"opened": [], "count": 2, "cut_off": None})
    assert "interrupted" in ledger.counts()


def test_what_a_stopped_worker_gets_in_is_found():
    """A word that is in no file, and a turn that no record calls interrupted."""
    ledger, file = told(HISTORY), the_file()
    ledger.hears_late(accepted("x"), file)
    ledger.hears_late(receipt("c", 2), file)
    lines = [
        {"what": "start", "fence": 2, "turn": 1, "pid": 2},
        {"what": "start", "fence": 1, "turn": 2, "pid": 1},
    ]
    check_turns(lines, file, ledger)
    assert ledger.counts() == {"ghost": 2, "two_at_once": 1}


def test_a_file_of_the_journal_can_be_read(tmp_path: Path):
    """The judge's own reading agrees with a file that a campaign wrote."""
    campaign = Crashes(tmp_path / "j.sqlite", kills=1, seed=1, progress=quiet)
    campaign.run()
    file = read_snapshot(tmp_path / "j.sqlite")
    assert file.queue == []
    assert set(file.rows) >= campaign.ledger.acknowledged
