"""What a tool is, what it is given, and what it gives back.

    class Weather:
        name = "weather"
        description = "The weather in a town."
        parameters = {
            "type": "object",
            "properties": {"town": {"type": "string"}},
            "required": ["town"],
            "additionalProperties": False,
        }
        need = Need.NETWORK

        async def call(self, arguments, context):
            url = f"https://weather.example/{arguments['town']}"
            await context.permit(
                ApprovalRequest(self.name, self.need, url, patterns=(f"weather {url}",))
            )
            return Result(await look_up(url))

    tools = Toolset([Weather()], Gate(Policy(Mode.ASK), approver))
    result = await tools.call("weather", {"town": "Bergen"}, session="s", call="call_1")

A tool asks by `context.permit` as soon as it knows the exact thing, and before it
does it; a refusal leaves it as `Denied` and is told to the model. What a tool gives
back is data: nothing in it can allow, steer, queue or address a terminal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agent_shell.agents.provider.toolset import Tool as Described
from agent_shell.errors import AgentShellError
from agent_shell.records import frozen
from agent_shell.tools.approval import ApprovalRequest, Gate, Need

__all__ = ["Result", "Tool", "ToolContext", "ToolError"]


class ToolError(AgentShellError):
    """The tool could not do it; the text is for the model, and says what would help."""


@frozen
class Result:
    """What a tool gives back: an `Outcome` to whoever has it used (`agents/provider/toolset.py`).

    `text` is for the model, `shown` for a person, as a unified diff where a file was
    changed; where it is empty, the same. `ok` is false where the tool failed, was
    denied or was cut off.
    """

    text: str
    shown: str = ""
    ok: bool = True


def _unheard(_: str) -> None:
    """Where nobody listens to what a tool says meanwhile."""


@frozen
class ToolContext:
    """What one use of a tool has around it.

    `session` and `call` say whose it is; `on_output` takes pieces of the output as
    they come, on the event loop's thread.
    """

    gate: Gate
    session: str = ""
    call: str = ""
    on_output: Callable[[str], None] = _unheard

    async def permit(self, request: ApprovalRequest) -> None:
        """Returns where it may be done; raises `Denied`."""
        asked = dataclasses.replace(request, session=self.session, call=self.call)
        await self.gate.permit(asked)


class Tool(Described, Protocol):
    """Something that a model can have done; as it sees it, and how it is done."""

    @property
    def need(self) -> Need:
        """What it needs to be allowed at most."""
        ...

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Does it, with arguments that fit the schema.

        Raises `Denied`, `ToolError`, and lets `CancelledError` pass when all that it
        started has ended.
        """
        ...
