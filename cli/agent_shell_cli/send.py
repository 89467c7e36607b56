"""`agent-shell send`: a follow-up for a session that another process may have open."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from agent_shell import Entry, InvalidText, Lane, Limits, State, TooLarge
from agent_shell.inbox import Delivery, deliver
from agent_shell.journal.sqlite import SqliteJournal, catalog
from agent_shell.records import record
from agent_shell_cli.exits import Exit, UsageError
from agent_shell_cli.journals import open_file
from agent_shell_cli.sessions.document import follow_up_json
from agent_shell_cli.sessions.output import note, write, write_json
from agent_shell_cli.sessions.showing import outcome

__all__ = ["SendOptions", "run"]

_POLL_S = 0.1
_LIMIT = Limits().text_bytes


@record
class SendOptions:
    """Of `agent-shell send`; `timeout` in seconds, for the receipt."""

    session: str
    words: Sequence[str]
    lane: Lane
    id: str | None
    wait: bool
    timeout: float | None
    journal: str | None
    json: bool


def run(options: SendOptions) -> int:
    """Sends it, waits for the answer if that is asked for; the exit code."""
    return asyncio.run(_send(options, _text(options.words)))


def _text(words: Sequence[str]) -> str:
    text = _piped() if list(words) in ([], ["-"]) else " ".join(words)
    if not text.strip():
        raise UsageError("there is nothing to send: the text is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidText(f"the text is not UTF-8, from its character {error.start + 1} on") from (
            error
        )
    if size > _LIMIT:
        raise _too_large()
    return text


def _piped() -> str:
    stdin: Any = sys.stdin  # None where the parent closed it
    if stdin is None:
        raise UsageError("standard input is closed; give the TEXT as an argument")
    if stdin.isatty():
        note("reading from the terminal; Ctrl-D ends the input")
    data: bytes = stdin.buffer.read(_LIMIT + 2)
    if len(data) > _LIMIT + 1:  # one for the newline at the end
        raise _too_large()
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"standard input is not UTF-8, from its byte {error.start + 1} on; convert it"
        ) from error


def _too_large() -> TooLarge:
    return TooLarge(
        f"the text has more than {_LIMIT:,} bytes, which is the limit; send it in parts"
    )


async def _send(options: SendOptions, text: str) -> int:
    journal = open_file(options.journal)
    try:
        delivery = await deliver(
            journal,
            options.session,
            text,
            id=options.id,
            lane=options.lane,
            sender=f"send {os.getpid()}",
        )
        if delivery.entry is None:
            return _left(options, delivery)
        if not options.wait:
            return _accepted(options, delivery, delivery.entry)
        note(f"{delivery.id} position {delivery.position}")
        return await _Waiting(journal, options, delivery).run()
    finally:
        await journal.close()


def _accepted(options: SendOptions, delivery: Delivery, entry: Entry) -> int:
    if options.json:
        write_json(_json(options, delivery, entry))
    else:
        write(f"{delivery.id} position {delivery.position}")
        if delivery.owner is None and entry.state is State.QUEUED:
            note(
                f"nobody has session {options.session!r} open: it waits until somebody does, "
                f"with agent-shell chat -s {options.session}"
            )
    return Exit.OK


def _left(options: SendOptions, delivery: Delivery) -> int:
    """Says that the owner has not taken it in: it is not lost, nor accepted."""
    owner = delivery.owner
    who = "its owner" if owner is None else f"process {owner.pid}"
    state = "is stopped" if owner is not None and owner.stopped else "has not taken it in"
    reason = (
        f"{who} has session {options.session!r} open and {state}; {delivery.id} is left in the "
        "session's inbox, for it or for who opens the session next"
    )
    if options.json:
        head = {"session": options.session, "id": delivery.id, "position": None}
        write_json({**head, "state": "sent", "reason": reason})
    note(reason)
    return Exit.INCOMPLETE


def _json(options: SendOptions, delivery: Delivery, entry: Entry) -> dict[str, Any]:
    head = {"session": options.session, "position": delivery.position}
    return {**head, **follow_up_json(entry)}


class _Waiting:
    """Waits for the receipt of what was sent, and says why it takes long."""

    def __init__(self, journal: SqliteJournal, options: SendOptions, delivery: Delivery) -> None:
        self._journal = journal
        self._options = options
        self._delivery = delivery
        self._said: str | None = None

    async def run(self) -> int:
        """Prints the answer; the exit code."""
        try:
            async with asyncio.timeout(self._options.timeout):
                entry = await self._receipt(self._delivery.id)
        except TimeoutError:
            return await self._in_vain()
        if self._options.json:
            write_json(_json(self._options, self._delivery, entry))
        elif entry.answer:
            write(entry.answer.rstrip("\n"))
        if entry.state is not State.ANSWERED:
            note(f"{entry.id}: {outcome(entry)}")
        return Exit.OK if entry.state is State.ANSWERED else Exit.INCOMPLETE

    async def _in_vain(self) -> int:
        entry = await self._journal.entry(self._options.session, self._delivery.id)
        if self._options.json and entry is not None:
            write_json(_json(self._options, self._delivery, entry))
        note(
            f"{self._delivery.id} has no answer after {self._options.timeout or 0:g} s; "
            "it stays where it is"
        )
        return Exit.INCOMPLETE

    async def _receipt(self, id: str) -> Entry:
        """The record with the receipt; of what was merged or steered, of where that went."""
        look = time.monotonic()
        while True:
            entry = await self._journal.entry(self._options.session, id)
            if entry is None:
                raise UsageError(f"session {self._options.session!r} was deleted")
            if entry.state is State.MERGED and entry.reason != id:
                id = entry.reason
                continue
            if entry.state is State.STEERED and entry.turn is not None:
                return await self._steered(entry, entry.turn)
            if entry.ended_at is not None:
                return entry
            if time.monotonic() >= look:
                self._say_who(entry)
                look = time.monotonic() + 1
            await asyncio.sleep(_POLL_S)

    async def _steered(self, entry: Entry, turn: int) -> Entry:
        """The record with the answer of the turn that took the input in."""
        while True:
            entries = await self._journal.entries(self._options.session)
            steered = [e for e in entries if e.turn == turn and e.state is not State.STEERED]
            if not steered:
                return entry
            if steered[0].ended_at is not None:
                return steered[0]
            await asyncio.sleep(_POLL_S)

    def _say_who(self, entry: Entry) -> None:
        with catalog.reading(self._journal.path) as c:
            status = catalog.status(c, self._journal.path, self._options.session)
        if status is None or status.owner is not None:
            said = None if status is None or status.hold is None else "the session is held"
        elif entry.state is State.RUNNING:
            said = "the process that answered has ended; it waits for who opens the session next"
        else:
            said = "nobody has the session open; it waits until somebody does"
        if said is not None and said != self._said:
            note(said)
        self._said = said
