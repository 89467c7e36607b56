"""Listing files and searching in them, without what `.gitignore` leaves out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any

import regex

from agent_shell.records import record
from agent_shell.tools.approval import Need
from agent_shell.tools.base import Result, ToolContext, ToolError
from agent_shell.tools.ignore import Ignored, glob
from agent_shell.tools.requests import about_file
from agent_shell.tools.schema import count, flag, parameters, text
from agent_shell.tools.workspace import Entry, Place, Workspace

__all__ = ["ListTool", "SearchTool"]

_LISTED = 1_000
_FOUND = 200
# In seconds: of a search, and of one file's match against the expression.
_TIME_S = 20.0
_MATCH_S = 1.0
# In bytes and characters.
_FILE = 4 << 20
_LINE = 400
_PATTERN = 2_000  # to read a longer one takes seconds, in which nothing else is done
_SNIFFED = 8_192
_DEEP = 64


@record
class _Walk:
    """The files below a place, a folder's own before those of its folders.

    `stop` ends it from another thread; `late` is true where time ran out.
    """

    workspace: Workspace
    stop: threading.Event = field(default_factory=threading.Event)
    late: bool = False
    _until: float = field(default_factory=lambda: time.monotonic() + _TIME_S)

    @property
    def over(self) -> bool:
        """Whether it is to end."""
        self.late = self.late or time.monotonic() > self._until
        return self.late or self.stop.is_set()

    def files(self, start: Place) -> Iterator[Place]:
        """All files that are not left out; links are not followed."""
        rules = Ignored.around(self.workspace)
        if not start.outside:
            for depth in range(len(start.parts)):
                rules = rules.entering(self.workspace, Place(start.parts[:depth]))
        waiting = [(start, rules)]
        while waiting and not self.over:
            folder, rules = waiting.pop()
            rules = rules.entering(self.workspace, folder)
            below: list[tuple[Place, Ignored]] = []
            for entry in self._entries(folder):
                place = Place(entry.parts, start.outside)
                if entry.kind not in ("file", "folder") or entry.parts[-1] == ".git":
                    continue
                is_folder = entry.kind == "folder"
                if rules.covers(self.workspace, place, folder=is_folder):
                    continue
                if is_folder:
                    below.append((place, rules))
                else:
                    yield place
            if len(folder.parts) - len(start.parts) < _DEEP:
                waiting += reversed(below)

    def _entries(self, folder: Place) -> list[Entry]:
        try:
            return self.workspace.entries(folder.parts, outside=folder.outside)
        except (ToolError, OSError):  # it went away, or may not be read
            return []


class ListTool:
    """Lists a folder, or the files that fit a glob."""

    name = "list"
    need = Need.READ
    description = (
        "Lists what is in a folder; with a glob, all files in it and below that fit it, as "
        "**/*.py, without what .gitignore leaves out."
    )
    parameters = parameters(
        path=text("The folder; by default the project's."),
        glob=text("Which files, as in .gitignore: *.py fits at any depth, /src/*.py only there."),
    )

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Lists it."""
        place = self._workspace.locate(arguments.get("path") or ".")
        await context.permit(about_file(self.name, Need.READ, place))
        if wanted := arguments.get("glob"):
            names = await _in_thread(self._workspace, lambda walk: _fitting(walk, place, wanted))
        else:
            names = await asyncio.to_thread(self._folder, place)
        shown = f"{place.name}: {len(names):,} found"
        if not names:
            return Result("[nothing found]", shown)
        if len(names) > _LISTED:
            names[_LISTED:] = [f"[the first {_LISTED:,}: there are more; narrow it down]"]
        return Result("\n".join(names), shown)

    def _folder(self, place: Place) -> list[str]:
        marks = {"folder": "/", "link": "@", "file": "", "other": "="}
        found = self._workspace.entries(place.parts, outside=place.outside)
        return [entry.parts[-1] + marks[entry.kind] for entry in found]


def _fitting(walk: _Walk, start: Place, wanted: str) -> list[str]:
    spec = glob(wanted)
    names: list[str] = []
    for place in walk.files(start):
        if spec.match_file("/".join(place.parts[len(start.parts) :])):
            names.append(place.name)
        if len(names) > _LISTED:
            break
    if walk.late:
        names.append(f"[not all: it took longer than {_TIME_S:g} s]")
    return names


class SearchTool:
    """Searches the files for lines that match a regular expression."""

    name = "search"
    need = Need.READ
    description = (
        "Searches text files for lines that match a regular expression of Python, without "
        "what .gitignore leaves out and without files that may hold secrets. Each line "
        f"comes as path:number:line, at most {_FOUND} of them."
    )
    parameters = parameters(
        pattern=text("The regular expression, for one line."),
        path=text("The folder or file to search in; by default the project's folder."),
        glob=text("Which files, as in .gitignore: *.py."),
        ignore_case=flag("Small and capital letters are the same."),
        limit=count(f"How many lines; {_FOUND} by default.", 1, _FOUND),
        required=("pattern",),
    )

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Searches."""
        place = self._workspace.locate(arguments.get("path") or ".")
        await context.permit(about_file(self.name, Need.READ, place))
        search = _Search(
            _expression(arguments["pattern"], ignore_case=bool(arguments.get("ignore_case"))),
            arguments.get("glob") or "",
            arguments.get("limit", _FOUND),
        )
        lines = await _in_thread(self._workspace, lambda walk: search.run(walk, place))
        return Result("\n".join(lines), f"{search.found:,} lines in {search.files:,} files")


def _expression(pattern: str, *, ignore_case: bool) -> regex.Pattern[str]:
    if len(pattern) > _PATTERN:
        raise ToolError(f"a regular expression has at most {_PATTERN:,} characters here")
    try:
        return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ToolError(f"{pattern!r} is no regular expression: {error}") from error


@record
class _Search:
    """One search, and what it has counted."""

    expression: regex.Pattern[str]
    glob: str
    limit: int
    found: int = 0
    files: int = 0
    secret: int = 0
    long: int = 0

    def run(self, walk: _Walk, start: Place) -> list[str]:
        """The lines that match, with what was left out."""
        lines: list[str] = []
        for place in self._places(walk, start):
            for line in self._matches(walk.workspace, place):
                lines.append(line)
                self.found += 1
                if self.found >= self.limit:
                    lines.append(f"[the first {self.limit:,}: there may be more; narrow it down]")
                    return lines
            if walk.over:
                break
        if not self.found:
            lines.append("[no line matches]")
        if self.secret:
            lines.append(f"[{self.secret:,} files that may hold secrets were left out]")
        if self.long:
            lines.append(f"[of {self.long:,} files only the first {_FILE:,} bytes were searched]")
        if walk.late:
            lines.append(f"[not all: it took longer than {_TIME_S:g} s]")
        return lines

    def _places(self, walk: _Walk, start: Place) -> Iterator[Place]:
        if _is_file(walk.workspace, start):
            yield start
            return
        spec = glob(self.glob) if self.glob else None
        for place in walk.files(start):
            if spec and not spec.match_file("/".join(place.parts[len(start.parts) :])):
                continue
            if place.secret:
                self.secret += 1
            else:
                yield place

    def _matches(self, workspace: Workspace, place: Place) -> Iterator[str]:
        try:
            data, stamp = workspace.read(place, _FILE)
        except (ToolError, OSError):
            return
        if b"\0" in data[:_SNIFFED]:
            return
        self.files += 1
        self.long += stamp.size > len(data)
        until = time.monotonic() + _MATCH_S
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            try:
                if self._hits(line.rstrip("\r"), until - time.monotonic()):
                    yield f"{place.name}:{number}:{_cut(line.rstrip())}"
            except TimeoutError:
                yield f"{place.name}:{number}:[given up: the expression takes too long here]"
                return

    def _hits(self, line: str, time_s: float) -> bool:
        """Whether the line matches; raises `TimeoutError`."""
        if time_s <= 0:
            raise TimeoutError
        # This engine can be told to give up, and lets other threads run meanwhile.
        return self.expression.search(line, timeout=time_s, concurrent=True) is not None


def _is_file(workspace: Workspace, place: Place) -> bool:
    try:
        return workspace.stamp(place) is not None
    except ToolError:
        return False


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_LINE]}…"


async def _in_thread(workspace: Workspace, work: Callable[[_Walk], list[str]]) -> list[str]:
    """What `work` gives, which runs in a thread that ends soon after a cancellation."""
    walk = _Walk(workspace)
    try:
        return await asyncio.to_thread(work, walk)
    finally:
        walk.stop.set()
