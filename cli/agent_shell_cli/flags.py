"""Options that several commands have, said once."""

from __future__ import annotations

import enum
import os
from typing import Annotated

import typer

__all__ = ["Approve", "Color", "Debug", "Json", "MaxCost", "MaxTokens", "MaxTurns", "colored"]


class _Approve(enum.StrEnum):
    """What tools may do without a question."""

    ASK = "ask"
    READ_ONLY = "read-only"
    ALL = "all"


Approve = Annotated[
    _Approve | None,
    typer.Option(
        help="What tools may do without a question. ask: read in this folder, and what you "
        "always allow; read-only: read here, and nothing else; all: everything. By default the "
        "live prompt asks, and scripted mode, where nobody can be asked, is read-only."
    ),
]
_HOLDS = "; then the session holds"
MaxCost = Annotated[
    float | None, typer.Option(metavar="USD", help=f"US dollars that may be spent{_HOLDS}.")
]
MaxTurns = Annotated[
    int | None, typer.Option(metavar="N", min=1, help=f"Turns that may run{_HOLDS}.")
]
MaxTokens = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help=f"Tokens that may be read and written{_HOLDS}."),
]

Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
# `main` looks for it.
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]
Color = Annotated[
    bool | None,
    typer.Option("--color/--no-color", help="Colour; by default on a terminal without NO_COLOR."),
]


def colored(color: bool | None) -> bool | None:
    """What `--color` says, or `NO_COLOR` where it says nothing."""
    return False if color is None and os.environ.get("NO_COLOR") else color
