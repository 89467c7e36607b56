"""The command line of what works on the journal: `send`, `sessions`, `doctor`.

Each command imports its part when it is called, as in `command_line.py`.
"""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from agent_shell import Lane
from agent_shell_cli.exits import EXIT_CODES_HELP, UsageError
from agent_shell_cli.flags import Debug, Json
from agent_shell_cli.journals import journal_path

__all__ = ["register"]


class _Lane(enum.StrEnum):
    """The lanes that can be sent to."""

    QUEUE = "queue"
    STEER = "steer"
    INTERRUPT = "interrupt"


class _Form(enum.StrEnum):
    """What `export` writes."""

    MD = "md"
    HTML = "html"
    JSON = "json"


_Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="The session: its key, or the beginning of one alone."),
]
_Journal = Annotated[
    str | None,
    typer.Option(
        "--journal", metavar="PATH", help="The journal; by default in the user-data folder."
    ),
]

sessions_app = typer.Typer(
    help="What is kept: list, show, export, fork, rename and delete sessions.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def register(app: typer.Typer) -> None:
    """Gives the program these commands."""
    app.command("send", epilog=EXIT_CODES_HELP)(_send)
    app.add_typer(sessions_app, name="sessions")
    app.command("doctor")(_doctor)


def _send(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT…", help="Joined by blanks; - or none: standard input."),
    ] = None,
    session: Annotated[
        str, typer.Option("-s", "--session", metavar="KEY", help="The session; made if need be.")
    ] = "default",
    lane: Annotated[_Lane, typer.Option(help="What it means while a turn runs.")] = _Lane.QUEUE,
    id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The same id and text again is not run twice."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait, and print the answer.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="S", help="With --wait: at most so many seconds.")
    ] = None,
    journal: _Journal = None,
    json_: Json = False,
    _debug: Debug = False,
) -> None:
    """Put a follow-up into a session, also while a shell has it open.

    Prints its id and position. Where nobody has the session open, it waits there.
    """
    for name, value in (("--session", session), ("--id", id)):
        if value is not None:
            _check_name(name, value)
    if timeout is not None and not wait:
        raise UsageError("--timeout is for --wait: give both, or none")
    from agent_shell_cli.send import SendOptions, run

    lane_ = Lane(lane)
    options = SendOptions(session, words or [], lane_, id, wait, timeout, journal, json_)
    raise typer.Exit(run(options))


def _doctor(
    recover: Annotated[
        bool,
        typer.Option(
            "--recover",
            help="Save what can be read of a damaged journal, and keep the damaged file aside.",
        ),
    ] = False,
    journal: _Journal = None,
    json_: Json = False,
    _debug: Debug = False,
) -> None:
    """Say what is wrong with this installation, and how to mend it.

    The exit code is 0 if nothing failed, else 1.
    """
    from agent_shell_cli.doctor import run

    raise typer.Exit(run(journal_path(journal), recover=recover, as_json=json_))


@sessions_app.callback(invoke_without_command=True)
def _sessions(context: typer.Context) -> None:
    """Without a command: list."""
    if context.invoked_subcommand is None:
        _list()


@sessions_app.command("list")
def _list(journal: _Journal = None, json_: Json = False, _debug: Debug = False) -> None:
    """List the sessions, the last used one first."""
    from agent_shell_cli.sessions.listing import list_sessions

    list_sessions(journal_path(journal), as_json=json_)


@sessions_app.command("show")
def _show(key: _Key, journal: _Journal = None, json_: Json = False, _debug: Debug = False) -> None:
    """Print the history of a session, the receipts, and what waits."""
    from agent_shell_cli.sessions.showing import show

    show(journal_path(journal), key, as_json=json_)


@sessions_app.command("export")
def _export(
    key: _Key,
    form: Annotated[_Form, typer.Option("--format", help="The form.")] = _Form.MD,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Else standard output.")
    ] = None,
    journal: _Journal = None,
    _debug: Debug = False,
) -> None:
    """Write a session as Markdown, as a page that stands alone, or as JSON."""
    from agent_shell_cli.sessions.exporting import export

    export(journal_path(journal), key, form, output)


@sessions_app.command("fork")
def _fork(
    key: _Key,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The key of the new session.")],
    journal: _Journal = None,
    _debug: Debug = False,
) -> None:
    """Make a new session with the history of another; what waits is not copied."""
    _check_name("NEW", new)
    from agent_shell_cli.sessions.changing import fork

    raise typer.Exit(fork(journal_path(journal), key, new))


@sessions_app.command("rename")
def _rename(
    key: _Key,
    title: Annotated[str, typer.Argument(metavar="TITLE", help='The title; "" for none.')],
    journal: _Journal = None,
    _debug: Debug = False,
) -> None:
    """Give a session a title."""
    _check_unicode("TITLE", title)
    from agent_shell_cli.sessions.changing import rename

    raise typer.Exit(rename(journal_path(journal), key, title))


@sessions_app.command("delete")
def _delete(
    key: _Key,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Without a question; KEY is to be in full.")
    ] = False,
    journal: _Journal = None,
    _debug: Debug = False,
) -> None:
    """Delete a session with all that was said and waits in it."""
    from agent_shell_cli.sessions.changing import delete

    raise typer.Exit(delete(journal_path(journal), key, yes=yes))


def _check_name(name: str, value: str) -> None:
    if not value.strip():
        raise UsageError(f"{name} is empty; give it a text or leave it out")
    _check_unicode(name, value)


def _check_unicode(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{name} is not UTF-8, from its character {error.start + 1} on; convert it"
        ) from None
