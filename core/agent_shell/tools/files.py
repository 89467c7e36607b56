"""Reading, writing and editing a file.

A file is changed only as it was when this session last read or wrote it: what the
user or another program has changed since is never overwritten.
"""

from __future__ import annotations

import asyncio
import io
import itertools
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from agent_shell.tools.approval import Need
from agent_shell.tools.base import Result, ToolContext, ToolError
from agent_shell.tools.diffs import unified_diff
from agent_shell.tools.requests import about_file
from agent_shell.tools.schema import count, flag, parameters, text
from agent_shell.tools.workspace import Place, Stamp, Workspace

__all__ = ["EditTool", "ReadTool", "Seen", "WriteTool", "encoded"]

# In bytes: what is read to find the lines that are wanted, and what can be edited.
_SEARCHED = 64 << 20
_EDITABLE = 4 << 20
# Of one answer: lines, characters of a line, and characters.
_LINES = 2_000
_LINE = 2_000
_TEXT = 60_000
_SNIFFED = 8_192
_REMEMBERED = 4_096

_PATH = text("The file, from the project's folder or absolute.")


class Seen:
    """In what state each session has last seen each file."""

    def __init__(self) -> None:
        self._stamps: OrderedDict[tuple[str, Place], Stamp] = OrderedDict()

    def note(self, session: str, place: Place, stamp: Stamp) -> None:
        """The session knows the file as it is now."""
        self._stamps[session, place] = stamp
        self._stamps.move_to_end((session, place))
        if len(self._stamps) > _REMEMBERED:
            self._stamps.popitem(last=False)

    def require(self, session: str, place: Place, stamp: Stamp) -> None:
        """Raises `ToolError` where the session has not seen the file as it is."""
        known = self._stamps.get((session, place))
        if known is None:
            raise ToolError(f"{place.name} is there and was not read: read it first")
        if known != stamp:
            raise ToolError(f"{place.name} has changed since it was read: read it again")


class ReadTool:
    """Gives the lines of a text file, with their numbers."""

    name = "read"
    need = Need.READ
    description = (
        "Reads a text file. Each line comes with its number and a tab before it. "
        f"At most {_LINES} lines at once: go on with offset."
    )
    parameters = parameters(
        path=_PATH,
        offset=count("The first line that is wanted; 1 is the first of the file.", 1, 10**9),
        limit=count(f"How many lines; {_LINES} by default.", 1, _LINES),
        required=("path",),
    )

    def __init__(self, workspace: Workspace, seen: Seen) -> None:
        self._workspace = workspace
        self._seen = seen

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Reads what was asked for."""
        place = self._workspace.locate(arguments["path"])
        await context.permit(about_file(self.name, Need.READ, place))
        start, limit = arguments.get("offset", 1), arguments.get("limit", _LINES)
        part, stamp = await asyncio.to_thread(_part, self._workspace, place, start, limit)
        self._seen.note(context.session, place, stamp)
        return Result(part, f"{place.name}, {len(part):,} characters")


def _part(workspace: Workspace, place: Place, start: int, limit: int) -> tuple[str, Stamp]:
    """The lines that are wanted; only these are taken apart, whatever the file's size."""
    data, stamp = workspace.read(place, _SEARCHED)
    if b"\0" in data[:_SNIFFED]:
        raise ToolError(f"{place.name} is binary ({stamp.size:,} bytes): it is not read as text")
    total = data.count(b"\n") + (not data.endswith(b"\n") if data else 0)
    if not data:
        return "[the file is empty]", stamp
    if start > total:
        return f"[the file has {total:,} lines: none from {start:,} on]", stamp
    said = list(_numbered(itertools.islice(io.BytesIO(data), start - 1, start - 1 + limit), start))
    last = start + len(said) - 1
    if last < total or len(data) < stamp.size:
        more = "" if len(data) == stamp.size else "more than "
        rest = f"of {more}{total:,}; go on with offset {last + 1}"
        said.append(f"[lines {start:,} to {last:,} {rest}]")
    return "\n".join(said), stamp


def _numbered(lines: Iterator[bytes], start: int) -> Iterator[str]:
    """The lines with their numbers, until it is enough."""
    room = _TEXT
    for number, line in enumerate(lines, start):
        line = line.rstrip(b"\r\n")
        text = line[: 4 * _LINE].decode("utf-8", "replace")[:_LINE]
        rest = len(line) - len(text.encode())
        yield f"{number:>6}\t{text}" + (
            f"[{rest:,} more bytes]" if len(text) == _LINE and rest else ""
        )
        room -= len(text)
        if room < 0:
            return


class WriteTool:
    """Writes a whole file."""

    name = "write"
    need = Need.WRITE
    description = (
        "Writes a file as a whole: a new one, with the folders that are missing, or one "
        "that was read before. To change a part of a file, edit it."
    )
    parameters = parameters(
        path=_PATH,
        content=text("All that the file is to hold."),
        required=("path", "content"),
    )

    def __init__(self, workspace: Workspace, seen: Seen) -> None:
        self._workspace = workspace
        self._seen = seen

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Asks with a diff, and writes."""
        place = self._workspace.locate(arguments["path"])
        new = encoded(arguments["content"])
        stamp = await asyncio.to_thread(self._workspace.stamp, place)
        old = None
        if stamp is not None:
            self._seen.require(context.session, place, stamp)
            old = await asyncio.to_thread(_old_text, self._workspace, place)
        diff = await asyncio.to_thread(unified_diff, place.name, old, arguments["content"])
        await context.permit(about_file(self.name, Need.WRITE, place, diff))
        now = await asyncio.to_thread(self._workspace.write, place, new, stamp)
        self._seen.note(context.session, place, now)
        lines = len(arguments["content"].splitlines())
        return Result(f"{place.name} was written: {lines:,} lines, {len(new):,} bytes", diff)


def _old_text(workspace: Workspace, place: Place) -> str:
    return workspace.read(place, _EDITABLE)[0].decode("utf-8", "replace")


def encoded(content: str) -> bytes:
    """The text as UTF-8; raises `ToolError` where it is no Unicode."""
    try:
        return content.encode()
    except UnicodeEncodeError:
        raise ToolError("the text holds a lone surrogate: it is no Unicode text") from None


class EditTool:
    """Replaces a text in a file by another."""

    name = "edit"
    need = Need.WRITE
    description = (
        "Replaces a text in a file that was read before. `old` is the exact text, with its "
        "spaces and line ends and without line numbers; it must be there once, or as often "
        "as `count` says."
    )
    parameters = parameters(
        path=_PATH,
        old=text("The text that is there, exactly, with as many lines around as make it one."),
        new=text("What is to stand in its place."),
        count=count("How often `old` is there, all to be replaced; 1 by default.", 1, 10_000),
        all=flag("Replace `old` wherever it is."),
        required=("path", "old", "new"),
    )

    def __init__(self, workspace: Workspace, seen: Seen) -> None:
        self._workspace = workspace
        self._seen = seen

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Asks with a diff, and writes."""
        place = self._workspace.locate(arguments["path"])
        # What was read with permission is known to the model; nothing else is looked at here.
        stamp = await asyncio.to_thread(self._workspace.stamp, place)
        if stamp is None:
            raise ToolError(f"{place.name} is not there: write makes a new file")
        self._seen.require(context.session, place, stamp)
        data, stamp = await asyncio.to_thread(self._workspace.read, place, _EDITABLE + 1)
        before = _editable(data, place)
        after = _replaced(before, arguments, place)
        diff = await asyncio.to_thread(unified_diff, place.name, before, after)
        await context.permit(about_file(self.name, Need.WRITE, place, diff))
        now = await asyncio.to_thread(self._workspace.write, place, encoded(after), stamp)
        self._seen.note(context.session, place, now)
        return Result(f"{place.name} was edited", diff)


def _editable(data: bytes, place: Place) -> str:
    if len(data) > _EDITABLE:
        raise ToolError(f"{place.name} is larger than {_EDITABLE:,} bytes: it can't be edited")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ToolError(f"{place.name} is no UTF-8 text: it can't be edited") from None


def _replaced(before: str, arguments: Mapping[str, Any], place: Place) -> str:
    old, new = arguments["old"], arguments["new"]
    if not old:
        raise ToolError("`old` is empty: say which text is to be replaced")
    if old == new:
        raise ToolError("`old` and `new` are the same: nothing to do")
    if before.count("\r\n") == before.count("\n") and "\r" not in old:
        # A file with the line ends of Windows is read without them, and keeps them.
        old, new = old.replace("\n", "\r\n"), new.replace("\r\n", "\n").replace("\n", "\r\n")
    found, wanted = before.count(old), arguments.get("count", 1)
    if not found:
        raise ToolError(f"`old` is not in {place.name}: read it again, and copy the text exactly")
    if len(before) + found * (len(new) - len(old)) > _EDITABLE:
        raise ToolError(f"{place.name} would be larger than {_EDITABLE:,} characters: not edited")
    if not arguments.get("all") and found != wanted:
        raise ToolError(
            f"`old` is {found:,} times in {place.name}, not {wanted:,}: give more of what is "
            "around it, or say count or all"
        )
    return before.replace(old, new)
