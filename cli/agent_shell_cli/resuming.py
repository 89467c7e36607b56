"""Which session `chat` is to use: the one place that turns its options into a key."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent_shell import AgentShellError
from agent_shell_cli.counting import counted
from agent_shell_cli.exits import UsageError
from agent_shell_cli.journals import journal_path
from agent_shell_cli.options import ChatOptions
from agent_shell_cli.printable import printable_line
from agent_shell_cli.sessions.output import ago, title_line
from agent_shell_cli.workbench import working_folder

if TYPE_CHECKING:
    from agent_shell.journal.sqlite.reading import Summary

__all__ = ["CHOOSE", "choose", "last_key", "new_key", "session_key", "with_key"]

# What `--resume` without an ID is given.
CHOOSE = ""
_SHOWN = 20
_ELSEWHERE = "'agent-shell sessions list' shows all that there are"


def session_key(
    session: str | None, *, continue_: bool, resume: str | None, journal: str | None
) -> str:
    """The key of the session that `--continue` or `--resume` means; the other two are not given.

    `resume` is the beginning of a key, or `CHOOSE`; `journal` is what `--journal`
    names. Raises `UsageError` where several are asked for or there is none, and
    `JournalError`.
    """
    if (session is not None) + continue_ + (resume is not None) > 1:
        raise UsageError(
            "--session, --continue and --resume each say which session to use: give one of them"
        )
    if resume is None:
        return last_key(_summaries(journal_path(journal)), working_folder())
    return _chosen(journal_path(journal)) if resume == CHOOSE else _found(resume, journal)


def with_key(options: ChatOptions) -> ChatOptions:
    """The options with a key for the session, where it is a new one."""
    return options if options.session else replace(options, session=new_key(options.journal))


def new_key(journal: str | None) -> str:
    """A short key that no session of the journal has: `20261122-1f3a`."""
    day = time.strftime("%Y%m%d")
    taken = _keys(journal)
    keys = (f"{day}-{os.urandom(size).hex()}" for size in itertools.count(2))
    return next(key for key in keys if key not in taken)


def last_key(sessions: Sequence[Summary], folder: Path) -> str:
    """The session last used of those begun in `folder`; raises `UsageError`."""
    for session in sessions:
        if session.folder == str(folder):
            return session.key
    raise UsageError(
        f"no session was begun in {folder}, so there is none to continue; "
        f"'agent-shell chat' begins one, {_ELSEWHERE}"
    )


def choose(
    sessions: Sequence[Summary], read: Callable[[], str], write: Callable[[str], object]
) -> str:
    """Shows the sessions with numbers and has one chosen; the key.

    `read` gives a line that was typed, "" at the end of the input. Raises
    `UsageError` where nothing is chosen.
    """
    for number, session in enumerate(sessions, 1):
        write(f"{number:>3}  {_described(session)}\n")
    while True:
        write(f"Which one (1-{len(sessions)}, Enter for none)? ")
        typed = read().strip()
        if not typed:
            raise UsageError("no session was chosen")
        if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(sessions):
            return sessions[int(typed) - 1].key
        write(f"{printable_line(typed, 40)} is no number of the list.\n")


def _chosen(path: Path) -> str:
    if not (_is_terminal("stdin") and _is_terminal("stderr")):
        raise UsageError(f"--resume without an ID needs a terminal to choose at; {_ELSEWHERE}")
    sessions = _summaries(path)[:_SHOWN]
    if not sessions:
        raise UsageError(
            "there is no session to resume yet; 'agent-shell chat' begins the first one"
        )

    def write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    return choose(sessions, sys.stdin.readline, write)


def _is_terminal(name: str) -> bool:
    stream = getattr(sys, name)  # None where the parent closed it
    return stream is not None and stream.isatty()


def _found(name: str, journal: str | None) -> str:
    # Imported here and below: SQLite is not for those who only ask for help.
    from agent_shell.journal.sqlite import catalog
    from agent_shell_cli.sessions.finding import find, require_file

    path = journal_path(journal)
    require_file(path)
    with catalog.reading(path) as c:
        return find(c, name)


def _summaries(path: Path) -> list[Summary]:
    """The sessions in which something was said, the last used one first."""
    from agent_shell.journal.sqlite import catalog, reading

    if not path.exists():
        return []
    with catalog.reading(path) as c:
        return [summary for summary in reading.sessions(c) if summary.turns or summary.waiting]


def _keys(journal: str | None) -> set[str]:
    if journal == "memory" or not (path := journal_path(journal)).exists():
        return set()
    from agent_shell.journal.sqlite import catalog

    # What is wrong with the file is said by who opens it, or mended there.
    with contextlib.suppress(AgentShellError), catalog.reading(path) as c:
        return set(catalog.keys(c))
    return set()


def _described(session: Summary) -> str:
    used = time.strftime("%Y-%m-%d", time.localtime(session.used_at))
    counts = counted(session.turns, "turn")
    if session.waiting:
        counts += f", {session.waiting:,} waiting"
    when = ago(time.time() - session.used_at) or used
    key, title = printable_line(session.key, 40), title_line(session.title, 48)
    return f"{key}  {title}  ({when}, {counts})"
