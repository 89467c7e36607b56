"""`agent-shell sessions list`: a table of the sessions, the last used one first."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from agent_shell.journal.sqlite import catalog, reading
from agent_shell.journal.sqlite.catalog import Sign
from agent_shell.journal.sqlite.reading import Summary
from agent_shell_cli.printable import printable_line
from agent_shell_cli.sessions.output import ago, iso, note, title_line, write, write_json

__all__ = ["list_sessions", "listing", "titles"]

_HEAD = ("SESSION", "TITLE", "LAST USED", "TURNS", "WAITING", "OWNER")
_NUMBERS = (3, 4)
_GAP = 2
_LEAST_TITLE = 12


def list_sessions(path: Path, *, as_json: bool) -> None:
    """Prints the sessions of the journal at `path`; none where there is no journal."""
    summaries = _summaries(path)
    if as_json:
        write_json([_json(*summary) for summary in summaries])
    elif summaries:
        room = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None
        write("\n".join(_table(summaries, room)))
    else:
        note(f"no sessions are kept in {path}" + ("" if path.exists() else ", which is not there"))


def listing(path: Path, room: int) -> list[str]:
    """The sessions of the journal at `path` as lines of at most `room` cells, for a person."""
    return _table(_summaries(path), room)


def titles(path: Path) -> Iterator[tuple[str, str]]:
    """The keys of the sessions of the journal at `path`, the last used one first, and titles."""
    for summary, _ in _summaries(path):
        yield summary.key, title_line(summary.title)


def _summaries(path: Path) -> list[tuple[Summary, Sign]]:
    if not path.exists():
        return []
    with catalog.reading(path) as c:
        return [(summary, _sign(path, summary)) for summary in reading.sessions(c)]


def _sign(path: Path, summary: Summary) -> Sign:
    return Sign.DEAD if summary.owner is None else catalog.sign_of(path, summary.owner)


def _json(summary: Summary, sign: Sign) -> dict[str, Any]:
    owner = {"pid": summary.owner_pid, "stopped": sign is Sign.STOPPED}
    return {
        "session": summary.key,
        "title": title_line(summary.title),
        "folder": summary.folder,
        "created_at": iso(summary.created_at),
        "used_at": iso(summary.used_at),
        "turns": summary.turns,
        "waiting": summary.waiting,
        "owner": None if sign is Sign.DEAD else owner,
    }


def _row(summary: Summary, sign: Sign) -> tuple[str, ...]:
    used = time.strftime("%Y-%m-%d", time.localtime(summary.used_at))
    stopped = " (stopped)" if sign is Sign.STOPPED else ""
    return (
        printable_line(summary.key, 40),
        title_line(summary.title),
        ago(time.time() - summary.used_at) or used,
        f"{summary.turns:,}",
        f"{summary.waiting:,}",
        "" if sign is Sign.DEAD else f"open in process {summary.owner_pid}{stopped}",
    )


def _table(summaries: list[tuple[Summary, Sign]], room: int | None) -> list[str]:
    """The lines; with a `room` (cells) the titles take what the other columns leave."""
    rows = [_row(*summary) for summary in summaries]
    widths = [max(map(cell_len, column)) for column in zip(_HEAD, *rows, strict=True)]
    if room is not None:
        rest = sum(widths) - widths[1] + _GAP * (len(widths) - 1)
        widths[1] = min(widths[1], max(_LEAST_TITLE, room - rest))
    return [_line(row, widths) for row in (_HEAD, *rows)]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if number in _NUMBERS else _fit(cell, width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return (" " * _GAP).join(cells).rstrip()


def _fit(cell: str, width: int) -> str:
    if cell_len(cell) <= width:
        return set_cell_size(cell, width)
    return set_cell_size(cell, width - 1) + "…"
