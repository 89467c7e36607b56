"""The command line: reads and checks what was asked for, and calls the part that does it.

Thin on purpose. Each command imports its part when it is called: the live
prompt, the progress bars and the model are heavy, `--version` is not.
"""

from __future__ import annotations

import enum
import itertools
import json
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Annotated, Literal, TextIO

import typer

from agent_shell import AgentShellError, Budget, Lane
from agent_shell._version import __version__
from agent_shell_cli.config import configuration, places
from agent_shell_cli.config.settings import is_amount
from agent_shell_cli.config_command import register as register_config
from agent_shell_cli.exits import EXIT_CODES_HELP, Exit, UsageError, exit_of
from agent_shell_cli.flags import Approve, Debug, MaxCost, MaxTokens, MaxTurns
from agent_shell_cli.options import (
    ChatOptions,
    InputForm,
    OnFailed,
    OnInterrupted,
    OutputForm,
    StressOptions,
)
from agent_shell_cli.printable import printable
from agent_shell_cli.resuming import CHOOSE, session_key
from agent_shell_cli.sessions.commands import register as register_sessions
from agent_shell_cli.verbs import keys_text

__all__ = ["app", "main"]


class _Busy(enum.StrEnum):
    """The lanes that Enter can stand for."""

    QUEUE = "queue"
    STEER = "steer"
    INTERRUPT = "interrupt"


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
models_app = typer.Typer(help="What can be used here and why not.", rich_markup_mode=None)
app.add_typer(models_app, name="models")

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
_StressJournal = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="PATH|memory",
        help="What records the flood; by default a file that is deleted at the end.",
    ),
]
_Color = Annotated[
    bool | None,
    typer.Option("--color/--no-color", help="Colour; by default on a terminal without NO_COLOR."),
]
_N = Annotated[int, typer.Option("--n", min=1, help="Follow-ups a session.")]
_Sessions = Annotated[int, typer.Option(min=1, help="Sessions at once.")]
_Producers = Annotated[int, typer.Option(min=1, help="Concurrent producers.")]
_QueueLimit = Annotated[
    int | None, typer.Option(min=1, help="Bound of a session's queue; by default the flood fits.")
]
_Chaos = Annotated[
    bool, typer.Option("--chaos", help="Random interrupts, edits, failures and the like.")
]
_Seed = Annotated[int | None, typer.Option(help="Makes --chaos repeatable.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"agent-shell {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Only the commands do something."""


_CHAT_EPILOG = (
    f"\b\nKeys of the live prompt (/help there lists the commands too):\n{keys_text()}\n\n"
    f"{EXIT_CODES_HELP} Where several apply, the highest counts."
)


@app.command(epilog=_CHAT_EPILOG)
def chat(
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
    color: _Color = None,
    debug: Debug = False,
) -> None:
    """Talk to a model; with a pipe or a file as input or output, in scripted mode.

    In scripted mode every line of standard input is a follow-up. A PROMPT comes
    before them; with --input text, it and the input are one follow-up.
    """
    prompt, session = _proper("PROMPT", prompt), _proper("--session", session)
    color = _colored(color)
    given = {"model": model, "busy": busy, "journal": journal, "plain": plain}
    bounds = {"max_cost": _amount(max_cost), "max_turns": max_turns, "max_tokens": max_tokens}
    settings = configuration().over(**given, **bounds).settings
    journal = settings.journal
    key = session_key(session, continue_=continue_, resume=resume, journal=journal)
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
    raise typer.Exit(_chat(options, scripted=print_))


_CHOSEN_COLOR = {"auto": None, "always": True, "never": False}


def _chat(options: ChatOptions, *, scripted: bool) -> int:
    stdin, stdout = _standard("stdin"), _standard("stdout")
    if stdout is None:
        raise UsageError("standard output is closed, so there is nowhere to answer")
    typed = stdin is not None and stdin.isatty()
    if typed and stdout.isatty() and not scripted:
        from agent_shell_cli.repl import run as run_live

        return run_live(options)
    from agent_shell_cli.scripted import run

    # At a terminal nobody expects a command that has its prompt to wait for more.
    reads = stdin is not None and not (typed and (options.prompt is not None or scripted))
    if options.prompt is None and not reads:
        raise UsageError(
            'there is nothing to answer: give a PROMPT, as in agent-shell chat --print "hello", '
            "or pipe follow-ups in"
        )
    return run(options, stdin=reads)


def _standard(name: Literal["stdin", "stdout", "stderr"]) -> TextIO | None:
    """The stream, or `None` where the parent closed it, of which its type knows nothing."""
    stream: TextIO | None = getattr(sys, name)
    return stream


@app.command()
def stress(
    n: _N = 5000,
    sessions: _Sessions = 1,
    journal: _StressJournal = None,
    producers: _Producers = 4,
    queue_limit: _QueueLimit = None,
    chaos: _Chaos = False,
    seed: _Seed = None,
    json_: _Json = False,
    color: _Color = None,
    debug: Debug = False,
) -> None:
    """Flood a session while its first turn runs, and prove that the stack stays flat.

    The exit code is 0 only if nothing was lost, doubled or out of order.
    """
    color = _colored(color)
    options = StressOptions(
        n, sessions, journal, producers, queue_limit, chaos, seed, json_, color, debug
    )
    from agent_shell_cli.stress import run

    raise typer.Exit(run(options))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the events of `--output stream-json`."""
    from agent_shell.schema import event_schema

    typer.echo(json.dumps(event_schema(), indent=2))


register_sessions(app)
register_config(app)


@models_app.callback(invoke_without_command=True)
def _models(context: typer.Context, json_: _Json = False) -> None:
    """Without a command: list."""
    if context.invoked_subcommand is None:
        models_list(json_)


@models_app.command("list")
def models_list(json_: _Json = False) -> None:
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
def models_pull(color: _Color = None, debug: Debug = False) -> None:
    """Fetch the local model now, not on its first use."""
    from agent_shell_cli import models_command

    del debug  # `main` looks for it
    models_command.pull(color=_colored(color))


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


def _colored(color: bool | None) -> bool | None:
    return False if color is None and os.environ.get("NO_COLOR") else color


def _with_command(arguments: list[str]) -> list[str]:
    """The arguments with what they leave out: a command, and the ID of `--resume`.

    No command is `chat`; `--stress` instead of one is `stress`.
    """
    arguments = list(_with_id(arguments))
    if arguments and not arguments[0].startswith("-"):
        return arguments
    if "--stress" in arguments:
        return ["stress", *(argument for argument in arguments if argument != "--stress")]
    if arguments and arguments[0] in _ROOT_OPTIONS:
        return arguments
    return ["chat", *arguments]


def _with_id(arguments: list[str]) -> Iterator[str]:
    # Options whose value may be left out are none of typer's.
    for argument, behind in itertools.zip_longest(arguments, arguments[1:], fillvalue="-"):
        yield argument
        if argument == "--resume" and behind.startswith("-"):
            yield CHOOSE


_ROOT_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")


def main() -> None:
    """The program: runs what the command line says and ends with the right exit code."""
    try:
        app(_with_command(sys.argv[1:]), prog_name="agent-shell")
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.exit(Exit.INCOMPLETE)
    except AgentShellError as error:
        _say(str(error))
        sys.exit(exit_of(error))
    except Exception as error:
        _say(
            f"internal error: {type(error).__name__}: {error}; run again with --debug to see where"
        )
        sys.exit(Exit.INCOMPLETE)


def _say(text: str) -> None:
    stderr = _standard("stderr")
    if stderr is not None:
        if "--debug" in sys.argv:
            traceback.print_exc()
        print(f"agent-shell: {printable(text)}", file=stderr)
