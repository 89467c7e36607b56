"""The engine agrees with a list and a loop, whatever is asked of it in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from model.machine import Compared
from model.machine_on_file import ComparedOnFile


@pytest.mark.parametrize(("machine", "examples"), [(Compared, 200), (ComparedOnFile, 30)])
def test_the_engine_agrees_with_the_reference(machine: type[Compared], examples: int):
    """Queue, running, hold, receipts, guard and record are those of the plain list.

    On a file also after crashes and restarts.
    """
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=40),
    )
