"""Completing what is typed: commands and what they take, and files behind an `@`.

What is in memory is at hand; all else is looked up in threads, and no key waits for it.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path

from prompt_toolkit.application.current import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from agent_shell.records import frozen
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.files import FileIndex
from agent_shell_cli.repl.mentions import mention, typed_path
from agent_shell_cli.verbs import COMMANDS, Command

__all__ = ["Completing", "Option", "Sources", "Wanted", "What", "targets", "wanted"]

_SHOWN = 50
_LOOK_AGAIN_S = 0.05

# What can be put in, and what is said of it.
Option = tuple[str, str]


class What(enum.Enum):
    """What is being typed."""

    FILE = enum.auto()  # behind an @
    COMMAND = enum.auto()
    WAITING = enum.auto()  # the number of an input that waits
    ANSWER = enum.auto()  # the number of one that was answered
    MODEL = enum.auto()
    SESSION = enum.auto()
    TARGET = enum.auto()  # a file to write


@frozen
class Wanted:
    """What is being typed, and what there is of it before the cursor."""

    what: What
    typed: str


@frozen
class Sources:
    """Where options come from; `at_hand` costs nothing, `looked_up` is asked in a thread."""

    at_hand: dict[What, Callable[[], Iterable[Option]]]
    looked_up: dict[What, Callable[[], Iterable[Option]]]
    files: FileIndex


def wanted(document: Document) -> Wanted | None:
    """What is being typed; `None` where there is nothing to complete."""
    path = typed_path(document)
    if path is not None:
        return Wanted(What.FILE, path)
    before_cursor = document.text_before_cursor
    if not before_cursor.startswith("/") or "\n" in before_cursor:
        return None
    name, blank, rest = before_cursor.partition(" ")
    if not blank:
        return Wanted(What.COMMAND, name)
    command = next((one for one in COMMANDS if f"/{one.verb}" == name.lower()), None)
    return None if command is None else _taken(command, rest.lstrip(" "))


def _taken(command: Command, rest: str) -> Wanted | None:
    """What a command takes first; behind it stand texts, which are the user's own."""
    first = command.takes.split(" ")[0].strip("[]")
    what = _TAKEN.get(first)
    if first == "N":
        what = What.WAITING if command.owners else What.ANSWER
    if what is None or (first == "N" and " " in rest):
        return None
    return Wanted(what, rest)


_TAKEN = {"NAME": What.MODEL, "KEY": What.SESSION, "FILE": What.TARGET}


class Completing(Completer):
    """Options for what stands before the cursor, out of `sources`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Nothing: the prompt asks for them without waiting."""
        del document, complete_event
        return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """Those for what is typed, as they are found."""
        del complete_event
        found = wanted(document)
        if found is None:
            return
        if found.what is What.FILE:
            async for path in self._paths(document, found.typed.lstrip('"')):
                yield _completion(mention(path), len(found.typed), _shown(path))
            return
        for text, said in await self._options(found.what):
            if _fits(text, found):
                yield _completion(text, len(found.typed), _shown(text), said)

    async def _options(self, what: What) -> list[Option]:
        at_hand = list(self._sources.at_hand.get(what, list[Option])())
        if (look_up := self._sources.looked_up.get(what)) is None:
            return at_hand
        return at_hand + await asyncio.to_thread(lambda: list(look_up()))

    async def _paths(self, document: Document, query: str) -> AsyncGenerator[str, None]:
        """Paths; while the files are listed for the first time, of those that are there."""
        files, given = self._sources.files, set[str]()
        files.ask()
        while True:
            complete = files.complete
            for path in await asyncio.to_thread(files.search, query, _SHOWN):
                if path not in given:
                    given.add(path)
                    yield path
            if complete or get_app().current_buffer.document != document:
                return
            await asyncio.to_thread(files.wait, _LOOK_AGAIN_S)


def targets(default: str) -> Iterable[Option]:
    """Files that a session can be written to."""
    for suffix, what in ((".md", "Markdown"), (".html", "a page"), (".json", "for programs")):
        name = f"{default}{suffix}"
        if not Path(name).exists():
            yield name, what


def _fits(text: str, found: Wanted) -> bool:
    typed, low = found.typed.lower(), text.lower()
    # A key is long, and one remembers any part of it.
    return typed in low if found.what is What.SESSION else low.startswith(typed)


def _completion(text: str, typed: int, shown: str, said: str = "") -> Completion:
    return Completion(text, -typed, display=shown, display_meta=printable_line(said, 60))


def _shown(text: str) -> str:
    return printable_line(text, 80)
