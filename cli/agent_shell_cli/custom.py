"""Commands of the user's own: Markdown files whose text becomes an input.

`commands/NAME.md` in the user's configuration folder, or in a project's `.agent-shell`.
A project's files come with a clone: they are text for a model and nothing else, none
takes the place of a command that the user has, and no link out of the project is read.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from agent_shell.records import frozen
from agent_shell_cli.config.places import Places
from agent_shell_cli.config.textfile import Unreadable, read_text
from agent_shell_cli.printable import printable_line
from agent_shell_cli.verbs import Verb

__all__ = ["Custom", "CustomCommands", "filled"]

_LIMIT = 64 * 1024
# In one folder: more nobody can choose from.
_MANY = 500
# Compiled when they are first needed, as most have no commands of their own.
_NAME = r"[a-z][a-z0-9-]*\Z"
_PLACE = r"\$(ARGUMENTS\b|[1-9]\b)"
_HEAD = r"(?sm)---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)"
_ABOUT = r"(?m)^description:[ \t]*(.*?)[ \t]*$"


@frozen
class Custom:
    """One command: what it says of itself, whose it is, and the text that it stands for."""

    name: str
    help: str
    source: str
    body: str


class CustomCommands:
    """Those of the folders of `places`; without them, none. Files are read when asked for."""

    def __init__(self, places: Places | None = None) -> None:
        self._folders: list[tuple[Path, str, Path | None]] = []
        if places is not None:
            self._folders.append((places.user / "commands", "yours", None))
        if places is not None and places.project is not None:
            root = places.project.parent
            self._folders.append((places.project / "commands", "this project's", root))

    def text(self, name: str, argument: str) -> str | None:
        """What `/name argument` stands for; `None` where there is no such command.

        Raises `Unreadable`.
        """
        for folder, source, root in self._folders:
            path = folder / f"{name}.md"
            try:
                return filled(_read(path, source, root).body, argument)
            except FileNotFoundError:
                pass
        return None

    def listing(self) -> tuple[list[Custom], list[str]]:
        """All of them by name, and why others can't be used, each with its file."""
        found: dict[str, Custom] = {}
        problems: list[str] = []
        for folder, source, root in self._folders:
            for path in _files(folder):
                problem = _refused(path.stem, found)
                try:
                    if not problem:
                        found[path.stem] = _read(path, source, root)
                except FileNotFoundError:
                    pass  # gone since
                except Unreadable as error:
                    problem = str(error)
                if problem:
                    problems.append(f"{printable_line(str(path))} {problem}")
        return sorted(found.values(), key=lambda command: command.name), problems


def filled(body: str, argument: str) -> str:
    """The text of a command with what stands behind its name, for `$ARGUMENTS`, `$1` to `$9`.

    Where the text has a place for none of it, it stands at the end.
    """
    words = _words(argument)

    def value(place: re.Match[str]) -> str:
        if place[1] == "ARGUMENTS":
            return argument
        return words[int(place[1]) - 1] if int(place[1]) <= len(words) else ""

    text, places = re.subn(_PLACE, value, body)
    return f"{text}\n\n{argument}" if argument and not places else text


def _words(argument: str) -> list[str]:
    try:
        return shlex.split(argument)
    except ValueError:  # a quote or an apostrophe alone
        return argument.split()


def _files(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(path for path in folder.iterdir() if path.suffix == ".md")
    except OSError:
        return
    yield from names[:_MANY]


def _refused(name: str, found: dict[str, Custom]) -> str:
    if name in set(Verb):
        return f"can't be used: /{name} is one of the shell's own commands"
    if name in found:
        return f"is not used: /{name} is a command of your own"
    if not re.match(_NAME, name):
        return "can't be used: a name has small letters, digits and hyphens, a letter first"
    return ""


def _read(path: Path, source: str, root: Path | None) -> Custom:
    """The command of a file; with a `root`, only where it lies below that."""
    if root is not None:
        _keep_inside(path, root)
    text = read_text(path, _LIMIT)
    head = re.match(_HEAD, text)
    about = re.search(_ABOUT, head[1]) if head is not None else None
    body = (text[head.end() :] if head is not None else text).strip()
    if not body:
        raise Unreadable("is empty")
    said = about[1].strip("\"'") if about is not None else body
    return Custom(path.stem, printable_line(said, 60), source, body)


def _keep_inside(path: Path, root: Path) -> None:
    try:
        inside = path.resolve(strict=True).is_relative_to(root.resolve())
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError) as error:
        raise Unreadable(f"can't be read: {error}") from None
    if not inside:
        raise Unreadable("is a link that leads out of the project")
