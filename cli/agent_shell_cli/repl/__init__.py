"""`agent-shell chat` on a terminal: a live prompt under the streaming answer."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

from prompt_toolkit.application import create_app_session
from prompt_toolkit.patch_stdout import patch_stdout

from agent_shell_cli.exits import Exit
from agent_shell_cli.journals import data_dir, open_journal
from agent_shell_cli.models import Model, open_model
from agent_shell_cli.options import ChatOptions, OnFailed, OnInterrupted
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.opening import converse
from agent_shell_cli.repl.questions import Questions
from agent_shell_cli.repl.terminal import Terminal
from agent_shell_cli.workbench import Workbench, working_folder

__all__ = ["run"]

# Of a longer queue, so many inputs can be chosen, edited and moved.
_WINDOW = 10_000
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
    if settings.editor is not None:
        os.environ["VISUAL"] = settings.editor  # where prompt_toolkit looks for it
    questions = Questions()
    approve = options.approve or settings.approve
    bench = Workbench(working_folder(), approve, questions, settings.mcp)
    model = model or open_model(options.model, bench, settings)
    try:
        return asyncio.run(_run(options, model, questions, bench))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED  # while it was leaving: the terminal is as it was


async def _run(options: ChatOptions, model: Model, questions: Questions, bench: Workbench) -> int:
    journal = open_journal(options.journal, _WINDOW)
    try:
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
            code = await converse(
                options, model, journal, terminal, look, data_dir(), questions, bench
            )
    finally:
        await bench.close()
        await journal.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    threads = asyncio.create_task(asyncio.get_running_loop().shutdown_default_executor())
    if (await asyncio.wait({threads, *rest}, timeout=_STOP_S))[1]:
        # What still runs would keep the interpreter from its end.
        os._exit(code)
    return code
