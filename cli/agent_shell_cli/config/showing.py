"""The configuration as people and programs read it: all made from the table of keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agent_shell_cli.config.loading import DEFAULT, Configuration
from agent_shell_cli.config.settings import KEYS, Key

__all__ = ["as_document", "documentation", "listing"]


def listing(config: Configuration) -> list[str]:
    """A line a key: its name, its value as TOML, and where that comes from."""
    rows = [(name, _toml(value), source) for name, value, source in _values(config)]
    names, values = (max(len(row[i]) for row in rows) for i in (0, 1))
    values = min(values, 44)
    return [f"{name:<{names}}  {value:<{values}}  {source}" for name, value, source in rows]


def as_document(config: Configuration) -> dict[str, dict[str, Any]]:
    """The same for programs: by name, each with `value`, `source` and `default`."""
    document: dict[str, dict[str, Any]] = {}
    for key in KEYS:
        value = getattr(config.settings, key.name)
        source: Any = config.sources.get(key.name, DEFAULT)
        if key.kind.entries:
            source = {name: config.sources[f"{key.name}.{name}"] for name in value} or DEFAULT
        shown = key.kind.shown(value)
        document[key.name] = {"value": shown, "source": source, "default": key.default}
    return document


def documentation() -> str:
    """The table of keys in Markdown, as it stands in `docs/configuration.md`."""
    rows = [
        "| key | value | default | in a project | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*rows, *map(_row, KEYS)]) + "\n"


def _row(key: Key) -> str:
    form = f"a table; each {key.kind.form}" if key.kind.entries else key.kind.form
    default = f"`{_toml(key.default)}`" if key.default not in (None, {}) else ""
    project = "yes" if key.project is None else key.project.form
    return f"| `{key.name}` | {form} | {default} | {project} | {key.doc} |"


def _values(config: Configuration) -> Iterator[tuple[str, Any, str]]:
    for key in KEYS:
        value = getattr(config.settings, key.name)
        if not key.kind.entries:
            yield key.name, key.kind.shown(value), config.sources.get(key.name, DEFAULT)
        for name in key.kind.entries:
            if name in value:
                full = f"{key.name}.{name}"
                yield full, value[name], config.sources[full]


def _toml(value: Any) -> str:
    # JSON's texts, numbers, flags and lists are TOML's too.
    return "" if value is None else json.dumps(value, ensure_ascii=False)
