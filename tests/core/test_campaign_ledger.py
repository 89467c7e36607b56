"""The judge of the campaigns does not blame an engine that is right, wherever it is killed.

Sessions are made up without an event loop: the decisions give the facts, the state gives
what the file would have at each moment. Of the facts the judge is told the first part.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from agent_shell import FollowUp, Hold, HoldReason, Lane, Limits, OnFailure, State
from agent_shell.commands import (
    Command,
    Interrupt,
    Move,
    PutOnHold,
    Release,
    Remove,
    Submit,
    TakeSteers,
    TurnOver,
)
from agent_shell.events import Fact, as_json
from agent_shell.state import SessionState
from agent_shell.transitions import decide
from campaign.ledger import Ledger, Snapshot

_LANES = [Lane.QUEUE] * 3 + [Lane.STEER] * 2 + [Lane.INTERRUPT, Lane.MERGE]
_UNTOLD = 5  # steps that the judge may have heard nothing of


@dataclass
class Step:
    """One command: what its sender says first, the facts of it, and what waits then."""

    sent: dict[str, Any]
    facts: list[dict[str, Any]]
    waiting: list[str]


def story(chance: random.Random, length: int) -> list[Step]:
    """A session in which the user changes his mind all the time."""
    state = SessionState("s", Limits(1000), OnFailure.CONTINUE)
    steps: list[Step] = []
    while len(steps) < length:
        command = _command(state, chance, len(steps))
        effects = decide(state, command, 1.0)
        facts = [as_json(effect, 0) for effect in effects if isinstance(effect, Fact)]
        # After a crash, what was to steer runs before what was queued.
        inbox = [f.id for f in state.turn.inbox] if state.turn is not None else []
        waiting = [*inbox, *(f.id for f in state.queue)]
        steps.append(Step(_said(command), facts, waiting))
    return steps


def _command(state: SessionState, chance: random.Random, number: int) -> Command:
    queue = [f.id for f in state.queue]
    choice = chance.random()
    if state.turn is not None and choice < 0.2:
        end = chance.choice([State.ANSWERED, State.FAILED])
        return TurnOver(state.turn.number, end, "", "", None, 0.0)
    if state.turn is not None and choice < 0.25:
        return TakeSteers(state.turn.number, "")
    if queue and choice < 0.35:
        return Move(chance.choice(queue), chance.randint(1, len(queue)))
    if queue and choice < 0.42:
        return Remove(chance.choice(queue), "user")
    if choice < 0.6:
        release: Command = Release("user")
        hold = PutOnHold(Hold(HoldReason.USER))
        return chance.choice([Interrupt("user"), release, release, hold])
    return Submit(FollowUp(f"f{number}", "text", chance.choice(_LANES), "user", 0.0))


def _said(command: Command) -> dict[str, Any]:
    match command:
        case Submit(f):
            return {"do": "submit", "id": f.id, "text": f.text, "lane": f.lane.value}
        case Move(id):
            return {"do": "move", "id": id}
        case _:
            return {"do": "something"}


@pytest.mark.parametrize("seed", range(40))
def test_a_right_order_is_never_called_wrong(seed: int):
    """Whatever was told of a session that was killed, the file agrees with it."""
    chance = random.Random(seed)
    steps = story(chance, 80)
    for killed in range(10, len(steps)):
        ledger = Ledger()
        told = killed - chance.randint(0, _UNTOLD)
        for number, step in enumerate(steps[:killed]):
            ledger.sends(step.sent)
            for fact in step.facts if number < told else ():
                ledger.hears({"told": fact})
        left = steps[killed - 1].waiting
        ledger._order_stands(Snapshot({}, [], left))
        assert ledger.faults == [], f"killed after {killed} steps, of which {told} were told"
