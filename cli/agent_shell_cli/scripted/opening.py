"""Opens the journal, the session and the conversation; lets go of them in the other order."""

from __future__ import annotations

import asyncio
import sys
import time

from agent_shell import Engine, JournalError, OnFailure, Refused, Session
from agent_shell.errors import SessionOwned
from agent_shell_cli.exits import UsageError
from agent_shell_cli.journals import open_journal
from agent_shell_cli.models import Model, open_model
from agent_shell_cli.options import ChatOptions, OnFailed, OnInterrupted
from agent_shell_cli.resuming import with_key
from agent_shell_cli.scripted.conversation import Conversation
from agent_shell_cli.workbench import Workbench, working_folder

__all__ = ["opened", "run"]

# Who has had a session for less, in seconds, may be a `send` that lets go of it at once.
_MOMENT_S = 1.0
_PATIENCE_S = 5.0  # for one such after the other
_POLL_S = 0.05


def run(options: ChatOptions, model: Model | None = None, *, stdin: bool) -> int:
    """Answers the prompt, then what standard input gives if `stdin`; the exit code.

    `model` is the one that `options` names, where it is open already.
    Raises `UsageError`, also for a journal that can't be opened, and `Refused` where
    another process has the session. Does not return, but ends the process with the
    same code, where an agent keeps running although it was told to stop.
    """
    if options.interrupted is OnInterrupted.ASK:
        raise UsageError(
            "--interrupted ask needs a terminal, for in scripted mode nobody is asked; "
            "use retry or skip"
        )
    if options.approve == "ask":
        raise UsageError(
            "--approve ask needs a terminal, for in scripted mode nobody is asked; "
            "use read-only or all"
        )
    options = with_key(options)
    approve, mcp = options.approve or "read-only", options.settings.mcp
    bench = Workbench(working_folder(), approve, mcp=mcp)
    model = model or open_model(options.model, bench, options.settings)
    return asyncio.run(_run(options, model, bench, stdin))


async def _run(options: ChatOptions, model: Model, bench: Workbench, stdin: bool) -> int:
    journal = open_journal(options.journal)
    try:
        engine = Engine(
            model.agent,
            journal=journal,
            on_failure=_on_failure(options),
            budget=options.budget,
        )
        # Without a bound: the feed sees to it that little waits.
        observer = engine.observe(sys.maxsize)
        try:
            session = await opened(engine, options.session)
        except SessionOwned as error:
            send = "agent-shell send puts follow-ups into its queue"
            raise Refused(f"{error}; {send}") from error
        except JournalError as error:
            raise UsageError(str(error)) from error
        conversation = Conversation(options, model, stdin, journal, session, observer)
        bench.on_denied = conversation.denied
        return await conversation.run()
    finally:
        await bench.close()
        await journal.close()


async def opened(engine: Engine, key: str) -> Session:
    """The session; where another process has it for a moment only, as soon as it is let go of.

    Raises `SessionOwned` and `JournalError`.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + _PATIENCE_S
    while True:
        try:
            return await engine.open(key)
        except SessionOwned as error:
            if time.time() - error.since > _MOMENT_S or clock() > until:
                raise
        await asyncio.sleep(_POLL_S)


def _on_failure(options: ChatOptions) -> OnFailure:
    # `hold` and `stop` are one here: nobody could release the hold.
    go_on = options.on_failure in (None, OnFailed.CONTINUE)
    return OnFailure.CONTINUE if go_on else OnFailure.HOLD
