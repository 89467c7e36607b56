"""What a person sees of a flood: its progress on a terminal, and the summary."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from agent_shell_cli.stress.baseline import Baseline
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.plot import plot
from agent_shell_cli.stress.result import Result
from agent_shell_cli.stress.summary import curves, headline, rows, verdict

__all__ = ["show", "with_progress"]

_REFRESH_S = 0.1
_WIDTH = 78
_STYLES = ("green", "cyan", "magenta")


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


def show(result: Result, baselines: Sequence[Baseline], color: bool | None) -> None:
    """Prints the summary and the plots on standard output; `color` is `None` for automatic."""
    console = Console(
        no_color=None if color is None else not color, force_terminal=color or None, highlight=False
    )
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(headline(result))
    console.print(_table(rows(result, baselines)))
    for curve, style in zip(curves(result), _STYLES, strict=False):
        console.print(Text(f"\n{curve.title}, over handoffs", style="bold"))
        for line in plot(curve.points, ascii_only=console.options.ascii_only):
            console.print(Text(line, style=style), no_wrap=True, crop=True)
    console.print()
    console.print(Text(verdict(result), style="bold green" if result.ok else "bold red"))


def _table(figures: Sequence[tuple[str, str]]) -> Table:
    table = Table(show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in figures:
        table.add_row(name, text)
    return table
