"""In what order turns must start, known from the acknowledgements alone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from agent_shell import Lane

__all__ = ["AckOrder", "Order", "Slot"]


@dataclass(slots=True, eq=False)
class Slot:
    """An input that was sent; its id is known once the acknowledgement is here."""

    lane: Lane
    text: str
    id: str | None = None


class Order(Protocol):
    """What one session is expected to run next, by a count of its own.

    `rested` says whether, since the last start, there was a moment in which
    nothing ran or waited: only then may the session have been without its guard.
    """

    rested: bool

    @property
    def out_of_order(self) -> int:
        """Turns that started before or after their time, or unasked."""
        ...

    @property
    def unstarted(self) -> int:
        """Follow-ups whose turn should have started and did not."""
        ...

    def submit(self, lane: Lane, text: str) -> Slot:
        """An input is sent, and was not refused."""
        ...

    def turned_away(self) -> None:
        """An input was refused for want of room."""
        ...

    def acknowledged(self, slot: Slot, id: str) -> None:
        """The input in `slot` is accepted as `id`."""
        ...

    def started(self, id: str) -> None:
        """The agent was started on `id`."""
        ...

    def settled(self, id: str) -> None:
        """`id` has its receipt."""
        ...

    def over(self, *, failed: bool = False) -> None:
        """The agent is done with it, its clean-up included."""
        ...


class AckOrder:
    """Expects the turns in the order in which the acknowledgements came.

    One that starts early counts nothing; those that it has overtaken count, each
    as it starts after all. So one misplaced turn is one fault, not thousands.
    """

    __slots__ = ("_early", "_expected", "_late", "_overtaken", "rested")

    def __init__(self) -> None:
        self._expected: deque[str] = deque()
        # Started before their acknowledgement reached us: a journal may take its time.
        self._early: deque[str] = deque()
        self._overtaken: set[str] = set()
        self._late = 0
        self.rested = True

    def submit(self, lane: Lane, text: str) -> Slot:
        """An input is sent; its place is known when it is acknowledged."""
        return Slot(lane, text)

    def acknowledged(self, slot: Slot, id: str) -> None:  # noqa: ARG002  # the last one, always
        """A producer was told that `id` is accepted."""
        if not self._early:
            self._expected.append(id)
        elif self._early.popleft() != id:
            self._late += 1

    def turned_away(self) -> None:
        """Nothing is foretold here: the engine may refuse at any time."""

    def settled(self, id: str) -> None:
        """A receipt says nothing about the order."""

    def started(self, id: str) -> None:
        """The agent was started on `id`."""
        expected = self._expected
        if expected and expected[0] == id:
            expected.popleft()
        else:
            self._astray(id)

    def over(self, *, failed: bool = False) -> None:  # noqa: ARG002  # a failure changes no order
        """The agent is done with it."""
        self.rested = not self._expected

    def _astray(self, id: str) -> None:
        if id in self._overtaken:
            self._overtaken.remove(id)
            self._late += 1
        elif not self._expected:
            self._early.append(id)
        elif id not in self._expected:
            self._late += 1  # a second turn, or nobody's
        else:
            while (passed := self._expected.popleft()) != id:
                self._overtaken.add(passed)

    @property
    def out_of_order(self) -> int:
        """Turns that started late, twice or unasked."""
        return self._late + len(self._early)

    @property
    def unstarted(self) -> int:
        """Acknowledged follow-ups whose turn has not started."""
        return len(self._expected) + len(self._overtaken)
