"""The files of the working folder, for completion: listed in the background, searched in pieces.

A key never waits for any of it. The list is git's where the folder is in a checkout, which
knows best what is ignored; elsewhere the folders are walked, and their `.gitignore` files
heeded. Both work in threads that give way after each piece.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from itertools import islice
from pathlib import Path

from agent_shell import AgentShellError
from agent_shell.records import frozen, record
from agent_shell_cli.printable import printable

__all__ = ["FileIndex", "Table", "listed"]

_MOST = 300_000
_PIECE = 1_000  # paths
_READ = 1 << 16
# Paths that are put in at once, and the pause behind them.
_GIVE_WAY, _MOMENT_S = 250, 0.0001
# Of one kind of match, before the next kind is looked for.
_FOUND = 200
# A list is taken again when it is so old, in seconds, or so many times what it took.
_OLD_S, _OLD_TIMES = 2.0, 20
# Runs nothing that the configuration of a checkout names, and writes nothing into it.
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "ls-files", "-z")
_LISTED = ("--cached", "--others", "--exclude-standard")


@frozen
class _Piece:
    """So many paths, and the same in small letters: a line each, and their last parts."""

    paths: tuple[str, ...]
    lines: str
    names: str

    @classmethod
    def of(cls, paths: list[str]) -> _Piece:
        low = [path.lower() for path in paths]
        names = [path.rstrip("/").rpartition("/")[2] for path in low]
        return cls(tuple(paths), "\n" + "\n".join(low), "\n" + "\n".join(names))


@record
class Table:
    """Paths by how deep they lie, so that the nearest are found first; a folder ends in `/`."""

    _pieces: dict[int, list[_Piece]] = field(default_factory=dict[int, list[_Piece]])
    _open: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    _folders: set[str] = field(default_factory=set[str])
    count: int = 0

    def add(self, path: str) -> None:
        """Adds a file, or a folder that ends in `/`, and the folders that it is in."""
        folder = path.rpartition("/")[0]
        if not path.endswith("/"):
            self._put(path)
            self.count += 1
        while folder and folder not in self._folders:
            self._folders.add(folder)
            self._put(f"{folder}/")
            folder = folder.rpartition("/")[0]

    def _put(self, path: str) -> None:
        depth = path.rstrip("/").count("/")
        paths = self._open.setdefault(depth, [])
        paths.append(path)
        if len(paths) >= _PIECE:
            self._close(depth)

    def close(self) -> None:
        """Nothing more is added for now."""
        for depth in list(self._open):
            self._close(depth)

    def pieces(self) -> Iterator[_Piece]:
        """All that was closed, the nearest first."""
        for depth in sorted(self._pieces):
            yield from tuple(self._pieces[depth])

    def _close(self, depth: int) -> None:
        if paths := _typable(self._open.pop(depth)):
            self._pieces.setdefault(depth, []).append(_Piece.of(paths))


class FileIndex:
    """The files below `folder`, listed when somebody asks, and again when that was long ago."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._table = Table()
        self._listed = threading.Event()
        self._building = False
        self._fresh_until = 0.0
        self._searches = 0

    @property
    def complete(self) -> bool:
        """Whether the files were listed once, to the end."""
        return self._listed.is_set()

    def wait(self, seconds: float) -> None:
        """Returns when they are, or time is out; for a thread."""
        self._listed.wait(seconds)

    def ask(self) -> None:
        """Has the files listed in the background, where that is due."""
        if self._building or time.monotonic() < self._fresh_until:
            return
        self._building = True
        # No thread of the loop's own: who leaves the shell does not wait for it.
        threading.Thread(target=self._build, name="list the files", daemon=True).start()

    def search(self, query: str, limit: int) -> list[str]:
        """At most `limit` paths for what was typed, the best first; for a thread.

        Those whose name begins with it, or holds it, stand before those in which its
        letters are anywhere in their order. A later search ends this one.
        """
        self._searches += 1
        mine = self._searches
        found: dict[str, None] = {}
        for look in _looks(query.lower()):
            matches: list[str] = []
            for piece in self._table.pieces():
                if mine != self._searches:
                    return []
                matches += look(piece)
                if len(matches) >= _FOUND:
                    break
                _give_way()
            found.update(dict.fromkeys(sorted(matches, key=_far)))
            if len(found) >= limit:
                break
        there = (path for path in found if os.path.lexists(self._folder / path))
        return list(islice(there, limit))

    def _build(self) -> None:
        begun = time.monotonic()
        table = Table()
        if not self.complete:
            self._table = table  # better some of them than none
        try:
            for number, path in enumerate(islice(listed(self._folder), _MOST)):
                table.add(path)
                if number % _GIVE_WAY == 0:
                    _give_way()
        except (OSError, AgentShellError):
            pass  # the folder is gone, or can't be read: there is nothing to offer
        finally:
            table.close()
            self._table = table
            took = time.monotonic() - begun
            self._fresh_until = begun + took + max(_OLD_S, _OLD_TIMES * took)
            self._listed.set()
            self._building = False


def _give_way() -> None:
    """Lets the keys go first: they may wait for the interpreter, and need a moment to wake."""
    time.sleep(_MOMENT_S)


def listed(folder: Path) -> Iterator[str]:
    """The paths of the files below `folder` that are not ignored, from there on."""
    found = _by_git(folder)
    if found is not None:
        return found
    # Imported here: most are in a checkout.
    from agent_shell_cli.repl.walking import walked

    return walked(folder)


def _by_git(folder: Path) -> Iterator[str] | None:
    """What git lists; `None` where there is no git, or no checkout."""
    try:
        git = subprocess.Popen(  # noqa: S603 (its arguments are ours)
            [*_GIT, *_LISTED],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    assert git.stdout is not None
    first = os.read(git.stdout.fileno(), _READ)
    if not first and git.wait() != 0:
        git.stdout.close()
        return None
    return _paths(git, first)


def _paths(git: subprocess.Popen[bytes], data: bytes) -> Iterator[str]:
    assert git.stdout is not None
    before, half = b"", b""
    with git, git.stdout:
        try:
            while data:
                *whole, half = (half + data).split(b"\0")
                for path in whole:
                    if path != before:  # one that is in conflict is listed more than once
                        yield os.fsdecode(path)
                    before = path
                data = os.read(git.stdout.fileno(), _READ)
        finally:
            git.kill()  # it has ended, or nobody wants the rest


# Finds some of the paths of a piece.
_Look = Callable[[_Piece], list[str]]


def _looks(query: str) -> list[_Look]:
    """What is looked for, the best matches first."""
    by_path: list[_Look] = [
        lambda piece: _holding(piece, piece.lines, f"\n{query}"),
        lambda piece: _holding(piece, piece.lines, query),
    ]
    if not query:
        return by_path[:1]
    scattered = re.compile("\n" + "".join(f"[^{re.escape(c)}\n]*{re.escape(c)}" for c in query))
    by_path.append(lambda piece: _matching(piece, query, scattered))
    if "/" in query:
        return by_path
    by_name: list[_Look] = [
        lambda piece: _holding(piece, piece.names, f"\n{query}"),
        lambda piece: _holding(piece, piece.names, query),
    ]
    return [*by_name, *by_path]


def _holding(piece: _Piece, text: str, wanted: str) -> list[str]:
    """The paths whose lines of `text` hold it."""
    found: list[str] = []
    line, counted = -1, 0
    place = text.find(wanted)
    while place >= 0:
        # The newline that stands before a line is counted with it.
        line += text.count("\n", counted, place + 1)
        counted = place + 1
        found.append(piece.paths[line])
        end = text.find("\n", counted)
        place = text.find(wanted, end) if end >= 0 else -1
    return found


def _matching(piece: _Piece, query: str, wanted: re.Pattern[str]) -> list[str]:
    found: list[str] = []
    if any(letter not in piece.lines for letter in query):
        return found
    line, counted = -1, 0
    for match in wanted.finditer(piece.lines):
        line += piece.lines.count("\n", counted, match.start() + 1)
        counted = match.start() + 1
        found.append(piece.paths[line])
    return found


def _far(path: str) -> tuple[int, int, str]:
    return path.rstrip("/").count("/"), len(path), path


def _typable(paths: list[str]) -> list[str]:
    """Those that can stand in a draft: in quotes, on one line, and as text."""
    if not _odd("".join(paths)):
        return paths
    return [path for path in paths if not _odd(path)]


def _odd(text: str) -> bool:
    return '"' in text or "\n" in text or "\t" in text or printable(text) != text
