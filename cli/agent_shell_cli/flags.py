"""Options that several commands have, said once."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Debug", "Json"]

Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
# `main` looks for it.
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]
