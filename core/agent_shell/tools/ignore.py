"""What `.gitignore` files leave out, those in folders below and above included."""

from __future__ import annotations

import re
from pathlib import Path

import pathspec

from agent_shell.tools.base import ToolError
from agent_shell.tools.workspace import Place, Workspace

__all__ = ["Ignored", "glob"]

_LIMIT = 256 << 10
# Runs of stars in a line: with more, a name could be made that takes for ever to match.
_STARS = 4
_LINE = 1_000
_FILE = ".gitignore"


def glob(pattern: str) -> pathspec.GitIgnoreSpec:
    """What a model's glob means: as in a `.gitignore`. Raises `ToolError`."""
    if not _bearable(pattern):
        raise ToolError(f"a glob has at most {_STARS} stars")
    try:
        return pathspec.GitIgnoreSpec.from_lines([pattern])
    except ValueError as error:
        raise ToolError(f"{pattern!r} is no glob: {error}") from error


class Ignored:
    """What is left out in a folder and below it; the nearest `.gitignore` counts most.

    Each rule is a specification with the folder that it stands in, absolute and in parts.
    """

    def __init__(self, rules: tuple[tuple[tuple[str, ...], pathspec.GitIgnoreSpec], ...]) -> None:
        self._rules = rules

    @classmethod
    def around(cls, workspace: Workspace) -> Ignored:
        """What the repository around the project's folder says of it."""
        chain = [workspace.root, *workspace.root.parents]
        top = next((i for i, folder in enumerate(chain) if (folder / ".git").exists()), 0)
        folders = chain[: top + 1]
        files = [folders[-1] / ".git/info/exclude"]
        files += [folder / _FILE for folder in reversed(folders[1:])]
        homes = [folders[-1], *reversed(folders[1:])]
        specs = (_spec(_text(file)) for file in files)
        found = zip(map(_parts, homes), specs, strict=True)
        return cls(tuple((home, spec) for home, spec in found if spec is not None))

    def entering(self, workspace: Workspace, place: Place) -> Ignored:
        """The same with what the folder itself says."""
        try:
            data, _ = workspace.read(Place((*place.parts, _FILE), place.outside), _LIMIT)
        except (ToolError, OSError):
            return self
        spec = _spec(data.decode("utf-8", "replace"))
        if spec is None:
            return self
        return Ignored((*self._rules, (_absolute(workspace, place), spec)))

    def covers(self, workspace: Workspace, place: Place, *, folder: bool) -> bool:
        """Whether it is left out."""
        parts = _absolute(workspace, place)
        for home, spec in reversed(self._rules):
            path = "/".join(parts[len(home) :]) + ("/" if folder else "")
            said = spec.check_file(path).include
            if said is not None:
                return said
        return False


def _parts(folder: Path) -> tuple[str, ...]:
    return folder.parts[1:]


def _absolute(workspace: Workspace, place: Place) -> tuple[str, ...]:
    return place.parts if place.outside else _parts(workspace.root) + place.parts


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""


def _spec(text: str) -> pathspec.GitIgnoreSpec | None:
    lines = [line for line in text.splitlines() if _bearable(line)]
    try:
        spec = pathspec.GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return None
    return spec if len(spec) else None


def _bearable(line: str) -> bool:
    return len(line) <= _LINE and len(re.findall(r"\*+", line)) <= _STARS
