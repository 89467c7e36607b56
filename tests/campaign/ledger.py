"""What the driver of a campaign believes: only what it was acknowledged and told.

A `Ledger` hears every line of every worker, is shown the file after each crash, and
writes down what does not agree. It knows no process, no pipe and no clock, so that
its judgement can be tried on a history that was written by hand.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Command", "Ledger", "Row", "Snapshot", "Turn", "read_snapshot"]

FINAL = {"answered", "failed", "cancelled", "withdrawn", "merged", "steered"}
_BEHIND = {"queue", "merge"}

Command = dict[str, Any]


@dataclass
class Row:
    """A follow-up as the file has it."""

    id: str
    text: str
    state: str
    reason: str = ""
    turn: int | None = None


@dataclass
class Turn:
    """A turn as the file has it."""

    number: int
    id: str
    state: str
    answer: str = ""


@dataclass
class Snapshot:
    """The file at one moment: its rows, the queue in order, and what SQLite says of it."""

    rows: dict[str, Row]
    turns: list[Turn]
    queue: list[str]
    integrity: str = "ok"


def read_snapshot(path: Path, key: str | None = None) -> Snapshot:
    """Reads a journal that no process has open, or a copy of one: the session `key`, or all."""
    connection = sqlite3.connect(path)
    of = "(SELECT id FROM sessions WHERE key = coalesce(:key, key))"
    at = {"key": key}
    try:
        (integrity,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        rows = connection.execute(
            f"SELECT id, text, state, reason, turn FROM follow_ups WHERE session IN {of}", at
        )
        turns = connection.execute(
            f"SELECT number, follow_up, state, answer FROM turns WHERE session IN {of}"
            " ORDER BY number",
            at,
        )
        queue = connection.execute(
            f"SELECT id FROM follow_ups WHERE state = 'queued' AND session IN {of}"
            " ORDER BY rank, seq",
            at,
        )
        return Snapshot(
            {row[0]: Row(*row) for row in rows},
            [Turn(*row) for row in turns],
            [id for (id,) in queue],
            str(integrity),
        )
    finally:
        connection.close()


@dataclass
class Ledger:
    """The driver's belief, and its faults by kind."""

    sent: dict[str, str] = field(default_factory=dict[str, str])
    lanes: dict[str, str] = field(default_factory=dict[str, str])
    acknowledged: set[str] = field(default_factory=set[str])
    receipts: dict[str, tuple[str, int | None]] = field(
        default_factory=dict[str, tuple[str, int | None]]
    )
    told_receipts: set[str] = field(default_factory=set[str])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    turn: int = 0
    running: str | None = None
    inbox: list[str] = field(default_factory=list[str])
    queue: list[str] = field(default_factory=list[str])
    moving: Counter[str] = field(default_factory=Counter[str])
    changing: set[str] = field(default_factory=set[str])
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def fault(self, kind: str, what: str) -> None:
        """Writes down what does not agree."""
        self.faults.append((kind, what))

    # What the driver sends

    def sends(self, command: Command) -> None:
        """A command goes out: until more is heard, its effect is open."""
        id = command.get("id", "")
        match command["do"]:
            case "submit":
                self.sent.setdefault(id, command["text"])
                self.lanes.setdefault(id, command["lane"])
                if command["lane"] == "merge":
                    # It may be joined to whatever waits by then.
                    self.changing.update(self.sent.keys() - self.receipts.keys())
            case "move":
                self.moving[id] += 1
            case "edit":
                self.changing.add(id)

    # What it is told

    def hears(self, line: dict[str, Any]) -> None:
        """A line of the worker that owns the session."""
        if "told" in line:
            event = line["told"]
            handler = _TOLD.get(event["type"])
            if handler is not None:
                handler(self, event)
        elif "accepted" in line:
            self.acknowledged.add(line["id"])
        elif "refused" in line:
            self._refused(line)

    def _refused(self, line: dict[str, Any]) -> None:
        id, why = line["id"], line["why"]
        if line["do"] == "move":
            self.moving[id] -= 1
        came_too_late = "NotWaiting" in why
        has_changed = "IdConflict" in why and id in self.changing
        if not came_too_late and not has_changed:
            self.fault("refused", f"{line['do']} of {id}: {why}")

    def _accepted(self, event: dict[str, Any]) -> None:
        id, lane, position = event["id"], event["lane"], event["position"]
        if id in self.texts:
            self.fault("duplicated", f"{id} was accepted twice")
        self.texts[id] = event["text"]
        self.acknowledged.add(id)
        if lane in _BEHIND or (position == 0 and self.running is None):
            self.queue.append(id)
        elif position == 0:
            self.inbox.append(id)
        else:
            self.queue.insert(position - 1, id)

    def _edited(self, event: dict[str, Any]) -> None:
        self.texts[event["id"]] = event["text"]

    def _moved(self, event: dict[str, Any]) -> None:
        id = event["id"]
        if id not in self.inbox:
            self.moving[id] -= 1
        self._leave(id)
        self.queue.insert(event["position"] - 1, id)

    def _started(self, event: dict[str, Any]) -> None:
        id, turn = event["id"], event["turn"]
        if self.running is not None:
            self.fault("two_at_once", f"{id} started while {self.running} ran")
        if turn <= self.turn:
            self.fault("turn_numbers", f"turn {turn} started after turn {self.turn}")
        if self.queue[:1] != [id]:
            self.fault("out_of_order", f"{id} started, next was {self.queue[:1]}")
        self.turn = max(turn, self.turn)
        self._leave(id)
        self.running = id

    def _ended(self, event: dict[str, Any]) -> None:
        if self.running != event["id"]:
            self.fault("two_at_once", f"{event['id']} ended while {self.running} ran")
        self.running = None
        if event["state"] == "queued":
            self.queue.insert(0, event["id"])

    def _receipt(self, event: dict[str, Any]) -> None:
        id = event["id"]
        if id in self.told_receipts:
            self.fault("duplicated", f"{id} got a second receipt, {event['state']}")
        self.told_receipts.add(id)
        self._settle(id, event["state"], event["turn"])
        self._leave(id)

    def _settle(self, id: str, state: str, turn: int | None) -> None:
        known = self.receipts.setdefault(id, (state, turn))
        if known != (state, turn):
            self.fault("changed", f"{id} was {known} and is {(state, turn)}")

    def _leave(self, id: str) -> None:
        for place in (self.queue, self.inbox):
            if id in place:
                place.remove(id)

    # What the file says after a crash

    def crashed(self, file: Snapshot) -> None:
        """The worker died: the file, before anybody has opened it again."""
        if file.integrity != "ok":
            self.fault("integrity", file.integrity)
        self._nothing_lost(file)
        self._receipts_stand(file)
        self._turns_agree(file)
        self._order_stands(file)

    def _nothing_lost(self, file: Snapshot) -> None:
        for id in (self.acknowledged | self.texts.keys()) - file.rows.keys():
            self.fault("lost", f"{id} was accepted and is not in the file")
        for id, text in self.texts.items():
            row = file.rows.get(id)
            if row is not None and id not in self.changing and row.text != text:
                self.fault("changed", f"the text of {id} is {row.text!r} and was {text!r}")
        for id in file.rows.keys() - self.sent.keys():
            self.fault("appeared", f"{id} is in the file and was never sent")

    def _receipts_stand(self, file: Snapshot) -> None:
        for id in self.receipts:
            row = file.rows.get(id)
            if row is not None and row.state not in FINAL:
                self.fault("lost", f"the receipt of {id} is gone, it is {row.state}")
        for row in file.rows.values():
            if row.state in FINAL:
                self._settle(row.id, row.state, self._turn_of(row))
                self.told_receipts.add(row.id)

    def _turn_of(self, row: Row) -> int | None:
        """The turn that a receipt names: the file also keeps a cut-off one's."""
        told = self.receipts.get(row.id)
        return None if told is not None and told[1] is None else row.turn

    def _turns_agree(self, file: Snapshot) -> None:
        of: dict[str, list[Turn]] = {}
        for turn in file.turns:
            of.setdefault(turn.id, []).append(turn)
        for id, turns in of.items():
            early = [turn for turn in turns[:-1] if turn.state not in ("interrupted", "queued")]
            if early:
                self.fault("duplicated", f"{id} ran again after {early}")
        running = [turn for turn in file.turns if turn.state == "running"]
        if len(running) > 1:
            self.fault("two_at_once", f"the file has {running}")
        for turn in running:
            self._is_prefix(turn, file)

    def _is_prefix(self, turn: Turn, file: Snapshot) -> None:
        said = turn.answer
        for row in file.rows.values():
            if row.state == "steered" and row.turn == turn.number:
                said = said.replace(f"\n{row.text}\n", "")
        if not file.rows[turn.id].text.startswith(said):
            self.fault("changed", f"turn {turn.number} had said {turn.answer!r}")

    def _order_stands(self, file: Snapshot) -> None:
        """What was told to wait, and is not being moved, waits in the order that was told.

        What was to steer has gone before all that was queued, since the turn ended or the
        process died; whether it is before or behind others that are to run next depends
        on which of the two, and on what of it was told.
        """
        behind = [id for id in self.queue if self.lanes.get(id) in _BEHIND]
        for told in (self.queue, [*self.inbox, *behind]):
            kept = {id for id in told if self.moving[id] <= 0}
            expected = [id for id in told if id in kept & set(file.queue)]
            found = [id for id in file.queue if id in kept]
            if expected != found:
                self.fault("out_of_order", f"waiting were {expected}, and are {found}")

    def reopened(self, before: Snapshot, after: Snapshot, opened: dict[str, Any]) -> None:
        """The next worker has taken the session: what it says, and what the file says now."""
        cut = next((turn for turn in before.turns if turn.state == "running"), None)
        said = opened["cut_off"]
        told = cut or _left_cut_off(before)
        if (said is None) != (told is None):
            self.fault("interrupted", f"the turn {told} was cut off, and told was {said}")
        elif told is not None:
            now = next(turn for turn in after.turns if turn.number == told.number)
            if now.state != "interrupted" or not told.answer == now.answer == said["answer"]:
                self.fault("interrupted", f"{told} was cut off, and is {now}")
        expected = [*([] if cut is None else [cut.id]), *before.queue]
        for id in set(expected) ^ set(after.queue):
            self.fault("lost", f"{id} did or does not wait any more")
        if expected != after.queue:
            self.fault("out_of_order", f"waiting were {expected}, and are {after.queue}")
        shown = [id for id, _ in opened["opened"]]
        if shown != after.queue[: len(shown)] or opened["count"] != len(after.queue):
            self.fault("out_of_order", f"the file has {after.queue}, and told was {shown}")
        self._take_up(after)

    def taken_over(self, file: Snapshot) -> None:
        """Another worker has taken the session from one that may still be there."""
        self.crashed(file)
        self._take_up(file)

    def hears_late(self, line: dict[str, Any], file: Snapshot) -> None:
        """A line of a worker that has lost the session: true at best, and nothing new."""
        event = line.get("told", {})
        row = file.rows.get(line.get("id", event.get("id", "")))
        if ("accepted" in line or event.get("type") == "follow_up.accepted") and row is None:
            self.fault("ghost", f"a stopped worker acknowledged {line}")
        if event.get("type") == "receipt" and (row is None or row.state != event["state"]):
            self.fault("ghost", f"a stopped worker told of {event}, the file has {row}")
        if event.get("type") == "turn.started" and event["turn"] not in {
            turn.number for turn in file.turns if turn.id == event["id"]
        }:
            self.fault("ghost", f"a stopped worker started {event}")

    def _take_up(self, file: Snapshot) -> None:
        """From here on the file is what the driver believes."""
        self.texts = {row.id: row.text for row in file.rows.values()}
        self.turn = max([self.turn, *(turn.number for turn in file.turns)])
        self.queue, self.inbox, self.running = list(file.queue), [], None
        self.moving.clear()
        self.changing.clear()

    def finished(self, file: Snapshot) -> None:
        """Everything has drained: each accepted id has its one receipt."""
        self.crashed(file)
        for row in file.rows.values():
            if row.state not in FINAL:
                self.fault("lost", f"{row.id} has no receipt, it is {row.state}")

    def counts(self) -> Counter[str]:
        """How many faults of each kind."""
        return Counter(kind for kind, _ in self.faults)

    def unacknowledged(self) -> Iterable[str]:
        """What was sent, and may or may not have been accepted."""
        return [id for id in self.sent if id not in self.acknowledged and id not in self.texts]


_TOLD: dict[str, Callable[[Ledger, dict[str, Any]], None]] = {
    "follow_up.accepted": Ledger._accepted,
    "follow_up.edited": Ledger._edited,
    "follow_up.moved": Ledger._moved,
    "turn.started": Ledger._started,
    "turn.ended": Ledger._ended,
    "receipt": Ledger._receipt,
}


def _left_cut_off(file: Snapshot) -> Turn | None:
    """A turn that a worker found cut off, and was killed before anything came of it."""
    last = file.turns[-1] if file.turns else None
    # Where another was moved before it, it is told of when it is the next again.
    if last is None or last.state != "interrupted" or file.queue[:1] != [last.id]:
        return None
    row = file.rows.get(last.id)
    return last if row is not None and (row.state, row.turn) == ("queued", last.number) else None
