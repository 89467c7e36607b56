"""Where the options of the completion come from: what waits, models, sessions, files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from agent_shell import FollowUp, Journal
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell_cli.models import known_models
from agent_shell_cli.options import ChatOptions
from agent_shell_cli.repl.completing import Option, Sources, What, targets
from agent_shell_cli.repl.desk import Desk
from agent_shell_cli.repl.files import FileIndex
from agent_shell_cli.repl.view import View
from agent_shell_cli.sessions.listing import titles
from agent_shell_cli.verbs import COMMANDS

__all__ = ["sources"]

# Of what waits, and of sessions: more nobody chooses from.
_MANY = 200


def sources(
    options: ChatOptions,
    journal: Journal,
    desk: Desk,
    view: View,
    waiting: Callable[[], Iterable[FollowUp]],
) -> Sources:
    """Those of a shell; `waiting` gives the inputs that wait."""

    def numbers() -> Iterable[Option]:
        return [(str(view.number(f.id)), f.text) for f in islice(waiting(), _MANY)]

    def models() -> Iterable[Option]:
        configured = options.settings.model
        return dict([(configured, "as configured"), *known_models()]).items()

    def sessions() -> Iterable[Option]:
        if not isinstance(journal, SqliteJournal):
            return []
        return islice(titles(journal.path), _MANY)

    def custom() -> Iterable[Option]:
        found, _ = desk.custom.listing()
        return [(f"/{command.name}", f"{command.help} ({command.source})") for command in found]

    commands = [(f"/{command.verb}", command.help) for command in COMMANDS]
    return Sources(
        at_hand={
            What.COMMAND: lambda: commands,
            What.WAITING: numbers,
            What.ANSWER: desk.answered,
        },
        looked_up={
            What.MODEL: models,
            What.COMMAND: custom,
            What.SESSION: sessions,
            What.TARGET: lambda: targets(options.session),
        },
        files=FileIndex(Path()),
    )
