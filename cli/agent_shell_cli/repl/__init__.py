"""`agent-shell chat` on a terminal: a live prompt under the streaming answer.

The prompt stands first. What it is about (the engine, the journal, the model and all that
shows them) is loaded and opened while people may type already.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.application import create_app_session
from prompt_toolkit.patch_stdout import patch_stdout

from agent_shell_cli.exits import Exit
from agent_shell_cli.options import ChatOptions, OnFailed, OnInterrupted
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.prompting import Prompt
from agent_shell_cli.repl.terminal import FrameOutput, Terminal
from agent_shell_cli.signals import terminations
from agent_shell_cli.starting import importing

if TYPE_CHECKING:
    from agent_shell_cli.models import Model

__all__ = ["run"]

# For what was told to stop, in seconds, before the process ends all the same.
_STOP_S = 0.2


def run(options: ChatOptions, model: Model | None = None) -> int:
    """Runs the live prompt on standard input and output; returns the exit code.

    `model` is the one that `options` names, where it is open already.

    Does not return, but ends the process with the same code, where an agent
    keeps running although it was told to stop, or a library is still being loaded.
    """
    settings = options.settings
    options = replace(
        options,
        on_failure=options.on_failure or OnFailed(settings.on_failure),
        interrupted=options.interrupted or OnInterrupted(settings.interrupted),
        approve=options.approve or settings.approve,
    )
    try:
        return asyncio.run(_run(options, model))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED  # while it was leaving: the terminal is as it was


async def _run(options: ChatOptions, model: Model | None) -> int:
    settings = options.settings
    terminal = Terminal.open(plain=settings.plain)
    look = Look.of(
        color=options.color is not False,
        encoding=terminal.encoding,
        theme=settings.theme,
        colors=settings.colors,
    )
    # `patch_stdout` is a net: what some library prints goes above the prompt.
    with (
        create_app_session(input=terminal.input, output=terminal.output),
        patch_stdout(raw=True),
    ):
        code = await _serve(options, model, terminal, look)
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    threads = asyncio.create_task(asyncio.get_running_loop().shutdown_default_executor())
    if (await asyncio.wait({threads, *rest}, timeout=_STOP_S))[1]:
        # What still runs would keep the interpreter from its end.
        os._exit(code)
    return code


async def _serve(options: ChatOptions, model: Model | None, terminal: Terminal, look: Look) -> int:
    """Has the prompt stand, and then serve the session; the exit code."""
    this = asyncio.current_task()
    ended: list[Exit] = []

    def end(code: Exit) -> None:
        ended.append(code)
        if this is not None:
            this.cancel()

    if isinstance(terminal.output, FrameOutput):
        terminal.output.on_gone = lambda: end(Exit.TERMINATED)
    folder = _history_folder if options.settings.history else None
    prompt = Prompt(terminal, look, folder, options.settings, end)
    try:
        with terminations(lambda _: end(Exit.TERMINATED)):
            async with prompt:
                with importing():
                    from agent_shell_cli.repl.opening import open_all
                return await open_all(options, model, prompt)
    except asyncio.CancelledError:
        if not ended:
            raise
        return ended[0]


def _history_folder() -> Path:
    # Imported here: the prompt stands before the history is looked at.
    from agent_shell_cli.journals import data_dir

    return data_dir()
