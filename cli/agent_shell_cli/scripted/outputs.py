"""The three forms of standard output; each takes the events and gives text to write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from agent_shell import FollowUp, State
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpRejected,
    Missed,
    Receipt,
    SessionHeld,
    SessionReleased,
    ToolCalled,
    ToolReturned,
    TurnDelta,
    TurnEnded,
    TurnStarted,
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
        return _Document(encode, session, model)
    if form is OutputForm.STREAM_JSON:
        return _Stream(encode)
    return _Answers(terminal=terminal)


_Encode = Callable[[Any], str]


class _Answers:
    """The answers alone, in order, as they come; each ends with exactly one newline."""

    def __init__(self, *, terminal: bool) -> None:
        self._show = printable if terminal else str
        self._length = 0  # of the answer, as far as it came
        self._held = ""  # line ends that may be the answer's last

    def restored(self, follow_ups: Sequence[FollowUp]) -> None:
        """They are answered like the others."""

    def take(self, event: Event) -> str:
        if type(event) is TurnDelta:
            self._length += len(event.text)
            return self._show(self._piece(event.text))
        if type(event) is Receipt and event.turn is not None and event.state is not State.STEERED:
            return self._show(self._last(event))
        return ""

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
        last = self._piece(missed) + self._held.rstrip("\n") + "\n"
        self._length, self._held = 0, ""
        return last

    def end(self) -> Iterator[str]:
        yield from ()


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


class _Document:
    """One JSON object at the end, with each follow-up and what became of it."""

    def __init__(self, encode: _Encode, session: str, model: str) -> None:
        self._encode = encode
        self._head: dict[str, Any] = {"session": session, "model": model}
        self._hold: dict[str, Any] | None = None
        self._follow_ups: dict[str, dict[str, Any]] = {}
        self._rejected: list[dict[str, Any]] = []

    def restored(self, follow_ups: Sequence[FollowUp]) -> None:
        for follow_up in follow_ups:
            self._follow_ups[follow_up.id] = _record(follow_up, follow_up.accepted_at)

    def take(self, event: Event) -> str:
        if type(event) is FollowUpAccepted:
            self._follow_ups[event.id] = _record(event, event.time)
        elif type(event) is FollowUpRejected:
            rejected = {"id": event.id, "error": event.error, "reason": event.reason}
            self._rejected.append({**rejected, "time": event.time})
        elif type(event) is SessionHeld:
            self._hold = {"reason": event.reason, "detail": event.detail, "until": event.until}
        elif type(event) is SessionReleased:
            self._hold = None
        elif (record := self._follow_ups.get(getattr(event, "id", ""))) is not None:
            _update(record, event)
        return ""

    def end(self) -> Iterator[str]:
        """Gives it piece by piece: there may be many follow-ups."""
        head = {
            **self._head,
            "state": "closed",
            "hold": self._hold,
            "counts": self._counts(),
            "rejected": self._rejected,
        }
        yield self._encode(head)[:-1] + ', "follow_ups": ['
        joint = "\n"
        for record in self._follow_ups.values():
            yield joint + self._encode(record)
            joint = ",\n"
        yield "\n]}\n" if self._follow_ups else "]}\n"

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(map(str, State), 0)
        for record in self._follow_ups.values():
            counts[record["state"]] += 1
        return {
            "accepted": len(self._follow_ups),
            "rejected": len(self._rejected),
            **counts,
        }


def _record(accepted: FollowUpAccepted | FollowUp, at: float) -> dict[str, Any]:
    return {
        "id": accepted.id,
        "text": accepted.text,
        "lane": accepted.lane,
        "state": State.QUEUED,
        "reason": "",
        "turn": None,
        "answer": "",
        "accepted_at": at,
        "ended_at": None,
        "tools": [],
    }


def _update(record: dict[str, Any], event: Event) -> None:
    if type(event) is Receipt:
        record.update(
            state=event.state,
            reason=event.reason,
            turn=event.turn,
            answer=event.answer,
            ended_at=event.time,
        )
    elif type(event) is TurnStarted:
        record.update(state=State.RUNNING, turn=event.turn)
    elif type(event) is TurnEnded and event.state is State.QUEUED:
        record.update(state=State.QUEUED, turn=None)
    elif type(event) is ToolCalled:
        used = {"call": event.call, "tool": event.tool, "arguments": event.arguments}
        record["tools"].append({**used, "turn": event.turn, "ok": None, "text": ""})
    elif type(event) is ToolReturned:
        _returned(record["tools"], event)
    elif type(event) is FollowUpEdited:
        record["text"] = event.text


def _returned(tools: list[dict[str, Any]], event: ToolReturned) -> None:
    for use in reversed(tools):
        if (use["turn"], use["call"]) == (event.turn, event.call):
            use.update(ok=event.ok, text=event.text)
            return
