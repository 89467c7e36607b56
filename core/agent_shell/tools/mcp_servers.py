"""Tools of MCP servers that the user has configured.

What a server says of its tools, and what they give back, is data from somebody
else. Their schemas are for the model and the server alone: one could be made that
takes for ever to check.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agent_shell.tools.approval import ApprovalRequest, Need
from agent_shell.tools.base import Result, Tool, ToolContext
from agent_shell.tools.mcp_config import McpConfig, Offer

__all__ = ["McpServer"]

_LONGEST = 64
_TOOLS = 128
_DESCRIPTION = 2_000
_SCHEMA = 20_000
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class _Connection(Protocol):
    """A server that answers, or says by `ToolError` that it does not."""

    async def offers(self) -> list[Offer]: ...
    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Result: ...
    async def close(self) -> None: ...


class McpServer:
    """The tools of one server, which is started or reached when they are first wanted."""

    def __init__(self, config: McpConfig, connection: _Connection | None = None) -> None:
        self._config = config
        self._connection = connection

    async def tools(self) -> Sequence[Tool]:
        """What it offers, under names that every provider takes."""
        connection = self._connected()
        tools: dict[str, Tool] = {}
        for offer in (await connection.offers())[:_TOOLS]:
            tool = _McpTool(self._config, offer, connection)
            tools.setdefault(tool.name, tool)
        return tuple(tools.values())

    async def close(self) -> None:
        """Ends it."""
        if self._connection is not None:
            await self._connection.close()

    def _connected(self) -> _Connection:
        if self._connection is None:
            # Imported here: its library takes more than a second.
            from agent_shell.tools.mcp_client import McpConnection

            self._connection = McpConnection(self._config)
        return self._connection


class _McpTool:
    """One tool of a server."""

    def __init__(self, config: McpConfig, offer: Offer, connection: _Connection) -> None:
        self._server = config.name
        self._offered = offer.name
        self._connection = connection
        self.name = _safe_name(config.name, offer.name)
        said = _CONTROLS.sub(" ", offer.description)[:_DESCRIPTION]
        self.description = f"[a tool of the MCP server {config.name}] {said}".rstrip()
        self.parameters = _schema(offer.schema)
        self.need = Need.NETWORK if config.url else Need.RUN

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Asks with all that the server would be told, and has it done."""
        given = json.dumps(arguments, ensure_ascii=False)
        here = f"mcp {self._server}"
        request = ApprovalRequest(
            self.name,
            self.need,
            f"{self._server}: {self._offered} {given}",
            patterns=(f"{here} {self.name} {given}", f"{here} {self.name} *", f"{here} *"),
            pattern=f"{here} {self.name} *",
            note=f"a tool of the MCP server {self._server}, outside of any sandbox",
        )
        await context.permit(request)
        return await self._connection.call(self._offered, arguments)


def _safe_name(server: str, tool: str) -> str:
    """SERVER__TOOL; where that has other letters or is too long, with a sum that tells it apart."""
    whole = f"{server}__{tool}"
    name = re.sub(r"[^A-Za-z0-9_-]", "_", whole)
    if name == whole and len(name) <= _LONGEST:
        return name
    mark = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{name[: _LONGEST - 7]}_{mark}"


def _schema(offered: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema for the model, where it is one of an object and of a size to be sent."""
    try:
        text = json.dumps(offered)
    except (TypeError, ValueError, RecursionError):
        text = ""
    if not text or len(text) > _SCHEMA or offered.get("type") != "object":
        return {"type": "object", "properties": {}}
    schema: Mapping[str, Any] = json.loads(_CONTROLS.sub(" ", text))
    return schema
