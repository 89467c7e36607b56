"""Opening the session that the shell is to show, or attaching to the process that has it."""

from __future__ import annotations

from prompt_toolkit import PromptSession

from agent_shell import Engine, Journal, OnFailure, Session
from agent_shell.errors import SessionOwned
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell_cli.attach import Attached
from agent_shell_cli.exits import Exit
from agent_shell_cli.journals import open_journal
from agent_shell_cli.models import Model, open_model
from agent_shell_cli.options import ChatOptions, OnFailed
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.dispatch import Dispatch
from agent_shell_cli.repl.prompting import Prompt
from agent_shell_cli.repl.questions import Questions
from agent_shell_cli.repl.shell import Opened, Shell
from agent_shell_cli.repl.switch import Switch
from agent_shell_cli.resuming import with_key
from agent_shell_cli.signals import terminations
from agent_shell_cli.workbench import Workbench, working_folder

__all__ = ["converse", "open_all"]

# Of a longer queue, so many inputs can be chosen, edited and moved.
_WINDOW = 10_000
_EVENTS = 100_000
_ANSWERS: dict[str, Exit | None] = {
    "": None,
    "y": None,
    "yes": None,
    "n": Exit.REFUSED,
    "no": Exit.REFUSED,
}


async def open_all(options: ChatOptions, model: Model | None, prompt: Prompt) -> int:
    """Opens the model, its tools and the journal, and has `prompt` serve the session.

    `model` is the one that `options` names, where it is open already. Returns the exit
    code; raises `AgentShellError`.
    """
    options = with_key(options)
    questions = Questions()
    approve = options.approve or options.settings.approve
    bench = Workbench(working_folder(), approve, questions, options.settings.mcp)
    try:
        model = model or open_model(options.model, bench, options.settings)
        journal = open_journal(options.journal, _WINDOW)
        try:
            return await converse(options, model, journal, prompt, questions, bench)
        finally:
            await journal.close()
    finally:
        await bench.close()


async def converse(
    options: ChatOptions,
    model: Model,
    journal: Journal,
    prompt: Prompt,
    questions: Questions | None = None,
    bench: Workbench | None = None,
) -> int:
    """Has `prompt` serve the session; returns the exit code. Raises `JournalError`.

    `questions` are what the model's tools ask, which are those of `bench`. The journal and
    the tools stay open, the model not.
    """
    questions = questions or Questions()
    bench = bench or Workbench(working_folder(), options.approve or "ask", questions)
    switch = Switch(model, bench, options.settings)
    dispatch = Dispatch(model.agent, switch.change)
    switch.dispatch = dispatch
    hold = options.on_failure in (None, OnFailed.HOLD, OnFailed.STOP)
    engine = Engine(
        dispatch,
        journal=journal,
        on_failure=OnFailure.HOLD if hold else OnFailure.CONTINUE,
        budget=options.budget,
    )
    observer = engine.observe(_EVENTS)
    session: Session | Attached
    try:
        session = await engine.open(options.session)
    except SessionOwned as owner:
        assert isinstance(journal, SqliteJournal)  # no other process sees one in memory
        await prompt.rest()
        refused = await _ask_to_attach(owner, prompt)
        if refused is not None:
            return refused
        session = Attached(engine, journal, options.session, owner, observer.tell)
    opened = Opened(journal, observer, session, questions, bench)
    return await Shell(options, switch, opened, prompt).run()


async def _ask_to_attach(owner: SessionOwned, prompt: Prompt) -> Exit | None:
    """Says who owns the session, and asks; the exit code where the user does not attach.

    Another text than yes or no may be meant for the session: it is no answer, and asks again.
    """
    asking: PromptSession[str] = PromptSession(
        f"{printable_line(str(owner))}\nattach to it, and put inputs into its queue? [Y/n] ",
        style=prompt.look.style,
        input=prompt.terminal.input,
        output=prompt.terminal.output,
    )
    ended: list[Exit] = []

    def end() -> None:
        ended.append(Exit.TERMINATED)
        if asking.app.is_running and not asking.app.is_done:
            asking.app.exit(result="n")

    with terminations(lambda _: end()):
        while True:
            try:
                answer = await asking.prompt_async(set_exception_handler=False)
            except KeyboardInterrupt:
                return Exit.INTERRUPTED
            except EOFError:
                return Exit.REFUSED
            if ended:
                return ended[0]
            if (said := answer.strip().lower()) in _ANSWERS:
                return _ANSWERS[said]
            asking.message = "y attaches, n leaves: [Y/n] "
