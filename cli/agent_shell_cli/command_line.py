"""The command line: the program's commands, of which only those are loaded that are called."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Annotated

import typer

from agent_shell._version import __version__
from agent_shell_cli.exits import EXIT_CODES_HELP

__all__ = ["command_line"]

# By the module that registers each, in the order of the help.
_COMMANDS = {
    "chat": "chat_command",
    "schema": "chat_command",
    "stress": "stress_command",
    "send": "sessions.commands",
    "sessions": "sessions.commands",
    "doctor": "sessions.commands",
    "config": "config_command",
    "models": "models_app",
}

_EXAMPLES = """\b
Examples:
  agent-shell                                   talk to the local model
  agent-shell chat -m echo                      try the shell without a model
  agent-shell chat "What is a fifo?" | cat      one answer
  agent-shell chat < questions.txt > answers.txt
  agent-shell chat "Summarise this:" --input text < notes.txt
  agent-shell chat --output stream-json < questions.txt
  agent-shell --continue                        go on where you left off in this folder
  agent-shell --stress --n 5000                 the same as: agent-shell stress --n 5000
"""


def command_line(name: str | None) -> typer.Typer:
    """The program with the command of this name, or with all of them where it is none."""
    app = typer.Typer(
        help=(
            "An interactive agent shell that loses nothing you type while the agent is answering. "
            "Without a command it is `agent-shell chat`.\n\n" + _EXAMPLES
        ),
        epilog=EXIT_CODES_HELP + " Where several apply, the highest counts.",
        no_args_is_help=False,
        # Plain help and plain errors: rich would cost the start of every command.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in _modules(name):
        importlib.import_module(f"agent_shell_cli.{module}").register(app)
    return app


def _modules(name: str | None) -> Iterable[str]:
    if name == "--version":
        return ()
    return (_COMMANDS[name],) if name in _COMMANDS else dict.fromkeys(_COMMANDS.values())


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"agent-shell {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Only the commands do something."""
