"""The three forms of standard output; each takes the events and gives text to write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from agent_shell import FollowUp, State
from agent_shell.events import (
    Event,
    Missed,
    Receipt,
    TurnDelta,
    as_json,
)
from agent_shell_cli.options import OutputForm
from agent_shell_cli.printable import printable

__all__ = ["Output", "make_output"]


class Output(Protocol):
    """One form of what standard output gets."""

    def restored(self, follow_ups: Sequence[FollowUp]) -> None:
        """Learns what waited before the first event."""
        ...

    def take(self, event: Event) -> str:
        """What `event` adds."""
        ...

    def end(self) -> Iterator[str]:
        """What there is to add once all is over."""
        ...


def make_output(form: OutputForm, session: str, model: str, *, terminal: bool) -> Output:
    """The output of that form; for a `terminal`, with nothing that it would obey."""
    # JSON that is pure ASCII has no control character but DEL, which does nothing.
    encode = json.JSONEncoder(ensure_ascii=terminal, default=str).encode
    if form is OutputForm.JSON:
        # Imported here: it needs more than the forms that most scripts ask for.
        from agent_shell_cli.scripted.document import Document

        return Document(encode, session, model)
    if form is OutputForm.STREAM_JSON:
        return _Stream(encode)
    return _Answers(terminal=terminal)


_Encode = Callable[[Any], str]


class _Answers:
    """The answers alone, in order, as they come; each ends with exactly one newline.

    So does the part of one whose turn goes back to the queue, where another runs before it.
    """

    def __init__(self, *, terminal: bool) -> None:
        self._show = printable if terminal else str
        self._id = ""  # of what is answered
        self._length = 0  # of the answer, as far as it came
        self._held = ""  # line ends that may be the answer's last

    def restored(self, follow_ups: Sequence[FollowUp]) -> None:
        """They are answered like the others."""

    def take(self, event: Event) -> str:
        if type(event) is TurnDelta:
            ended = self._begin(event.id)
            self._length += len(event.text)
            return self._show(ended + self._piece(event.text))
        if type(event) is Receipt and event.turn is not None and event.state is not State.STEERED:
            return self._show(self._begin(event.id) + self._last(event))
        return ""

    def _begin(self, id: str) -> str:
        """What ends the answer to another one, of which there is a part."""
        ended = self._end() if id != self._id and self._length else ""
        self._id = id
        return ended

    def _end(self) -> str:
        end = self._held.rstrip("\n") + "\n"
        self._length, self._held = 0, ""
        return end

    def _piece(self, text: str) -> str:
        text = self._held + text
        piece = text.rstrip("\r\n")
        self._held = text[len(piece) :]
        return piece

    def _last(self, receipt: Receipt) -> str:
        # The receipt has the whole answer: what was missed of it is made good.
        missed = receipt.answer[self._length :]
        if not missed and not self._length and receipt.state is not State.ANSWERED:
            return ""
        return self._piece(missed) + self._end()

    def end(self) -> Iterator[str]:
        if self._length:
            yield self._show(self._end())


class _Stream:
    """Every event as one line of JSON; `seq` leaves out what was missed."""

    def __init__(self, encode: _Encode) -> None:
        self._encode = encode
        self._seq = 0

    def restored(self, follow_ups: Sequence[FollowUp]) -> None:
        """What becomes of them is told by its events."""

    def take(self, event: Event) -> str:
        self._seq += event.count if type(event) is Missed else 1
        return self._encode(as_json(event, self._seq)) + "\n"

    def end(self) -> Iterator[str]:
        yield from ()
