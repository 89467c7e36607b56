"""The tools that a model has, by name: arguments are checked, and every end is a result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from agent_shell.errors import reason_of
from agent_shell.tools.approval import Denied, Gate
from agent_shell.tools.base import Result, Tool, ToolContext, ToolError

__all__ = ["MAX_TEXT", "ToolSource", "Toolset"]

# Of a result, in characters: a tool bounds what it gives by sense, this by size.
MAX_TEXT = 100_000
# How soon, in seconds, a source is asked again that could not answer: not at every turn.
_AGAIN_S = 60.0
_FAULTS = 5
_SHOWN = 80


class ToolSource(Protocol):
    """Where tools come from that are not known before they are asked for."""

    async def tools(self) -> Sequence[Tool]:
        """What it offers; raises `ToolError` where it can't be reached."""
        ...

    async def close(self) -> None:
        """Lets go of it."""
        ...


def _unheard(_: str) -> None:
    """Where nobody listens."""


class Toolset:
    """The tools of one agent. Names are unique: raises `ValueError` where they are not.

    `sources` are asked for theirs when the tools are first wanted; what these are given is
    not checked here. `instructions` is what
    the model should know besides (see `instructions.py`).
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        gate: Gate,
        sources: Iterable[ToolSource] = (),
        instructions: str = "",
    ) -> None:
        self.gate = gate
        self._instructions = instructions
        self._tools: dict[str, Tool] = {}
        self._foreign: set[str] = set()
        self._sources = list(sources)
        self._waiting = list(self._sources)
        self._loading = asyncio.Lock()
        self._again_at = 0.0
        self._problems: list[str] = []
        for tool in tools:
            self._add(tool)

    def instructions(self) -> str:
        """What the model should know besides; "" for nothing."""
        return self._instructions

    async def tools(self) -> Sequence[Tool]:
        """All that there are; sources that could not answer are asked again, now and then."""
        async with self._loading:
            if self._waiting and asyncio.get_running_loop().time() >= self._again_at:
                await asyncio.gather(*map(self._ask, tuple(self._waiting)))
                self._again_at = asyncio.get_running_loop().time() + _AGAIN_S
        return tuple(self._tools.values())

    def take_problems(self) -> list[str]:
        """What a user should know of sources that could not answer, each said once."""
        problems, self._problems = self._problems, []
        return list(dict.fromkeys(problems))

    async def close(self) -> None:
        """Lets go of all sources."""
        for source in self._sources:
            await source.close()

    async def call(
        self,
        name: str,
        arguments: object,
        *,
        session: str = "",
        call: str = "",
        on_output: Callable[[str], None] = _unheard,
    ) -> Result:
        """Has it done; whatever goes wrong is a result that is not `ok`."""
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools)
            said = f"there is no tool {name[:_SHOWN]!r}; there are: {known}"
            return _fit(Result(said, ok=False))
        # A schema of somebody else's could be made that takes for ever to check: they do it.
        schema: Mapping[str, Any] = {} if name in self._foreign else tool.parameters
        if faults := _faults(schema, arguments):
            return _fit(Result(f"{name} was not called: {faults}", ok=False))
        given = _counted(schema, cast("Mapping[str, Any]", arguments))
        context = ToolContext(self.gate, session, call, on_output)
        try:
            return _fit(await tool.call(given, context))
        except Denied as denied:
            return _fit(Result(str(denied), ok=False))
        except (ToolError, OSError) as error:
            return _fit(Result(_said(error), ok=False))
        except Exception as error:
            return _fit(Result(f"{name} failed: {reason_of(error)}", ok=False))

    async def _ask(self, source: ToolSource) -> None:
        try:
            found = await source.tools()
        except ToolError as error:
            self._problems.append(str(error))
            return
        self._waiting.remove(source)
        for tool in found:
            if tool.name in self._tools:
                self._problems.append(f"two tools are called {tool.name!r}: the first counts")
            else:
                self._add(tool)
                self._foreign.add(tool.name)

    def _add(self, tool: Tool) -> None:
        if tool.name in self._tools:
            raise ValueError(f"two tools are called {tool.name!r}")
        self._tools[tool.name] = tool


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _faults(schema: Mapping[str, Any], arguments: object) -> str:
    """What is wrong with the arguments, for the model; "" where nothing is."""
    if not isinstance(arguments, Mapping):
        return "the arguments must be an object"
    # Imported here: 0.3 s that only who calls a tool pays.
    import jsonschema
    import referencing

    # An empty registry: a schema of somebody else's must not have us fetch a URL.
    registry: Any = referencing.Registry[Any]()
    checker: Any = jsonschema.Draft202012Validator(dict(schema), registry=registry)
    try:
        found = list(checker.iter_errors(arguments))
    except Exception as error:  # a foreign schema may be anything
        return f"its schema can't be used ({reason_of(error)[:_SHOWN]})"
    said = [_fault(error.json_path, error.message) for error in found[:_FAULTS]]
    if len(found) > _FAULTS:
        said.append(f"and {len(found) - _FAULTS} more")
    return "; ".join(said)


def _counted(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with whole numbers that are such: to a schema, 1.0 is one."""
    kinds: Mapping[str, Any] = schema.get("properties", {})
    given = dict(arguments)
    for name, value in arguments.items():
        match kinds.get(name), value:
            case {"type": "integer"}, float():
                given[name] = int(value)
            case _:
                pass
    return given


def _fault(where: str, what: str) -> str:
    if len(what) > 3 * _SHOWN:
        what = f"{what[: 2 * _SHOWN]} … {what[-_SHOWN:]}"
    where = where.removeprefix("$").removeprefix(".")
    return f"{where}: {what}" if where else what


def _fit(result: Result) -> Result:
    """The same as Unicode text of a size that a history can bear."""
    return Result(_bounded(result.text), _bounded(result.shown or result.text), result.ok)


def _bounded(text: str) -> str:
    # A file's name need not be Unicode; a lone surrogate fits no journal and no request.
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters were left out]\n{text[-half:]}"
