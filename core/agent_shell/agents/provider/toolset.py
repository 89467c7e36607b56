"""What tools look like to an agent: whatever has them may be another part, or a test.

`agent_shell.tools` has such: its `Tool` is this one with what it takes to be done, its `Result`
an `Outcome`, its `Toolset` a `Toolset`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Beside", "NoTools", "Outcome", "Tool", "Toolset"]


class Outcome(Protocol):
    """What a use of a tool came to.

    `text` is what the model is told; `shown` what a person should see of it. `ok` is false
    where it failed or was denied.
    """

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked for."""
        ...

    @property
    def text(self) -> str:
        """What the model is told."""
        ...

    @property
    def shown(self) -> str:
        """What a person should see of it."""
        ...


class Tool(Protocol):
    """A tool as the model sees it; `parameters` is a JSON schema of type object."""

    @property
    def name(self) -> str:
        """Letters, digits, `_` and `-`, at most 64 of them: all that providers take."""
        ...

    @property
    def description(self) -> str:
        """What it does, for the model."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The JSON schema of its arguments."""
        ...


class Toolset(Protocol):
    """The tools of a session."""

    async def tools(self) -> Sequence[Tool]:
        """What there is to be used in this turn."""
        ...

    async def call(
        self, name: str, arguments: object, *, session: str = "", call: str = ""
    ) -> Outcome:
        """Uses one, in the `session` and as the use `call` of its turn.

        Whatever goes wrong is told in the outcome; only cancellation is raised.
        """
        ...

    def instructions(self) -> str:
        """What the model should know about them and the project; "" for nothing."""
        ...

    def take_problems(self) -> list[str]:
        """What a user should know of tools that could not be had, each said once."""
        ...


class NoTools:
    """A session without tools."""

    async def tools(self) -> Sequence[Tool]:
        """None."""
        return ()

    async def call(
        self, name: str, arguments: object, *, session: str = "", call: str = ""
    ) -> Outcome:
        """Says that there is none, to a model that calls one all the same."""
        del arguments, session, call
        return _Refusal(f"there is no tool {name[:80]!r}")

    def instructions(self) -> str:
        """Nothing."""
        return ""

    def take_problems(self) -> list[str]:
        """Nothing."""
        return []


class Beside(NoTools):
    """The tools of a session, for a question beside it: seen, and not to be used.

    They are still told, for some providers refuse a history that uses what is not there.
    """

    def __init__(self, toolset: Toolset) -> None:
        self._toolset = toolset

    async def tools(self) -> Sequence[Tool]:
        """Those of the session."""
        return await self._toolset.tools()

    async def call(
        self, name: str, arguments: object, *, session: str = "", call: str = ""
    ) -> Outcome:
        """Says that nothing is done here."""
        del name, arguments, session, call
        return _Refusal("this is a question beside the session: answer it without a tool")

    def instructions(self) -> str:
        """Those of the session."""
        return self._toolset.instructions()


@dataclass(frozen=True, slots=True)
class _Refusal:
    text: str
    ok: bool = False

    @property
    def shown(self) -> str:
        return self.text
