"""`agent-shell models`: what can be used here and why not, and fetching the local model."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from agent_shell import AgentShellError
from agent_shell.agents.embedded import Progress, ensure_weights, find_weights
from agent_shell_cli.printable import printable

__all__ = ["pull", "show"]


def show() -> None:
    """Prints a line a model: its name, whether it can be used, and what to do if not."""
    print("NAME                   STATUS")
    print(f"embedded               {printable(_embedded())}")
    print("echo[:WORDS_PER_SEC]   ready; repeats what you type, no model is behind it")


def pull(*, color: bool | None) -> None:
    """Fetches the local model unless it is there; raises `ModelUnreachable`.

    Standard output gets the file's path; the progress goes to standard error,
    as a bar on a terminal and as a line a stage elsewhere.
    """
    with _bar(color) if _on_terminal() else _lines() as report:
        path = ensure_weights(report)
    print(path)


def _embedded() -> str:
    # Not imported: that takes long, and its absence is what is asked for.
    if importlib.util.find_spec("xllamacpp") is None:
        return "not usable; its runtime xllamacpp is not installed, and not made for every platform"
    try:
        path = find_weights()
    except AgentShellError as error:
        return f"not usable; {error}"
    if path is None:
        return "not fetched yet; that happens on first use, or now with: agent-shell models pull"
    return f"ready; {path}"


def _on_terminal() -> bool:
    return os.isatty(2)


@contextmanager
def _lines() -> Generator[Callable[[Progress], None], None, None]:
    stage = ""

    def report(progress: Progress) -> None:
        nonlocal stage
        if progress.stage != stage:
            stage = progress.stage
            print(f"agent-shell: {_named(progress)}", file=sys.stderr, flush=True)

    yield report


@contextmanager
def _bar(color: bool | None) -> Generator[Callable[[Progress], None], None, None]:
    # Imported here: it is slow to load and only needed at a terminal.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, no_color=None if color is None else not color)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Bars(*columns, TransferSpeedColumn(), console=console, transient=True) as bars:
        task = bars.add_task("")

        def report(progress: Progress) -> None:
            bars.update(
                task,
                description=progress.stage,
                completed=progress.done_bytes,
                total=progress.total_bytes or None,
            )

        yield report


def _named(progress: Progress) -> str:
    if not progress.total_bytes:
        return f"{progress.stage} …"
    return f"{progress.stage} {progress.total_bytes / 1e6:.0f} MB …"
