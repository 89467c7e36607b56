"""What a row of each table looks like, for SQLite looks at how a page is built alone.

A byte that has flipped in a row makes a state that there is none of, a time in another
geological age, a text that is a number. Who reads checks, and says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from agent_shell.journal.sqlite.pages import Cell
from agent_shell.records import record
from agent_shell.state import Lane, State

__all__ = [
    "BY_SHAPE",
    "TABLES",
    "Check",
    "Table",
    "is_hold",
    "is_int",
    "is_lane",
    "is_messages",
    "is_number",
    "is_state",
    "is_text",
    "is_time",
    "or_null",
]

Check = Callable[[Any], bool]


def is_int(value: Any) -> bool:
    """Whether it is a whole number."""
    return isinstance(value, int)


def is_text(value: Any) -> bool:
    """Whether it is a text."""
    return isinstance(value, str)


def is_number(value: Any) -> bool:
    """Whether it is a number that can be reckoned with."""
    return isinstance(value, int | float) and math.isfinite(value)


def is_time(value: Any) -> bool:
    """Whether it is a time, in seconds since the epoch, that a calendar can show."""
    # Until the year 9999.
    return is_number(value) and 0 <= value < 253_402_300_800


def is_messages(value: Any) -> bool:
    """Whether it is a JSON array of objects."""
    messages = _json(value)
    return _is(messages, list) and all(_is(message, dict) for message in messages)


def is_hold(value: Any) -> bool:
    """Whether it is a JSON object that says why a session is held."""
    hold = _json(value)
    return _is(hold, dict) and is_text(hold.get("reason")) and is_text(hold.get("detail"))


def _json(value: Any) -> Any:
    """What the text says; `None` where it is no JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def _is(value: Any, kind: type) -> bool:
    # A function: a type checker that narrows `Any` here would not know what is in the list.
    return isinstance(value, kind)


def or_null(check: Check) -> Check:
    """The check that lets NULL pass too."""
    return lambda value: value is None or check(value)


@record
class Table:
    """What a row of a table must look like, so that no garbage is taken for one.

    `columns` are in the order of the file; `key` is the one that stands for the
    rowid, and is NULL in the row itself. Of rows that exclude each other the first in
    the order of `best` is taken.
    """

    name: str
    key: str | None
    columns: dict[str, Check]
    best: str

    def row(self, cell: Cell) -> list[Any] | None:
        """The cell's values, in the order of the columns, if they are a row."""
        row: dict[str, Any] = dict(zip(self.columns, cell.values, strict=True))
        if self.key is not None:
            row[self.key] = cell.rowid
        return list(row.values()) if self.is_row(row.values()) else None

    def is_row(self, values: Iterable[Any]) -> bool:
        """Whether these values, in the order of the columns, are a row."""
        return all(check(value) for check, value in zip(self.columns.values(), values, strict=True))

    def selection(self) -> str:
        """The statement that takes the rows from those that are staged."""
        names = ", ".join(self.columns)
        return (
            f"INSERT OR IGNORE INTO main.{self.name} ({names})"  # noqa: S608
            f" SELECT {names} FROM staged.{self.name} r ORDER BY {self.best}, rowid"
        )


_OPTIONAL_TEXT, _OPTIONAL_NUMBER = or_null(is_text), or_null(is_number)
is_state: Check = set(State).__contains__
is_lane: Check = set(Lane).__contains__

_OPTIONAL_TIME = or_null(is_time)
# A damaged row may have taken the name of another, which the index knows better. Of two
# versions the one that has ended is the later one.
_NAMED = (
    "NOT EXISTS (SELECT 1 FROM staged.named n"
    " WHERE n.seq = r.seq AND n.id = r.id AND n.session = r.session)"
)

TABLES = (
    Table(
        "sessions",
        "id",
        {
            "id": is_int,
            "key": is_text,
            "title": is_text,
            "folder": is_text,
            "created_at": is_time,
            "hold": _OPTIONAL_TEXT,
            "fence": is_int,
            "owner": _OPTIONAL_TEXT,
            "owner_pid": or_null(is_int),
            "owner_since": _OPTIONAL_TIME,
        },
        "fence DESC",
    ),
    Table(
        "follow_ups",
        "seq",
        {
            "session": is_int,
            "seq": is_int,
            "id": is_text,
            "text": is_text,
            "lane": is_lane,
            "sender": is_text,
            "accepted_at": is_time,
            "rank": _OPTIONAL_NUMBER,
            "state": is_state,
            "reason": is_text,
            "turn": or_null(is_int),
            "ended_at": _OPTIONAL_TIME,
        },
        f"{_NAMED}, ended_at IS NULL",
    ),
    Table(
        "turns",
        None,
        {
            "session": is_int,
            "number": is_int,
            "follow_up": is_text,
            "state": is_state,
            "answer": is_text,
            "started_at": is_time,
            "ended_at": _OPTIONAL_TIME,
            "elapsed_s": _OPTIONAL_NUMBER,
            "usage": _OPTIONAL_TEXT,
        },
        "ended_at IS NULL",
    ),
    Table(
        "inbox",
        "seq",
        {
            "seq": is_int,
            "session": is_int,
            "id": is_text,
            "text": is_text,
            "lane": is_lane,
            "sender": is_text,
            "sent_at": is_time,
            "refused": _OPTIONAL_TEXT,
        },
        _NAMED,
    ),
    Table(
        "messages",
        "seq",
        {"seq": is_int, "session": is_int, "turn": is_int, "body": is_messages},
        "seq",
    ),
)
# A page does not say whose it is: a row is known by its kind and number of values.
BY_SHAPE = {(table.key is not None, len(table.columns)): table for table in TABLES}
