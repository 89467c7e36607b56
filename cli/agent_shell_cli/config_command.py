"""`agent-shell config`: the values of all keys, and where each comes from."""

from __future__ import annotations

import typer

from agent_shell_cli.config import Configuration, listing, load, places
from agent_shell_cli.config.loading import require
from agent_shell_cli.config.showing import as_document
from agent_shell_cli.flags import Debug, Json

__all__ = ["register"]


config_app = typer.Typer(
    help="The configuration: every key, its value and where that comes from.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def register(app: typer.Typer) -> None:
    """Gives the program this command."""
    app.add_typer(config_app, name="config")


@config_app.callback(invoke_without_command=True)
def _show(context: typer.Context, json_: Json = False, debug: Debug = False) -> None:
    """Print every key, its value and where that comes from; what is wrong, on standard error.

    The exit code is 2 where something is wrong: those values do not count.
    """
    del debug  # `main` looks for it
    if context.invoked_subcommand is None:
        show(load(), as_json=json_)


@config_app.command("path")
def _path() -> None:
    """Print the files that are looked for; what a later one says counts more."""
    from agent_shell_cli.sessions.output import write

    for path in places().files:
        write(str(path) if path.exists() else f"{path} (not there)")


def show(config: Configuration, *, as_json: bool) -> None:
    """Prints the values; raises `ConfigError` afterwards where something is wrong."""
    from agent_shell_cli.sessions.output import write, write_json

    if as_json:
        write_json(as_document(config))
    else:
        write("\n".join(listing(config)))
    require(config)
