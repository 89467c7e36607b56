"""In what order turns must start where inputs steer, interrupt, move and vanish.

A second, independent account of the contract: it follows the commands as they
are sent and the turns as the agent sees them, and asks the engine nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import takewhile

from agent_shell import Lane
from agent_shell_cli.stress.order import Slot

__all__ = ["ArrangedOrder"]


class ArrangedOrder:
    """What one session is expected to run next, as it was last arranged.

    A command is noted in the same moment in which it is sent. With `hold_failed`
    a turn that failed holds the queue.
    """

    def __init__(self, limit: int, *, hold_failed: bool) -> None:
        self._limit = limit
        self._hold_failed = hold_failed
        self._wrong = 0
        self._inbox: list[Slot] = []
        self._running: Slot | None = None
        self._begun = False
        self._stopping = False
        # Receipts that came before the acknowledgement of what is stopped and was not seen.
        self._ahead: set[str] = set()
        self.queue: deque[Slot] = deque()
        self.held = False
        self.rested = True

    @property
    def out_of_order(self) -> int:
        """Turns and steers that came where others were expected."""
        return self._wrong

    @property
    def unstarted(self) -> int:
        """Follow-ups that still wait."""
        return len(self.queue) + len(self._inbox)

    @property
    def running(self) -> bool:
        """Whether a turn runs, or is about to."""
        return self._running is not None

    @property
    def unclear(self) -> bool:
        """Whether a turn was stopped before the agent saw it: its end shows only later."""
        return self._stopping and not self._begun

    # The commands

    def submit(self, lane: Lane, text: str) -> Slot:
        """An input is sent, and was not refused."""
        slot = Slot(lane, text)
        # Whether the turn that nobody saw is over, and the guard with it, is not known.
        self.rested = self.rested or (self.unclear and not self.queue)
        if lane is Lane.MERGE and self.queue:
            return slot  # part of the last one from now on
        # Once the turn that nobody saw is over, one waits less than is known.
        self._wrong += self._full and not self.unclear
        if lane is Lane.STEER and self._running is not None and not self._stopping:
            self._inbox.append(slot)
        elif lane is Lane.INTERRUPT:
            self.queue.insert(0, slot)
            self._stop()
        elif lane is Lane.STEER and self._stopping:
            self.queue.insert(self._behind_late(), slot)
        else:
            self.queue.append(slot)
        self._advance()
        return slot

    def acknowledged(self, slot: Slot, id: str) -> None:
        """The input in `slot` is accepted as `id`."""
        if slot.id is None:
            slot.id = id
        elif slot.id != id:
            self._wrong += 1
        if id in self._ahead:
            self.settled(id)

    def turned_away(self) -> None:
        """An input was refused for want of room; there must be none."""
        self._wrong += not self._full

    def refused(self, slot: Slot) -> None:
        """A command about the input in `slot` was refused against all expectation."""
        self._wrong += 1
        self.queue = deque(other for other in self.queue if other is not slot)

    def interrupt(self) -> None:
        """The user stops the turn; the queue is held."""
        if self._running is not None:
            self._stop()
            self.held = True

    def hold(self) -> None:
        """The user holds the queue."""
        self.held = True

    def release(self) -> None:
        """The hold ends."""
        self.held = False
        self._advance()

    def remove(self, slot: Slot) -> None:
        """A waiting follow-up is withdrawn."""
        self.queue.remove(slot)
        self._note_rest()

    def move(self, slot: Slot, position: int) -> None:
        """A waiting follow-up is to be the `position`-th, from 1."""
        self.queue.remove(slot)
        self.queue.insert(position - 1, slot)

    # The turns

    def started(self, id: str) -> None:
        """The agent was started on `id`."""
        if self.unclear:
            self._end()
        slot = self._running
        if slot is None or self._begun or (slot.id or id) != id:
            self._wrong += 1
            slot = next((s for s in self.queue if s.id == id), None) or Slot(Lane.QUEUE, "")
            self.queue = deque(s for s in self.queue if s is not slot)
        slot.id = id
        self._running, self._begun, self._stopping = slot, True, False

    def steered(self, ids: Sequence[str]) -> None:
        """The running turn took in `ids`: the first that steer it, and all that are accepted."""
        taken, self._inbox = self._inbox[: len(ids)], self._inbox[len(ids) :]
        same = len(taken) == len(ids) and all(
            (slot.id or id) == id for slot, id in zip(taken, ids, strict=True)
        )
        # What is left the journal might still refuse: so nobody was told that it is accepted.
        self._wrong += not same or any(slot.id is not None for slot in self._inbox)

    def over(self, *, failed: bool = False) -> None:
        """The agent is done, by itself or because it was stopped."""
        if failed and self._hold_failed and not self._stopping:
            self.held = True
        self._end()

    def settled(self, id: str) -> None:
        """`id` has its receipt: so a turn that the agent never saw is over."""
        if not self.unclear or self._running is None:
            return
        if self._running.id == id:
            self._end()
        elif self._running.id is None:
            self._ahead.add(id)

    @property
    def _full(self) -> bool:
        return self.unstarted >= self._limit

    def _stop(self) -> None:
        if self._running is None or self._stopping:
            return
        self._stopping = True
        self._give_back_steers()

    def _behind_late(self) -> int:
        """Behind the inputs at the head that came before, and that were to run next too."""
        early = takewhile(lambda slot: slot.lane in (Lane.INTERRUPT, Lane.STEER), self.queue)
        return sum(1 for _ in early)

    def _give_back_steers(self) -> None:
        place = self._behind_late()
        for slot in reversed(self._inbox):
            self.queue.insert(place, slot)
        self._inbox = []

    def _end(self) -> None:
        self._give_back_steers()
        self._running, self._begun, self._stopping = None, False, False
        self._ahead.clear()
        self._note_rest()
        self._advance()

    def _advance(self) -> None:
        if self._running is None and self.queue and not self.held:
            self._running, self._begun, self._stopping = self.queue.popleft(), False, False

    def _note_rest(self) -> None:
        self.rested = self.rested or (self._running is None and not self.queue)
