"""MCP servers as the user configures them, and tools as those describe them."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Mapping
from dataclasses import field
from typing import Any, cast

from agent_shell.records import frozen
from agent_shell.tools.base import ToolError

__all__ = ["McpConfig", "Offer", "mcp_configs"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,23}")
_KEYS = {
    "command": "a text",
    "args": "a list of texts",
    "env": "a table of texts",
    "url": "a text",
    "headers": "a table of texts",
}


@frozen
class McpConfig:
    """One server: a command with its arguments and environment, or a URL with its headers.

    Values of `env` and `headers` may have `$NAME` or `${NAME}`, which stand for the
    environment's, so that no key need be in a file; `$$` is a dollar sign.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def filled(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values with the environment's in them; raises `ToolError` where one is missing."""
        try:
            return {
                name: string.Template(value).substitute(os.environ)
                for name, value in values.items()
            }
        except KeyError as error:
            said = f"needs {error.args[0]} in the environment"
            raise ToolError(f"the MCP server {self.name} {said}") from None
        except ValueError:
            raise ToolError(
                f"the MCP server {self.name} has a $ that stands for nothing: write $$"
            ) from None

    def filled_headers(self) -> dict[str, str]:
        """As `filled`, of the headers; one that can't be sent is named without what is in it.

        Who complains of it later would show it, and it may be a key.
        """
        filled = {name: value.strip() for name, value in self.filled(self.headers).items()}
        for name, value in filled.items():
            if not (value.isascii() and value.isprintable()):
                raise ToolError(
                    f"the MCP server {self.name} has a header {name!r} with a line end in it, or "
                    "another letter that none may have"
                )
        return filled


def mcp_configs(tables: Mapping[str, Any]) -> list[McpConfig]:
    """The servers that `[mcp.NAME]` tables describe; raises `ValueError`, which says where."""
    return [_config(name, table) for name, table in tables.items()]


def _config(name: str, table: Any) -> McpConfig:
    where = f"mcp.{name[:80]}"
    if not _NAME.fullmatch(name):
        raise ValueError(f"{where}: a name has at most 24 letters, digits, _ and -")
    if not isinstance(table, dict):
        raise ValueError(f"{where}: must be a table, written as [{where}]")
    entries = cast("dict[str, Any]", table)
    for key, value in entries.items():
        if key not in _KEYS:
            raise ValueError(f"{where}.{key[:80]}: there is no such key, only {', '.join(_KEYS)}")
        if not _fits(_KEYS[key], value):
            raise ValueError(f"{where}.{key}: must be {_KEYS[key]}")
    _require_one(where, entries)
    values: dict[str, Any] = {**entries, "args": tuple(entries.get("args", ()))}
    return McpConfig(name, **values)


def _require_one(where: str, entries: Mapping[str, Any]) -> None:
    if ("command" in entries) == ("url" in entries):
        raise ValueError(f"{where}: needs either command or url")
    wrong = ("headers",) if "command" in entries else ("args", "env")
    for key in wrong:
        if key in entries:
            raise ValueError(
                f"{where}.{key}: does not go with {'url' if key != 'headers' else 'command'}"
            )
    if "url" in entries and not entries["url"].startswith(("http://", "https://")):
        raise ValueError(f"{where}.url: must begin with http:// or https://")


def _fits(form: str, value: Any) -> bool:
    if form == "a text":
        return _is_text(value) and bool(value.strip())
    if form == "a list of texts":
        return isinstance(value, list) and all(map(_is_text, cast("list[object]", value)))
    entries = cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
    return all(map(_is_text, entries.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


@frozen
class Offer:
    """A tool as a server describes it: anything may be in it."""

    name: str
    description: str
    schema: Mapping[str, Any]
