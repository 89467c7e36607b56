"""What a flood has shown: its figures, and whether they are as they must be."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

from agent_shell import State
from agent_shell_cli.stress import memory
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.journal import name_of
from agent_shell_cli.stress.meter import Meter, Sample, figures
from agent_shell_cli.stress.seat import Books

__all__ = ["Result", "result_of"]


@dataclass(slots=True, kw_only=True)
class Result:
    """The figures of one run, by the names that `--json` gives them.

    `rejected` counts refusals, after each of which its producer tried again.
    `out_of_order` counts turns that started after their time, twice or unasked,
    `unstarted` turns that never did, `misattributed` answers to another input.
    `guard_changes` counts turns that found the guard missing or exchanged though
    something had waited all the time (so 0 is right); `guards` counts the guards
    that were seen, 1 a session where its queue never ran empty. `leaks` counts
    turns that saw a context variable or an exception of an earlier turn.
    `max_live_tasks` is of one session (with several: their mean, rounded up).
    `max_spread` is how many turns one busy session was ever ahead of another.
    `turns_per_s` is over `drain_s`, from the gate's opening to the last receipt;
    `accept_per_s` over `flood_s`, from the start to the last acceptance. Memory is
    `None` where the operating system tells none; `missed_events` must be 0, or
    the counts are not complete. `left` is what a run that was `cut_off` left.
    """

    n: int
    sessions: int
    producers: int
    queue_limit: int
    chaos: bool
    seed: int | None
    on_failure: str
    accepted: int
    rejected: int
    answered: int
    failed: int
    cancelled: int
    withdrawn: int
    merged: int
    steered: int
    lost: int
    duplicated: int
    out_of_order: int
    unstarted: int
    misattributed: int
    missed_events: int
    left: int
    turns: int
    max_concurrent_turns_per_session: int
    min_stack_depth: int
    max_stack_depth: int
    max_live_tasks: int
    live_tasks_sampled_every: int
    leaks: int
    guards: int
    guard_changes: int
    max_spread: int
    elapsed_s: float
    flood_s: float
    drain_s: float
    accept_per_s: float
    turns_per_s: float
    accept_p50_ms: float
    accept_p99_ms: float
    rss_start_mib: float | None
    rss_peak_mib: float | None
    rss_end_mib: float | None
    journal: str
    python: str
    cut_off: str | None
    flat: bool
    samples: list[Sample]

    @property
    def faults(self) -> list[str]:
        """The figures that are not as they must be, as `name=value`."""
        wanted: dict[str, object] = {
            "accepted": self.n * self.sessions,
            "max_concurrent_turns_per_session": 1,
            "flat": True,
            "cut_off": None,
            **dict.fromkeys(_MUST_BE_ZERO, 0),
        }
        return [
            f"{name}={is_}" for name, must in wanted.items() if (is_ := getattr(self, name)) != must
        ]

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, doubled or out of order, one at a time, and flat."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {**figures(self), "ok": self.ok}


_MUST_BE_ZERO = (
    "lost",
    "duplicated",
    "out_of_order",
    "unstarted",
    "misattributed",
    "missed_events",
    "guard_changes",
)


def result_of(flood: Flood) -> Result:
    """The figures of a flood that is over, or was cut off."""
    options = flood.options
    return Result(
        n=options.n,
        sessions=options.sessions,
        producers=options.producers,
        queue_limit=flood.limit,
        chaos=options.chaos,
        seed=flood.seed if options.chaos else None,
        on_failure=flood.on_failure.value,
        journal=name_of(options.journal),
        python=platform.python_version(),
        cut_off=flood.cut_off,
        left=len(flood.left),
        flat=flood.meter.flat,
        **_inputs(flood.books, flood.left),
        **_sessions(flood),
        **_turns(flood.meter),
        **_times(flood),
        **_memory(flood),
    )


def _inputs(books: Books, left: list[str]) -> dict[str, Any]:
    ledger = books.ledger
    ends = (
        State.ANSWERED,
        State.FAILED,
        State.CANCELLED,
        State.WITHDRAWN,
        State.MERGED,
        State.STEERED,
    )
    return {
        "accepted": ledger.accepted,
        "rejected": books.rejected,
        "lost": ledger.lost(left),
        "duplicated": ledger.duplicated,
        "misattributed": ledger.misattributed,
        "missed_events": books.missed,
        "accept_p50_ms": books.latency_s.quantile(0.5) * 1000,
        "accept_p99_ms": books.latency_s.quantile(0.99) * 1000,
        **{state.value: ledger.ended(state) for state in ends},
    }


def _sessions(flood: Flood) -> dict[str, Any]:
    watches = flood.meter.watches
    unstarted = sum(watch.order.unstarted for watch in watches)
    return {
        "out_of_order": sum(watch.order.out_of_order for watch in watches),
        "unstarted": 0 if flood.cut_off else unstarted,
        "max_concurrent_turns_per_session": max(
            (watch.max_running for watch in watches), default=0
        ),
        "guards": sum(watch.guards for watch in watches),
        "guard_changes": sum(watch.guard_changes for watch in watches),
    }


def _turns(meter: Meter) -> dict[str, Any]:
    return {
        "turns": meter.turns,
        "min_stack_depth": meter.min_depth,
        "max_stack_depth": meter.max_depth,
        "max_live_tasks": meter.max_tasks,
        "live_tasks_sampled_every": meter.tasks_every,
        "leaks": meter.leaks,
        "max_spread": meter.max_spread,
        "samples": meter.samples,
    }


def _times(flood: Flood) -> dict[str, Any]:
    books, times = flood.books, flood.times
    flood_s = max(0.0, books.last_accepted_at - times.began)
    drain_s = max(0.0, books.last_receipt_at - times.opened) if times.opened else 0.0
    return {
        "elapsed_s": times.ended - times.began,
        "flood_s": flood_s,
        "drain_s": drain_s,
        "accept_per_s": books.ledger.accepted / flood_s if flood_s else 0.0,
        "turns_per_s": flood.meter.turns / drain_s if drain_s else 0.0,
    }


def _memory(flood: Flood) -> dict[str, Any]:
    start, end = flood.rss_mib
    seen = [start, end, *(sample.rss_mib for sample in flood.meter.samples)]
    peak = memory.peak_since(flood.peak_before_mib, seen)
    return {"rss_start_mib": start, "rss_end_mib": end, "rss_peak_mib": peak}
