"""The JSON schemas of tools' arguments, in few words."""

from __future__ import annotations

from typing import Any

__all__ = ["count", "flag", "parameters", "text"]


def parameters(*, required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that has these and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def text(description: str) -> dict[str, Any]:
    """A text."""
    return {"type": "string", "description": description}


def count(description: str, low: int, high: int) -> dict[str, Any]:
    """A whole number in these bounds."""
    return {"type": "integer", "minimum": low, "maximum": high, "description": description}


def flag(description: str) -> dict[str, Any]:
    """True or false."""
    return {"type": "boolean", "description": description}
