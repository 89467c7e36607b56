"""The command line of `agent-shell models`; each command imports its part when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from agent_shell_cli.flags import Color, Debug, Json, colored

__all__ = ["register"]

models_app = typer.Typer(help="What can be used here and why not.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Gives the program these commands."""
    app.add_typer(models_app, name="models")


@models_app.callback(invoke_without_command=True)
def _models(context: typer.Context, json_: Json = False) -> None:
    """Without a command: list."""
    if context.invoked_subcommand is None:
        models_list(json_)


@models_app.command("list")
def models_list(json_: Json = False) -> None:
    """Say what can be used here, and why not; without a network."""
    from agent_shell_cli import models_command

    models_command.show(as_json=json_)


@models_app.command("key")
def models_key(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="As 'models' lists them.")],
    delete: Annotated[bool, typer.Option("--delete", help="Remove it from the keyring.")] = False,
    debug: Debug = False,
) -> None:
    """Keep a provider's key in the keyring; it is asked for, or read from standard input."""
    from agent_shell_cli import models_command

    del debug  # `main` looks for it
    models_command.keep_key(provider, delete=delete)


@models_app.command("pull")
def models_pull(color: Color = None, debug: Debug = False) -> None:
    """Fetch the local model now, not on its first use."""
    from agent_shell_cli import models_command

    del debug  # `main` looks for it
    models_command.pull(color=colored(color))
