"""The targets by name; each is in the module that is named after its boundary."""

from __future__ import annotations

import importlib
from typing import cast

from fuzz.target import Target

__all__ = ["NAMES", "load"]

_MODULES = {
    "lines": "scripted",
    "jsonl": "scripted",
    "router": "prompt",
    "history": "prompt",
    "markdown": "markdown",
    "printable": "terminal",
    "config": "config",
    "journal": "journal",
    "resume": "sessions",
    "events": "sessions",
}
NAMES = tuple(_MODULES)


def load(name: str) -> Target:
    """The target of that name; what it needs is imported with it."""
    module = importlib.import_module(f"fuzz.targets.{_MODULES[name]}")
    return cast("Target", getattr(module, name.upper()))
