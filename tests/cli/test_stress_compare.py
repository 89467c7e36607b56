"""What the handoff is measured against, and the page that shows it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from agent_shell_cli import stress
from agent_shell_cli.exits import UsageError
from agent_shell_cli.stress.baseline import CHAIN, RECURSION, Baseline, measured
from agent_shell_cli.stress.chart import chart, steps_to
from agent_shell_cli.stress.compare import compared
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.report import page, write
from agent_shell_cli.stress.result import result_of
from agent_shell_cli.stress.summary import curves, rows
from support_stress import flooded, options, program


def standing_in(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Has this shell script run in place of the Python that measures."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


async def test_the_recursion_dies_and_the_chain_stays_flat():
    """A turn that awaits the next is a frame deeper each time; a chain of tasks is not."""
    recursion, chain = await compared(300)
    assert (recursion.kind, chain.kind) == (RECURSION, CHAIN)
    assert recursion.ended.startswith("RecursionError")
    assert 0 < recursion.turns < sys.getrecursionlimit()
    deeper = recursion.max_stack_depth - recursion.min_stack_depth
    assert deeper >= recursion.turns - 2  # it can die amid the measuring of the last
    assert (chain.ended, chain.turns) == ("", 300)
    assert chain.min_stack_depth == chain.max_stack_depth > 0
    assert chain.max_live_tasks == 1


def test_an_error_amid_the_chain_is_no_endless_wait(monkeypatch: pytest.MonkeyPatch):
    """What a turn raises ends the run."""
    monkeypatch.setattr("agent_shell_cli.stress.meter.Meter.turn_started", lambda self: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        measured(CHAIN, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    ("script", "ended"),
    [("kill -SEGV $$", "SIGSEGV"), ("echo no memory >&2; exit 3", "exit code 3: no memory")],
)
async def test_a_process_that_tells_no_figures_says_what_it_died_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ended: str
):
    """A run that takes its process with it is a result, and has no made-up figure."""
    standing_in(monkeypatch, tmp_path, script)
    recursion, chain = await compared(10)
    assert recursion == Baseline(kind=RECURSION, ended=ended)
    told = dict(rows(await flooded(n=10), [recursion, chain]))
    assert told["recursive drain"] == f"died of {ended}"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
async def test_no_process_outlives_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Cancelled, it ends what it has started."""
    told = tmp_path / "pid"
    standing_in(
        monkeypatch, tmp_path, f"echo $$ > {told}.new; mv {told}.new {told}; exec sleep 600"
    )
    comparing = asyncio.create_task(compared(10))
    while not told.exists():
        await asyncio.sleep(0)
    comparing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await comparing
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_what_stands_beside_is_told_where_it_was_asked_for(tmp_path: Path):
    """`--compare` adds one key to the object, and the page is written beside it."""
    place = tmp_path / "flood.html"
    ran = program("--n", "300", "--compare", "--json", "--report", str(place))
    assert (ran.returncode, ran.stderr) == (0, "")
    beside = json.loads(ran.stdout)["compare"]
    assert beside[RECURSION]["ended"].startswith("RecursionError")
    assert beside[CHAIN]["turns"] == 300
    assert "recursive drain" in place.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [place]
    assert "compare" not in json.loads(program("--n", "10", "--json").stdout)


def test_the_summary_says_what_became_of_them():
    """Beside the flood's own figures."""
    ran = program("--n", "300", "--compare")
    assert ran.returncode == 0
    assert re.search(r"recursive drain\W+died after \d+ turns", ran.stdout)
    assert re.search(r"bare task chain\W+300 turns, \d+ frames: [\d,]+/s", ran.stdout)


def test_a_page_has_all_figures_and_loads_nothing():
    """It can be sent to anybody: no address, no script."""
    result, beside = asyncio.run(flooded()), [measured(RECURSION, 200), measured(CHAIN, 200)]
    text = page(result, beside)
    assert "://" not in text
    assert "<script" not in text
    assert "OK: flat at" in text
    assert text.count("<svg") == len(curves(result, beside)) >= 2
    assert all(f"&quot;{name}&quot;" in text for name in result.as_json())


async def test_a_page_of_a_flood_that_was_cut_off_says_so():
    """Whatever was measured: also nothing."""
    flood = Flood(options(n=10))
    flood.cut_off = "interrupted"
    assert "NOT OK: " in page(result_of(flood), [])


def test_a_report_that_could_not_be_written_is_refused_before_the_flood(tmp_path: Path):
    """The place is looked at first: no flood is run for nothing."""
    with pytest.raises(UsageError, match="it is a folder; name a file in it"):
        stress.run(options(report=str(tmp_path)))
    with pytest.raises(UsageError, match="there is no folder"):
        stress.run(options(report=str(tmp_path / "no" / "such.html")))


def test_a_report_that_fails_leaves_what_was_there(tmp_path: Path):
    """It is put in place as a whole."""
    place = tmp_path / "flood.html"
    place.mkdir()
    with pytest.raises(UsageError, match="it could not be written"):
        write(place, "page")
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize(
    ("most", "steps"),
    [
        (0, [0, 1]),
        (7, [0, 2, 4, 6]),
        (5000, [0, 2000, 4000]),
        (0.8, [0, 0.2, 0.4, 0.6000000000000001, 0.8]),
    ],
)
def test_an_axis_has_round_figures(most: float, steps: list[float]):
    """From 0 up to the greatest, about five."""
    assert steps_to(most) == steps


def test_a_curve_that_ends_early_is_marked():
    """Where the recursion dies, there is a dot."""
    short, long = [(0.0, 0.0), (10.0, 50.0)], [(0.0, 5.0), (100.0, 5.0)]
    drawn = chart([long, short])
    assert re.findall(r'<circle class="(c\d)"', drawn) == ["c1"]
    assert len(re.findall("<polyline", drawn)) == 2
