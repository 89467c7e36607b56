"""`agent-shell stress`: options, read and checked."""

from __future__ import annotations

from typing import Annotated

import typer

from agent_shell_cli.flags import Color, Debug, Json, colored
from agent_shell_cli.options import StressOptions
from agent_shell_cli.starting import importing

__all__ = ["register"]

_StressJournal = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="PATH|memory",
        help="What records the flood; by default a file that is deleted at the end.",
    ),
]
_N = Annotated[int, typer.Option("--n", min=1, help="Follow-ups a session.")]
_Sessions = Annotated[int, typer.Option(min=1, help="Sessions at once.")]
_Producers = Annotated[int, typer.Option(min=1, help="Concurrent producers.")]
_QueueLimit = Annotated[
    int | None, typer.Option(min=1, help="Bound of a session's queue; by default the flood fits.")
]
_Chaos = Annotated[
    bool, typer.Option("--chaos", help="Random interrupts, edits, failures and the like.")
]
_Seed = Annotated[int | None, typer.Option(help="Makes --chaos repeatable.")]

_Compare = Annotated[
    bool,
    typer.Option(
        "--compare",
        help="Beside it: the recursive drain, run until it dies, and a bare chain of tasks.",
    ),
]
_Report = Annotated[
    str | None,
    typer.Option("--report", metavar="FILE.html", help="Write a page with the figures and plots."),
]


def register(app: typer.Typer) -> None:
    """Gives the program this command."""
    app.command("stress")(_stress)


def _stress(
    n: _N = 5000,
    sessions: _Sessions = 1,
    journal: _StressJournal = None,
    producers: _Producers = 4,
    queue_limit: _QueueLimit = None,
    chaos: _Chaos = False,
    seed: _Seed = None,
    compare: _Compare = False,
    report: _Report = None,
    json_: Json = False,
    color: Color = None,
    debug: Debug = False,
) -> None:
    """Flood a session while its first turn runs, and prove that the stack stays flat.

    The exit code is 0 only if nothing was lost, doubled or out of order.
    """
    color = colored(color)
    options = StressOptions(
        n,
        sessions,
        journal,
        producers,
        queue_limit,
        chaos,
        seed,
        json_,
        color,
        debug,
        compare,
        report,
    )
    with importing():
        from agent_shell_cli.stress import run

    raise typer.Exit(run(options))
