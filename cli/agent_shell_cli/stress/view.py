"""What a person sees of a flood: its progress on a terminal, and the summary."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from itertools import pairwise

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.plot import Point, plot
from agent_shell_cli.stress.result import Result

__all__ = ["show", "with_progress"]

_REFRESH_S = 0.1
_WIDTH = 78


async def with_progress(flood: Flood) -> None:
    """Runs the flood; where standard error is a terminal, it shows how far it has come."""
    if not sys.stderr.isatty():
        await flood.run()
        return
    # It draws when told: a thread of its own would take the flood's time.
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("depth {task.fields[depth]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
    with progress:
        drawing = asyncio.create_task(_draw(progress, flood))
        try:
            await flood.run()
        finally:
            drawing.cancel()
            with suppress(asyncio.CancelledError):
                await drawing


async def _draw(progress: Progress, flood: Flood) -> None:
    accepted = progress.add_task("accepted", total=flood.total, depth="")
    settled = progress.add_task("receipts", total=flood.total, depth="")
    while True:
        ledger = flood.books.ledger
        progress.update(accepted, completed=ledger.accepted)
        progress.update(settled, completed=ledger.settled, depth=flood.meter.max_depth or "")
        progress.refresh()
        await asyncio.sleep(_REFRESH_S)


def show(result: Result, color: bool | None) -> None:
    """Prints the summary and the plots on standard output; `color` is `None` for automatic."""
    console = Console(
        no_color=None if color is None else not color, force_terminal=color or None, highlight=False
    )
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(_headline(result))
    console.print(_table(result))
    for title, style, points in _plots(result):
        console.print(Text(f"\n{title}", style="bold"))
        for line in plot(points, ascii_only=console.options.ascii_only):
            console.print(Text(line, style=style), no_wrap=True, crop=True)
    console.print()
    console.print(_verdict(result))


def _headline(result: Result) -> str:
    chaos = f", chaos from --seed {result.seed}" if result.chaos else ""
    return (
        f"{result.n:,} follow-ups for each session ({result.sessions:,}) while its first turn "
        f"runs; {result.producers} producers, queue limit {result.queue_limit:,}, "
        f"journal {result.journal}, Python {result.python}{chaos}"
    )


def _table(result: Result) -> Table:
    table = Table(show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _rows(result):
        table.add_row(name, text)
    return table


def _rows(r: Result) -> list[tuple[str, str]]:
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
    ]


def _plots(result: Result) -> list[tuple[str, str, list[Point]]]:
    samples = result.samples
    rate = [
        (float(b.turns), (b.turns - a.turns) / (b.at - a.at))
        for a, b in pairwise(samples)
        if b.at > a.at
    ]
    plots: list[tuple[str, str, list[Point]]] = [
        ("frames on the stack, over handoffs", "green", [(s.turns, s.depth) for s in samples]),
        (
            "memory in MiB, over handoffs",
            "cyan",
            [(s.turns, s.rss_mib) for s in samples if s.rss_mib is not None],
        ),
        ("turns a second, over handoffs", "magenta", rate),
    ]
    return [plot for plot in plots if plot[2]]


def _verdict(result: Result) -> Text:
    if result.ok:
        return Text(
            f"OK: flat at {result.max_stack_depth} frames over {result.turns:,} turns; nothing "
            "lost, doubled or out of order, one turn at a time",
            style="bold green",
        )
    return Text(f"NOT OK: {', '.join(result.faults)}", style="bold red")
