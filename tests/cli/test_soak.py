"""A short soak, and proof that its gauges find what grows.

The long one is `python tests/campaign/soak.py --seconds 3600`.
"""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from campaign.gauges import Sample, faults

_SCRIPT = Path(__file__).parents[1] / "campaign" / "soak.py"


@pytest.mark.skipif(sys.platform != "linux", reason="the gauges are read from /proc")
def test_a_steady_load_leaves_nothing_behind():
    """Each follow-up gets its receipt, and memory, handles, tasks and the journal are flat."""
    ran = subprocess.run(
        [sys.executable, str(_SCRIPT), "--seconds", "8", "--rate", "150"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.stderr == ""
    found = json.loads(ran.stdout)
    assert found["faults"] == []
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert found["sessions_deleted"] > 0
    assert ran.returncode == 0


def flat() -> list[Sample]:
    """An hour of samples with noise and without a slope."""
    chance = random.Random(1)
    return [
        Sample(
            at=5.0 * number,
            done=500 * number,
            kept=25 * number,
            rss_mib=30.0 + chance.random(),
            handles=16 + chance.randrange(2),
            tasks=20 + chance.randrange(40),
            threads=3,
            file_mib=2.0 + 25 * number * 300 / (1 << 20) + chance.random() / 10,
            log_mib=3.9,
        )
        for number in range(720)
    ]


def test_noise_is_no_growth():
    """Gauges that go up and down are flat, and so is a file that grows by what is kept."""
    assert faults(flat()) == []


@pytest.mark.parametrize(
    ("gauge", "most"),
    [("rss_mib", 5), ("handles", 4), ("tasks", 18), ("threads", 2), ("log_mib", 4)],
)
def test_slow_growth_is_found(gauge: str, most: int):
    """A leak that no single look could tell from noise shows in the slope."""
    grown = [
        dataclasses.replace(s, **{gauge: getattr(s, gauge) + most * number / 720})
        for number, s in enumerate(flat())
    ]
    assert [fault.split()[0] for fault in faults(grown)] == [gauge]


def test_a_file_that_grows_by_what_is_deleted_is_found():
    """Pages of deleted sessions must be used again."""
    grown = [dataclasses.replace(s, file_mib=s.file_mib + s.done * 0.0001) for s in flat()]
    assert [fault.split()[0] for fault in faults(grown)] == ["file_mib"]
