"""`--output json`: one JSON object at the end, with each follow-up and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agent_shell import FollowUp, State
from agent_shell.agents.provider.steps import Said, Steered, Step, Used
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpRejected,
    Receipt,
    SessionHeld,
    SessionReleased,
    ToolCalled,
    ToolReturned,
    TurnDelta,
    TurnEnded,
    TurnStarted,
)
from agent_shell_cli.sessions.steps import rest_of, steps_json

__all__ = ["Document"]


class Document:
    """Implements `outputs.Output`."""

    def __init__(self, encode: Callable[[Any], str], session: str, model: str) -> None:
        self._encode = encode
        self._head: dict[str, Any] = {"session": session, "model": model}
        self._hold: dict[str, Any] | None = None
        self._records: dict[str, _Record] = {}
        self._running: _Record | None = None
        self._rejected: list[dict[str, Any]] = []

    def restored(self, follow_ups: Sequence[FollowUp]) -> None:
        """These are answered like the others."""
        for follow_up in follow_ups:
            self._records[follow_up.id] = _Record(follow_up, follow_up.accepted_at)

    def take(self, event: Event) -> str:
        """Nothing is told before the end."""
        if type(event) is FollowUpAccepted:
            self._records[event.id] = _Record(event, event.time)
        elif type(event) is FollowUpRejected:
            rejected = {"id": event.id, "error": event.error, "reason": event.reason}
            self._rejected.append({**rejected, "time": event.time})
        elif type(event) is SessionHeld:
            self._hold = {"reason": event.reason, "detail": event.detail, "until": event.until}
        elif type(event) is SessionReleased:
            self._hold = None
        elif (record := self._records.get(getattr(event, "id", ""))) is not None:
            if type(event) is TurnStarted:
                self._running = record
            elif type(event) is Receipt and event.state is State.STEERED and self._running:
                self._running.steered(record.fields["text"])
            record.take(event)
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
        for record in self._records.values():
            yield joint + self._encode(record.plain())
            joint = ",\n"
        yield "\n]}\n" if self._records else "]}\n"

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(map(str, State), 0)
        for record in self._records.values():
            counts[record.fields["state"]] += 1
        return {
            "accepted": len(self._records),
            "rejected": len(self._rejected),
            **counts,
        }


class _Record:
    """One follow-up; its steps are those that `agent-shell sessions show --json` tells."""

    def __init__(self, accepted: FollowUpAccepted | FollowUp, at: float) -> None:
        self.fields: dict[str, Any] = {
            "id": accepted.id,
            "text": accepted.text,
            "lane": accepted.lane,
            "state": State.QUEUED,
            "reason": "",
            "turn": None,
            "answer": "",
            "accepted_at": at,
            "ended_at": None,
        }
        self._steps: list[Step] = []
        self._said: list[str] = []  # of the step that goes on
        self._uses: dict[tuple[int, str], Used] = {}  # by turn and call, until they return

    def plain(self) -> dict[str, Any]:
        """It as JSON-ready data."""
        self._close()
        return {**self.fields, "steps": steps_json(self._steps)}

    def steered(self, text: str) -> None:
        """An input that its turn took in."""
        self._close()
        self._steps.append(Steered(text))

    def take(self, event: Event) -> None:
        """Heeds what is told of it."""
        fields = self.fields
        if type(event) is TurnDelta:
            self._said.append(event.text)
        elif type(event) is Receipt:
            fields.update(
                state=event.state,
                reason=event.reason,
                turn=event.turn,
                answer=event.answer,
                ended_at=event.time,
            )
            self._close()
            self._make_good(event.answer)
        elif type(event) is TurnStarted:
            fields.update(state=State.RUNNING, turn=event.turn)
        elif type(event) is TurnEnded and event.state is State.QUEUED:
            fields.update(state=State.QUEUED, turn=None)
        elif type(event) is ToolCalled:
            self._close()
            used = Used(event.call, event.tool, event.arguments)
            self._uses[event.turn, event.call] = used
            self._steps.append(used)
        elif type(event) is ToolReturned:
            if (use := self._uses.pop((event.turn, event.call), None)) is not None:
                use.ok, use.text = event.ok, event.text
        elif type(event) is FollowUpEdited:
            fields["text"] = event.text

    def _close(self) -> None:
        """Ends what was being said."""
        text, self._said = "".join(self._said).strip("\n"), []
        if text:
            self._steps.append(Said(text))

    def _make_good(self, answer: str) -> None:
        """The receipt has the whole answer, also what was missed of it."""
        texts = [step.text for step in self._steps if isinstance(step, Said)]
        if rest := rest_of(answer, texts).strip("\n"):
            self._steps.append(Said(rest))
