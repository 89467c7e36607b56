"""`agent-shell sessions show`: what was said in a session, and what waits in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent_shell import Entry, Phase, State
from agent_shell.agents.provider.steps import Said, Steered, Step, Used
from agent_shell.events import Receipt
from agent_shell.journal.sqlite import catalog
from agent_shell_cli.counting import counted
from agent_shell_cli.printable import printable_line
from agent_shell_cli.sessions.document import Document, document_of, read, title_of
from agent_shell_cli.sessions.finding import find, require_file
from agent_shell_cli.sessions.output import ago, iso, title_line, write, write_json
from agent_shell_cli.sessions.steps import in_words

__all__ = ["outcome", "show", "shown"]


def show(path: Path, name: str, *, as_json: bool) -> None:
    """Prints the session called `name`; raises `UsageError` where there is none."""
    document = _document(path, name)
    if as_json:
        write_json(document_of(document))
    else:
        write("\n".join(_lines(document)))


def shown(path: Path, name: str) -> list[str]:
    """The session called `name` as lines for a person; raises `UsageError`."""
    return list(_lines(_document(path, name)))


def _document(path: Path, name: str) -> Document:
    require_file(path)
    with catalog.reading(path) as c:
        return read(c, path, find(c, name))


def outcome(entry: Entry) -> str:
    """What became of a follow-up, as a person says it: `cancelled by user`."""
    at = entry.ended_at or 0.0
    return str(Receipt("", at, entry.id, entry.state, entry.reason, entry.turn, ""))


def _lines(document: Document) -> Iterator[str]:
    status = document.status
    yield f"{printable_line(status.key)}: {title_line(title_of(document), 100) or '(no title)'}"
    yield _standing(document)
    waiting = {id: number for number, id in enumerate(document.waiting, 1)}
    for entry in document.entries:
        if entry.id not in waiting or entry.state in (State.RUNNING, State.INTERRUPTED):
            yield ""
            yield from _said(entry, document.steps(entry))
    queued = sorted(
        (entry for entry in document.entries if entry.state is State.QUEUED),
        key=lambda entry: waiting[entry.id],
    )
    if queued:
        yield ""
        yield f"{len(queued):,} waiting, in this order:"
        for number, entry in enumerate(queued, 1):
            yield f"{number:>4}. {printable_line(entry.text)}  ({_labels(entry)})"


def _standing(document: Document) -> str:
    status = document.status
    parts = [status.phase.name.lower()]
    if status.hold is not None and status.phase is Phase.HELD:
        detail = printable_line(str(status.hold.get("detail", "")))
        parts[0] += f" ({status.hold.get('reason')}{': ' if detail else ''}{detail})"
    if status.owner is not None:
        stopped = ", which is stopped" if status.owner.stopped else ""
        parts.append(f"open in process {status.owner.pid}{stopped}")
    parts.append(counted(document.turns, "turn"))
    used = max((e.accepted_at for e in document.entries), default=status.created_at)
    parts.append(f"last used {ago(time.time() - used) or iso(used)}")
    return " · ".join(parts)


def _said(entry: Entry, steps: Sequence[Step]) -> Iterator[str]:
    first, *more = entry.text.split("\n")
    yield f"> {first}"
    yield from (f"  {line}" for line in more)
    for step in steps:
        match step:
            case Said():
                yield step.text.rstrip("\n")
            case Steered():
                yield f"> {printable_line(step.text)}  (steered it here)"
            case Used():
                yield f"  * {printable_line(in_words(step))}"
    yield f"  — {printable_line(outcome(entry))}  ({_labels(entry)})"


def _labels(entry: Entry) -> str:
    labels = [f"id {printable_line(entry.id, 80)}"]
    if entry.turn is not None:
        labels.append(f"turn {entry.turn}")
    if entry.lane != "queue":
        labels.append(entry.lane)
    return ", ".join(labels)
