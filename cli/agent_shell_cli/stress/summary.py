"""What a flood has shown, in words and in rows of points: pure functions over its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from agent_shell.records import frozen
from agent_shell_cli.stress.baseline import CHAIN, RECURSION, Baseline
from agent_shell_cli.stress.meter import Sample
from agent_shell_cli.stress.plot import Point
from agent_shell_cli.stress.result import Result

__all__ = ["Curves", "curves", "headline", "rows", "verdict"]

_NAMES = {RECURSION: "recursive drain", CHAIN: "bare task chain"}


@frozen
class Curves:
    """One figure over the handoffs: that of the flood, and by name those beside it."""

    title: str
    points: Sequence[Point]
    beside: dict[str, Sequence[Point]]


def headline(result: Result) -> str:
    """What was done."""
    chaos = f", chaos from --seed {result.seed}" if result.chaos else ""
    return (
        f"{result.n:,} follow-ups for each session ({result.sessions:,}) while its first turn "
        f"runs; {result.producers} producers, queue limit {result.queue_limit:,}, "
        f"journal {result.journal}, Python {result.python}{chaos}"
    )


def rows(r: Result, baselines: Sequence[Baseline] = ()) -> list[tuple[str, str]]:
    """The figures, each under its name."""
    ends = ("answered", "failed", "cancelled", "withdrawn", "merged", "steered")
    counts = ((name, getattr(r, name)) for name in ends)
    memory = " → ".join(
        "?" if figure is None else f"{figure:,.1f}"
        for figure in (r.rss_start_mib, r.rss_peak_mib, r.rss_end_mib)
    )
    return [
        ("accepted", f"{r.accepted:,}, and {r.rejected:,} refusals for want of room"),
        ("receipts", ", ".join(f"{count:,} {name}" for name, count in counts if count) or "none"),
        ("lost / doubled", f"{r.lost:,} / {r.duplicated:,}"),
        ("out of order", f"{r.out_of_order:,}, {r.unstarted:,} never started"),
        ("turns at once", f"{r.max_concurrent_turns_per_session} a session"),
        ("frames at a turn's start", f"{r.min_stack_depth} to {r.max_stack_depth}"),
        ("live tasks", f"{r.max_live_tasks} a session, counted every {r.live_tasks_sampled_every}"),
        ("guard", f"{r.guards:,} set, {r.guard_changes:,} changed while something waited"),
        ("fairness", f"no session more than {r.max_spread:,} turns ahead of another"),
        (
            "accepting",
            f"{r.accept_per_s:,.0f}/s; {r.accept_p50_ms:.3f} ms (p99: {r.accept_p99_ms:.3f})",
        ),
        ("turns", f"{r.turns:,} in {r.drain_s:.2f} s: {r.turns_per_s:,.0f}/s"),
        ("memory", f"{memory} MiB (start, peak, end)"),
        ("whole run", f"{r.elapsed_s:.2f} s"),
        *((_NAMES[one.kind], _beside(one, r)) for one in baselines),
    ]


def verdict(result: Result) -> str:
    """Whether all of it is as it must be, and what is not."""
    if result.ok:
        return (
            f"OK: flat at {result.max_stack_depth} frames over {result.turns:,} turns; nothing "
            "lost, doubled or out of order, one turn at a time"
        )
    return f"NOT OK: {', '.join(result.faults)}"


def curves(result: Result, baselines: Sequence[Baseline] = ()) -> list[Curves]:
    """What is plotted, of the figures that were told."""
    found = [
        Curves(
            title,
            points(result.samples),
            {_NAMES[one.kind]: drawn for one in baselines if (drawn := points(one.samples))},
        )
        for title, points in (("frames on the stack", _depths), ("memory in MiB", _memory))
    ]
    # What does nothing but hand over would leave no more than the ground line of it.
    found.append(Curves("turns a second", _rates(result.samples), {}))
    return [one for one in found if one.points]


def _depths(samples: Iterable[Sample]) -> list[Point]:
    return [(sample.turns, sample.depth) for sample in samples]


def _memory(samples: Iterable[Sample]) -> list[Point]:
    return [(one.turns, one.rss_mib) for one in samples if one.rss_mib is not None]


def _rates(samples: Iterable[Sample]) -> list[Point]:
    return [
        (float(b.turns), (b.turns - a.turns) / (b.at - a.at))
        for a, b in pairwise(samples)
        if b.at > a.at
    ]


def _beside(one: Baseline, flood: Result) -> str:
    if not one.turns:
        return f"died of {one.ended}"
    least, most = one.min_stack_depth, one.max_stack_depth
    depth = f"{least} frames" if least == most else f"{least} to {most:,} frames"
    if one.ended:
        return f"died after {one.turns:,} turns, {depth}: {one.ended}"
    rate = f"{one.turns:,} turns, {depth}: {one.turns_per_s:,.0f}/s"
    if one.kind != CHAIN or not flood.turns_per_s:
        return rate
    return f"{rate}, {one.turns_per_s / flood.turns_per_s:.1f} times the flood's"
