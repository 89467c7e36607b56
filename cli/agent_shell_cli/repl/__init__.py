"""`agent-shell chat` on a terminal: a live prompt under the streaming answer."""

from __future__ import annotations

import asyncio

from prompt_toolkit.application import create_app_session
from prompt_toolkit.patch_stdout import patch_stdout

from agent_shell_cli.exits import Exit
from agent_shell_cli.models import open_model
from agent_shell_cli.options import ChatOptions
from agent_shell_cli.repl.history import data_dir
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.shell import Shell
from agent_shell_cli.repl.terminal import Terminal

__all__ = ["run"]


def run(options: ChatOptions) -> int:
    """Runs the live prompt on standard input and output; returns the exit code."""
    try:
        return asyncio.run(_run(options))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED  # while it was leaving: the terminal is as it was


async def _run(options: ChatOptions) -> int:
    model = open_model(options.model)
    terminal = Terminal.open()
    look = Look.of(color=options.color is not False, encoding=terminal.encoding)
    # `patch_stdout` is a net: what some library prints goes above the prompt.
    with (
        create_app_session(input=terminal.input, output=terminal.output),
        patch_stdout(raw=True),
    ):
        return await Shell(options, model, terminal, look, data_dir()).run()
