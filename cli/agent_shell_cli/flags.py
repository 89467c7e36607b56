"""Options that several commands have, said once."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

__all__ = ["Approve", "Debug", "Json", "MaxCost", "MaxTokens", "MaxTurns"]


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
