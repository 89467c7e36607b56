"""`agent-shell chat` and the schema of what it writes: options, read and checked.

Thin on purpose: the live prompt and scripted mode are loaded when they are called.
"""

from __future__ import annotations

import enum
import sys
from typing import Annotated, Literal, TextIO

import typer

from agent_shell import Budget, Lane
from agent_shell_cli.config import configuration, places
from agent_shell_cli.config.settings import is_amount
from agent_shell_cli.exits import EXIT_CODES_HELP, UsageError
from agent_shell_cli.flags import Approve, Color, Debug, MaxCost, MaxTokens, MaxTurns, colored
from agent_shell_cli.options import ChatOptions, InputForm, OnFailed, OnInterrupted, OutputForm
from agent_shell_cli.starting import importing
from agent_shell_cli.verbs import keys_text

__all__ = ["register"]


class _Busy(enum.StrEnum):
    """The lanes that Enter can stand for."""

    QUEUE = "queue"
    STEER = "steer"
    INTERRUPT = "interrupt"


_Prompt = Annotated[str | None, typer.Argument(metavar="PROMPT", help="The first follow-up.")]
_Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        help="embedded (the local model, by default), PROVIDER:MODEL (as in "
        "anthropic:MODEL or ollama:MODEL; 'agent-shell models' lists them), or "
        "echo[:WORDS_PER_SECOND] (repeats the input).",
    ),
]
_Session = Annotated[
    str | None,
    typer.Option(
        "-s",
        "--session",
        metavar="KEY",
        help="The session to use, made if it is not there; by default a new one.",
    ),
]
_Continue = Annotated[
    bool, typer.Option("-c", "--continue", help="The session last used of those begun here.")
]
_Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        metavar="[ID]",
        help="The session whose key begins like this; without an ID, choose from a list.",
    ),
]
_Interrupted = Annotated[
    OnInterrupted | None,
    typer.Option(
        help="What to do with a turn that a crash cut off. By default the live prompt asks, "
        "and scripted mode skips it and says so."
    ),
]
_OnBusy = Annotated[
    _Busy | None, typer.Option(help="What an input means while a turn runs; by default, queue.")
]
_Plain = Annotated[
    bool | None,
    typer.Option(
        "--plain/--no-plain",
        help="A line an event and nothing that moves: for screen readers and simple terminals.",
    ),
]
_OnFailure = Annotated[
    OnFailed | None,
    typer.Option(
        help="What a failed turn does to the queue. By default the live prompt holds it "
        "and scripted mode continues; there, hold and stop both end the run."
    ),
]
_Input = Annotated[
    InputForm,
    typer.Option(
        help="How piped input is cut: a follow-up a line (blank lines are skipped), all of "
        'it as one, or a JSON object a line: {"text": …, "lane": …, "id": …}. A line that '
        "can't be read is named on standard error, the others run, and the exit code is 2."
    ),
]
_Output = Annotated[
    OutputForm,
    typer.Option(
        help="Answers alone, one JSON document at the end, or an event a line as it happens."
    ),
]
_Print = Annotated[
    bool, typer.Option("--print", help="Scripted mode on a terminal too; needs a PROMPT there.")
]
_Journal = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|memory",
        help="Where sessions are kept; by default in the user-data folder.",
    ),
]


def register(app: typer.Typer) -> None:
    """Gives the program these commands."""
    app.command("chat", epilog=_CHAT_EPILOG)(_chat)
    app.command("schema")(_schema)


_CHAT_EPILOG = (
    f"\b\nKeys of the live prompt (/help there lists the commands too):\n{keys_text()}\n\n"
    f"{EXIT_CODES_HELP} Where several apply, the highest counts."
)


def _chat(
    prompt: _Prompt = None,
    model: _Model = None,
    session: _Session = None,
    continue_: _Continue = False,
    resume: _Resume = None,
    busy: _OnBusy = None,
    on_failure: _OnFailure = None,
    interrupted: _Interrupted = None,
    input: _Input = InputForm.LINES,
    output: _Output = OutputForm.TEXT,
    print_: _Print = False,
    approve: Approve = None,
    max_cost: MaxCost = None,
    max_turns: MaxTurns = None,
    max_tokens: MaxTokens = None,
    journal: _Journal = None,
    plain: _Plain = None,
    color: Color = None,
    debug: Debug = False,
) -> None:
    """Talk to a model; with a pipe or a file as input or output, in scripted mode.

    In scripted mode every line of standard input is a follow-up. A PROMPT comes
    before them; with --input text, it and the input are one follow-up.
    """
    prompt, session = _proper("PROMPT", prompt), _proper("--session", session)
    color = colored(color)
    given = {"model": model, "busy": busy, "journal": journal, "plain": plain}
    bounds = {"max_cost": _amount(max_cost), "max_turns": max_turns, "max_tokens": max_tokens}
    settings = configuration().over(**given, **bounds).settings
    journal = settings.journal
    key = _session_key(session, continue_, resume, journal)
    options = ChatOptions(
        prompt=prompt,
        model=settings.model,
        session=key,
        busy=Lane(settings.busy),
        on_failure=on_failure,
        input=input,
        output=output,
        journal=journal,
        color=_CHOSEN_COLOR[settings.color] if color is None else color,
        debug=debug,
        interrupted=interrupted,
        settings=settings,
        places=places(),
        approve=approve,
        budget=Budget(settings.max_turns, settings.max_tokens, settings.max_cost),
    )
    raise typer.Exit(_run(options, scripted=print_))


_CHOSEN_COLOR = {"auto": None, "always": True, "never": False}


def _run(options: ChatOptions, *, scripted: bool) -> int:
    stdin, stdout = _standard("stdin"), _standard("stdout")
    if stdout is None:
        raise UsageError("standard output is closed, so there is nowhere to answer")
    typed = stdin is not None and stdin.isatty()
    if typed and stdout.isatty() and not scripted:
        with importing():
            from agent_shell_cli.repl import run as run_live

        return run_live(options)
    with importing():
        from agent_shell_cli.scripted import run

    # At a terminal nobody expects a command that has its prompt to wait for more.
    reads = stdin is not None and not (typed and (options.prompt is not None or scripted))
    if options.prompt is None and not reads:
        raise UsageError(
            'there is nothing to answer: give a PROMPT, as in agent-shell chat --print "hello", '
            "or pipe follow-ups in"
        )
    return run(options, stdin=reads)


def _standard(name: Literal["stdin", "stdout"]) -> TextIO | None:
    """The stream, or `None` where the parent closed it, of which its type knows nothing."""
    stream: TextIO | None = getattr(sys, name)
    return stream


def _schema() -> None:
    """Print the JSON Schema of the events of `--output stream-json`."""
    import json

    from agent_shell.schema import event_schema

    typer.echo(json.dumps(event_schema(), indent=2))


def _session_key(
    session: str | None, continue_: bool, resume: str | None, journal: str | None
) -> str:
    """The key of the session that is meant; "" for a new one, which gets its when it is opened."""
    if not continue_ and resume is None:
        return session or ""
    # Imported here: who begins a session needs no look at the others.
    from agent_shell_cli.resuming import session_key

    return session_key(session, continue_=continue_, resume=resume, journal=journal)


def _amount(value: float | None) -> float | None:
    if value is not None and not is_amount(value):
        raise UsageError(f"--max-cost {value:g} is no number above 0")
    return value


def _proper(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not value.strip():
        raise UsageError(f"{name} is empty; give it a text or leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{name} is not UTF-8, from its character {error.start + 1} on; "
            "convert it, or set a locale that matches it"
        ) from None
    return value
