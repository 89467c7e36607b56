"""From the files, the environment and the command line to the settings.

What is wrong with any of the files is collected, not raised one by one: who
mends a configuration wants to see all of it.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, cast

from agent_shell.paths import expanded
from agent_shell.records import frozen, record
from agent_shell_cli.config.places import Places, places
from agent_shell_cli.config.settings import KEYS, Key, Settings
from agent_shell_cli.config.textfile import Unreadable, read_text
from agent_shell_cli.exits import UsageError

__all__ = [
    "COMMAND_LINE",
    "DEFAULT",
    "ConfigError",
    "Configuration",
    "configuration",
    "load",
    "require",
]

DEFAULT, COMMAND_LINE = "default", "command line"

_LIMIT = 64 * 1024
_KEYS = {key.name: key for key in KEYS}
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_SHOWN = 60


class ConfigError(UsageError):
    """The configuration has faults; the message names all of them, one a line."""


@frozen
class Configuration:
    """The settings, where each that is no default comes from, and what was wrong.

    `sources` has `colors.mark` for an entry of a table. A value at fault does not count.
    """

    settings: Settings = field(default_factory=Settings)
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    problems: tuple[str, ...] = ()

    def over(self, **given: Any) -> Configuration:
        """The same with what the command line says; `None` is what it does not say."""
        said = {name: value for name, value in given.items() if value is not None}
        return replace(
            self,
            settings=replace(self.settings, **said),
            sources={**self.sources, **dict.fromkeys(said, COMMAND_LINE)},
        )


@functools.cache  # several parts ask for it, and all are to see the same
def configuration() -> Configuration:
    """The configuration of this process, without the command line; raises `ConfigError`."""
    return require(load())


def require(loaded: Configuration) -> Configuration:
    """`loaded` itself; raises `ConfigError` where something is wrong with it."""
    if loaded.problems:
        raise ConfigError("\n".join(_complaint(loaded.problems)))
    return loaded


def load(where: Places | None = None, environment: Mapping[str, str] = os.environ) -> Configuration:
    """What the files and the environment say; faults are in `problems`."""
    where = where or places(environment=environment)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for path in where.files:
        own = where.project is None or path.parent != where.project
        _File(path, own, where.files[0], values, sources, problems).read()
    if environment.get("NO_COLOR"):
        values["color"], sources["color"] = "never", "environment NO_COLOR"
    return Configuration(Settings(**values), sources, tuple(problems))


@record
class _File:
    """One file, and what the ones before it have said.

    `own` where the user wrote it; `user` is the file to put there what is not for
    a project.
    """

    path: Path
    own: bool
    user: Path
    values: dict[str, Any]
    sources: dict[str, str]
    problems: list[str]
    text: str = ""

    def read(self) -> None:
        """Takes in what the file says, if it is there."""
        try:
            self.text = read_text(self.path, _LIMIT)
        except FileNotFoundError:
            return
        except Unreadable as reason:
            self.problems.append(f"{self.path} {reason}")
            return
        for name, value in self._parsed().items():
            key = _KEYS.get(name)
            if key is None:
                self._unknown(name, _KEYS, "'agent-shell config' lists them")
            elif key.kind.entries:
                self._take_table(key, value)
            elif self._may_be(key, name, value):
                self._take(key, value)

    def _parsed(self) -> dict[str, Any]:
        # Imported here: most who start have no file, and pay nothing for it.
        import tomllib

        try:
            return tomllib.loads(self.text)
        except RecursionError:
            self.problems.append(f"{self.path} is nested too deep")
        except ValueError as error:
            self.problems.append(self._syntax(str(error)))
        return {}

    def _syntax(self, said: str) -> str:
        position = _POSITION.search(said)
        where = ""
        if position is not None:
            said = said[: position.start()]
            last = self.text.count("\n") + 1
            where = f":{position[1]}:{position[2]}" if position[1] else f":{last}"
        return f"{self.path}{where}: this is not TOML: {said[:1].lower()}{said[1:]}"

    def _take(self, key: Key, value: Any) -> None:
        if key.name == "journal" and value != "memory":
            value = os.fspath(self.path.parent / expanded(value))
        self.values[key.name] = _tuple(value) if isinstance(value, list) else value
        self.sources[key.name] = self._at(key.name)

    def _take_table(self, key: Key, value: Any) -> None:
        if not isinstance(value, dict):
            self._wrong(key.name, f"must be a table, written as [{key.name}]")
            return
        kept = dict(self.values.get(key.name, {}))
        entries = cast("dict[str, Any]", value)
        for name, entry in entries.items():
            full = f"{key.name}.{name}"
            if name not in key.kind.entries:
                self._unknown(full, [f"{key.name}.{entry}" for entry in key.kind.entries])
            elif self._may_be(key, full, entry):
                kept[name] = entry
                self.sources[full] = self._at(full)
        self.values[key.name] = kept

    def _may_be(self, key: Key, name: str, value: Any) -> bool:
        if not key.kind.fits(value):
            wrong = f"must be {key.kind.form}, not {_shown(value)}"
            wrong += _nearest(value, key.kind.options)
            fault = key.kind.fault(value) if key.kind.fault is not None else None
            self._wrong(*(fault or (name, wrong)))
        elif not self.own and key.project is not None and not key.project.fits(value):
            self._wrong(
                name,
                f"can't be {_shown(value)} in a project's file, which others may have written: "
                f"delete the line, or set it in {self.user}",
            )
        else:
            return True
        return False

    def _unknown(self, name: str, known: Iterable[str], hint: str = "") -> None:
        advice = "; ".join(filter(None, (_nearest(name, known).lstrip("; "), hint)))
        self._wrong(name, "there is no such key" + (f"; {advice}" if advice else ""))

    def _wrong(self, name: str, what: str) -> None:
        self.problems.append(f"{self._at(name)}: {name[:_SHOWN]}: {what}")

    def _at(self, name: str) -> str:
        line = _line_of(self.text, name)
        return f"{self.path}:{line}" if line else f"{self.path}"


def _complaint(problems: tuple[str, ...]) -> Iterator[str]:
    if len(problems) == 1:
        yield f"the configuration has a fault: {problems[0]}"
    else:
        yield f"the configuration has {len(problems):,} faults:"
        yield from (f"  {problem}" for problem in problems)


def _shown(value: Any) -> str:
    said = f"'{value}'" if isinstance(value, str) else _toml(value)
    return said if len(said) <= _SHOWN else f"{said[: _SHOWN - 1]}…"


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            items = _tuple(value)
            return "a list" if len(items) > 9 else f"[{', '.join(map(_shown, items))}]"
        case _:
            return str(value)


def _tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values)


def _nearest(name: Any, known: Iterable[str]) -> str:
    """Advice, where one of those that there are is near."""
    import difflib  # only for who has erred

    wrong = _tuple(name) if isinstance(name, list) else (name,)
    known = list(known)
    near = [
        match
        for word in wrong
        if isinstance(word, str) and len(word) <= _SHOWN and word not in known
        for match in difflib.get_close_matches(word, known, 1)
    ]
    return f"; did you mean '{near[0]}'?" if near else ""


def _line_of(text: str, name: str) -> int:
    """The line in which a key is given its value; 0 where that can't be seen.

    The parser does not say. A line in a text of several lines may pass for one.
    """
    section, _, last = name.rpartition(".")
    here = re.compile(rf"""\s*["']?{re.escape(last)}["']?\s*[=.]""")
    dotted = re.compile(rf"\s*{re.escape(section)}\s*\.\s*{re.escape(last)}\s*=")
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if (header := _HEADER.match(line)) is not None:
            table = header[1]
            if table == name:
                return number
        elif (table == section and here.match(line)) or (
            section and not table and dotted.match(line)
        ):
            return number
    return 0
