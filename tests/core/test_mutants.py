"""Faults built into the engine are caught; all of them by `tests/mutants/run.py`."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from mutants.faults import FAULTS, Fault, Stale
from mutants.run import CORE, judge


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_fault_can_be_built_in(fault: Fault, tmp_path: Path):
    """The text that it replaces is in the engine, once, and what comes of it is Python."""
    core = tmp_path / "agent_shell"
    for file, _, _ in fault.edits:
        (core / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CORE / file, core / file)
    fault.apply(core)
    for file, _, _ in fault.edits:
        ast.parse((core / file).read_text())
        assert (core / file).read_text() != (CORE / file).read_text()


def test_a_fault_whose_text_has_gone_says_so(tmp_path: Path):
    """An edit that no longer fits is an error, and not a fault that nothing catches."""
    (tmp_path / "turn.py").write_text("nothing of it")
    with pytest.raises(Stale, match=r"lost: turn.py has 0 times"):
        Fault("lost", ("turn.py", "gone", "")).apply(tmp_path)


@pytest.mark.parametrize("fault", FAULTS[:6], ids=lambda fault: fault.name)
def test_the_explorer_catches_the_original_faults(fault: Fault):
    """Those of the gateway that the engine learns from, in few schedules."""
    assert judge(fault, rounds=1, later=()).check is not None
