"""A session as its user sees it: a list, and a loop that takes the next one from it."""

from __future__ import annotations

from typing import Any

from agent_shell import FollowUp
from agent_shell.errors import IdConflict, NotWaiting, QueueFull, SessionClosed, TooLarge


class Reference:
    """One session; at most `limit` inputs wait, none of them longer than `longest`."""

    def __init__(self, limit: int, longest: int, failure_holds: bool) -> None:
        self.limit, self.longest, self.failure_holds = limit, longest, failure_holds
        self.queue, self.steering = list[FollowUp](), list[FollowUp]()
        self.running: Any = None
        self.known: dict[str, FollowUp] = {}
        self.receipts: list[tuple[Any, ...]] = []  # id, state, reason, turn, answer
        self.turn = self.guard = self.guards = 0
        self.hold: tuple[str, float | None] | None = None  # why, and until when
        self.answer, self.stopped_by, self.closing, self.closed = "", "", False, False

    def loop(self) -> None:
        """Whatever happened: start the next turn, or close, or rest."""
        ready = [item for item in self.queue if not item.held_back and not self.hold]
        if self.running is None and not self.closed:
            if self.closing and (not self.queue or (self.hold and self.hold[1] is None)):
                self.closed = True
            elif ready:
                self.queue.remove(ready[0])
                self.running, self.answer, self.stopped_by = ready[0], "", ""
                self.turn += 1
        if self.closed or not (self.running or self.queue):
            self.guard = 0
        elif not self.guard:
            self.guard = self.guards = self.guards + 1

    def submit(self, new: FollowUp) -> None:
        if new.id in self.known:
            if self.known[new.id].text != new.text:
                raise IdConflict
            return
        same = [item for item in self.queue if item.sender == new.sender and not self.closing]
        into = [item for item in same[-1:] if new.lane == "merge" and not item.held_back]
        text = "\n\n".join(item.text for item in [*into, new])
        if len(text) > self.longest:
            raise TooLarge
        if self.closing:
            raise SessionClosed
        if len(self.queue + self.steering) >= self.limit and not into:
            raise QueueFull
        self.known[new.id] = new
        if into:
            into[0].text = text
            self.receipt(new, "merged", into[0].id)
        else:
            steers_nothing = new.lane == "steer" and not self.running
            self.put(new, at_the_end=steers_nothing or new.lane in ("queue", "merge"))

    def put(self, item: FollowUp, at_the_end: bool) -> None:
        if at_the_end:
            self.queue.append(item)
        elif item.lane == "interrupt":
            self.queue.insert(0, item)
            self.stop("a newer input")
        else:
            self.steering.append(item)
            if not self.running or self.stopped_by:
                self.too_late()
        self.loop()

    def too_late(self) -> None:
        """What can steer nothing any more runs next, behind such as came before it."""
        lanes = [item.lane in ("interrupt", "steer") for item in self.queue]
        behind = [*lanes, False].index(False)
        self.queue[behind:behind], self.steering = self.steering, []

    def stop(self, by: str, hold: str = "") -> None:
        if hold and (hold == "closing" or (self.running and not (self.stopped_by and self.hold))):
            self.hold = (hold, None)
        if self.running and not self.stopped_by:
            self.stopped_by = by
            self.too_late()

    def over(self, end: str, reason: str = "", until: float | None = None) -> None:
        """The turn has ended, its clean-up included."""
        self.too_late()
        item, self.running = self.running, None
        if self.stopped_by:
            self.receipt(item, "cancelled", self.stopped_by, self.turn, self.answer)
        elif end in ("rate_limited", "unreachable"):
            self.queue.insert(0, item)
            self.hold = (end, until)
        else:
            ended = end if end == "answered" else "failed"
            self.receipt(item, ended, reason, self.turn, self.answer)
            if end != "answered" and self.failure_holds:
                self.hold = ("failed", None)
        self.loop()

    def receipt(self, item: FollowUp, state: str, reason: str, *turn: Any) -> None:
        self.receipts.append((item.id, state, reason, *(turn or (None, ""))))

    def release(self) -> None:
        if not self.closed and self.hold != ("closing", None):
            self.hold = None
            self.loop()

    def close(self, drain: bool) -> None:
        self.closing = True
        if not drain and not self.closed:
            self.stop("close", hold="closing")
        self.loop()

    def waiting(self, id: str) -> FollowUp:
        for item in self.queue if not self.closed else ():
            if item.id == id:
                return item
        raise SessionClosed if self.closed else NotWaiting

    def remove(self, id: str, state: str = "withdrawn", by: str = "user") -> None:
        item = next((item for item in self.steering if item.id == id), None) or self.waiting(id)
        (self.steering if item in self.steering else self.queue).remove(item)
        self.receipt(item, state, by)
        self.loop()

    def promote(self, id: str, lane: Any) -> None:
        self.queue.remove(item := self.waiting(id))
        item.lane, item.held_back = lane, False
        self.put(item, at_the_end=False)

    def move(self, id: str, position: int) -> None:
        item = self.waiting(id)
        self.queue.remove(item)
        self.queue.insert(max(position - 1, 0), item)

    def take_steers(self) -> None:
        while self.steering:
            self.receipt(self.steering.pop(0), "steered", f"turn {self.turn}", self.turn, "")

    def crash(self) -> None:
        """The process dies; the next one finds what had no receipt, held."""
        self.queue = [*([self.running] if self.running else []), *self.steering, *self.queue]
        self.steering, self.running, self.closing, self.closed = [], None, False, False
        for item in self.queue:
            item.held_back = False
        self.hold, self.guard, self.guards = ("restored", None) if self.queue else None, 0, 0
        self.loop()
