"""What these commands write, as every terminal and pipe can take it."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Any

from agent_shell_cli.printable import printable, printable_line

__all__ = ["ago", "as_json", "iso", "note", "title_line", "write", "write_json"]

_STEPS = ((60, "just now"), (3600, "{m} min ago"), (86400, "{h} h ago"), (30 * 86400, "{d} d ago"))


def write(text: str) -> None:
    """Writes a line, or several, to standard output; nothing in it is obeyed by a terminal."""
    _put(printable(text) + "\n")


def write_json(value: Any) -> None:
    """Writes one JSON value to standard output."""
    _put(as_json(value, plain=sys.stdout.isatty()) + "\n")


def as_json(value: Any, *, plain: bool = False) -> str:
    """The value as JSON, in ASCII alone where it is `plain`."""
    return json.dumps(value, ensure_ascii=plain, indent=2)


def note(text: str) -> None:
    """Says something about what is written, on standard error."""
    print(f"agent-shell: {printable(text)}", file=sys.stderr, flush=True)


def _put(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    # A letter that the output has not, is shown by its number.
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def title_line(title: str, limit: int = 200) -> str:
    """The first line of a title, or of the input that stands for one."""
    lines = title.strip().splitlines()
    return printable_line(lines[0], limit) if lines else ""


def iso(at: float | None) -> str | None:
    """A time (epoch seconds) as ISO 8601 in UTC."""
    if at is None:
        return None
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds")


def ago(seconds: float) -> str:
    """How long ago something was, as people say it; after a month, "" (the date says more)."""
    minutes = max(0, int(seconds)) // 60
    for limit, form in _STEPS:
        if seconds < limit:
            return form.format(m=minutes, h=minutes // 60, d=minutes // 1440)
    return ""
