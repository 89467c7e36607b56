"""`agent-shell stress`: real floods, small ones, in this process and in one of their own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from agent_shell import EchoAgent, Engine
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell_cli import stress
from agent_shell_cli.exits import Exit, UsageError
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.result import Result, result_of
from support_scripted import environment
from support_stress import flooded, options, program

CONTRACT = [
    "n",
    "sessions",
    "accepted",
    "rejected",
    "answered",
    "failed",
    "cancelled",
    "withdrawn",
    "merged",
    "steered",
    "lost",
    "duplicated",
    "out_of_order",
    "max_concurrent_turns_per_session",
    "min_stack_depth",
    "max_stack_depth",
    "max_live_tasks",
    "guard_changes",
    "elapsed_s",
    "turns_per_s",
    "accept_p50_ms",
    "accept_p99_ms",
    "rss_start_mib",
    "rss_peak_mib",
    "rss_end_mib",
    "journal",
    "python",
    "flat",
    "ok",
]


def ended(result: Result) -> int:
    """How many receipts there are, of all states."""
    return (
        result.answered
        + result.failed
        + result.cancelled
        + result.withdrawn
        + result.merged
        + result.steered
    )


async def test_a_flood_is_answered_to_the_last_follow_up_on_a_flat_stack():
    """Every follow-up typed into a busy session runs, once, in order, at one depth."""
    result = await flooded()
    assert result.faults == []
    assert (result.accepted, result.answered, result.turns) == (200, 200, 200)
    assert result.min_stack_depth == result.max_stack_depth > 0
    assert result.max_live_tasks <= 2
    assert (result.guards, result.guard_changes) == (1, 0)
    assert result.rejected == 0


async def test_a_flood_is_as_flat_on_a_durable_journal():
    """By default a flood is recorded as chats are, in a file that is gone at the end."""
    result = await flooded(journal=None, sessions=2)
    assert result.faults == []
    assert result.answered == 400
    assert result.journal == "a temporary file"


async def test_a_flood_needs_a_journal_without_a_queue(tmp_path: Path):
    """Where an earlier flood has left a queue, the order could not be told: it is refused."""
    path = str(tmp_path / "sessions.sqlite")
    journal = SqliteJournal(path)
    async with Engine(EchoAgent(), journal=journal) as engine:
        session = await engine.open("stress-1")
        session.put_on_hold()
        await session.submit("left")
    await journal.close()
    with pytest.raises(UsageError, match="has a queue of an earlier flood"):
        await flooded(journal=path)


async def test_one_follow_up_is_a_flood_too():
    """The smallest run has all figures."""
    result = await flooded(n=1, producers=1)
    assert result.faults == []


async def test_a_small_queue_refuses_aloud_and_loses_nothing():
    """Refused producers wait for room, and all gets in at last."""
    result = await flooded(sessions=3, queue_limit=10)
    assert result.faults == []
    assert result.rejected > 0
    assert result.answered == 600


async def test_no_session_waits_for_the_whole_queue_of_another():
    """Busy sessions take turns."""
    result = await flooded(sessions=20, n=50)
    assert result.faults == []
    assert result.max_spread <= 2


@pytest.mark.parametrize("queue_limit", [None, 10, 1])
@pytest.mark.parametrize("seed", range(6))
async def test_chaos_ends_every_follow_up_exactly_once(seed: int, queue_limit: int | None):
    """Whatever users and agents do: one receipt each, in the order that was last arranged."""
    result = await flooded(chaos=True, seed=seed, sessions=3, queue_limit=queue_limit)
    assert result.faults == []
    assert ended(result) == result.accepted == 600
    assert result.failed > 0
    assert result.cancelled > 0
    assert result.steered > 0


@pytest.mark.parametrize("queue_limit", [None, 10, 1])
@pytest.mark.parametrize("seed", range(2))
async def test_chaos_on_a_durable_journal_is_as_exact(seed: int, queue_limit: int | None):
    """What is refused and what runs next is foretold there too, while commits are under way."""
    result = await flooded(chaos=True, seed=seed, sessions=3, queue_limit=queue_limit, journal=None)
    assert result.faults == []
    assert ended(result) == result.accepted == 600
    assert (result.rejected > 0) == (queue_limit is not None)


async def test_the_seed_says_whether_a_failure_holds_the_queue():
    """Both ways of going on after a failed turn are flooded."""
    assert (await flooded(n=10, chaos=True, seed=0)).on_failure == "hold"
    assert (await flooded(n=10, chaos=True, seed=1)).on_failure == "continue"


async def test_an_interrupted_flood_keeps_what_it_measured():
    """Cancelled while it waits at the gate: nothing ran on, and the queue is accounted for."""

    class Shut(Flood):
        def open_gate(self) -> None:
            running.cancel()

    flood = Shut(options(n=100))
    running = asyncio.create_task(flood.run())
    with pytest.raises(asyncio.CancelledError):
        await running
    result = result_of(flood)
    assert result.faults == ["cut_off=interrupted"]
    assert (result.accepted, result.answered, result.cancelled) == (100, 0, 1)
    assert result.left == 99


def test_what_cannot_be_flooded_is_refused_with_a_reason():
    """A count below 1 and a journal that can't be opened are usage errors."""
    with pytest.raises(UsageError, match="--producers is 0; it must be at least 1"):
        stress.run(options(producers=0))
    with pytest.raises(UsageError, match="the journal /dev/null/x can't be made"):
        stress.run(options(journal="/dev/null/x"))


def test_json_is_one_object_with_every_figure_of_the_contract():
    """Standard output has the object and nothing else; standard error is silent in a pipe."""
    ran = program("--n", "300", "--sessions", "2", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    figures = json.loads(ran.stdout)
    assert [name for name in CONTRACT if name not in figures] == []
    assert figures["ok"] is True
    assert figures["accepted"] == figures["answered"] == 600
    assert figures["rss_peak_mib"] >= figures["rss_start_mib"] > 0


def test_chaos_tells_the_seed_that_it_chose():
    """Without `--seed` one is drawn, and told, so that the run can be repeated."""
    ran = program("--n", "50", "--chaos", "--json")
    assert ran.returncode == 0
    assert isinstance(json.loads(ran.stdout)["seed"], int)


def test_without_a_terminal_the_summary_is_plain_text_with_its_plots():
    """No colour and no cursor movement in a pipe."""
    ran = program("--n", "300")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\x1b" not in ran.stdout
    assert "frames on the stack, over handoffs" in ran.stdout
    assert "turns a second, over handoffs" in ran.stdout
    assert "OK: flat at" in ran.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_control_c_prints_what_was_measured_until_then():
    """An interrupted flood is not right, says how far it came, and ends with 130."""
    shell = pexpect.spawn(
        sys.executable,
        ["-m", "agent_shell_cli", "stress", "--n", "400000"],
        encoding="utf-8",
        timeout=60,
    )
    shell.expect("receipts")  # the progress is on the screen: the flood has begun
    shell.sendintr()
    shell.expect("NOT OK: .*cut_off=interrupted")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == Exit.INTERRUPTED


@pytest.mark.skipif(sys.platform == "win32", reason="its processes are ended without a word")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_leaves_no_file(tmp_path: Path, number: signal.Signals):
    """The journal of a flood that is terminated is deleted; what was measured is printed."""
    shell = subprocess.Popen(
        [sys.executable, "-m", "agent_shell_cli", "stress", "--n", "400000", "--json"],
        stdout=subprocess.PIPE,
        env=environment(TMPDIR=str(tmp_path)),
    )
    while not list(tmp_path.glob("agent-shell-stress-*/sessions.sqlite-wal")):
        assert shell.poll() is None
    shell.send_signal(number)
    out, _ = shell.communicate()
    assert shell.returncode == Exit.TERMINATED
    assert json.loads(out)["cut_off"] == "interrupted"
    assert list(tmp_path.iterdir()) == []
