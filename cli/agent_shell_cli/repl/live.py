"""From the view to what stands above the input line: pure, for a `Look` and a size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from agent_shell import FollowUp, HoldReason, Lane, Phase
from agent_shell_cli.counting import counted
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.asking import elsewhere_rows, question_rows
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.painting import named
from agent_shell_cli.repl.router import LASTING
from agent_shell_cli.repl.rows import Line, cells, cut, rows
from agent_shell_cli.repl.tooling import folded_end
from agent_shell_cli.repl.view import Snapshot, View

__all__ = ["REASONS", "elapsed", "live_lines", "waiting_line"]

_WAITING_ROWS = 9
_STEERING_ROWS = 3
# Questions beside the session at once, and rows of the answer to each.
_BESIDE = 2
_BESIDE_ROWS = 3
# As much of it is looked at for them.
_BESIDE_CHARS = 1_000
# Uses of tools at once, and rows of what each of them says.
_USES = 3
_USE_ROWS = 3

REASONS = {
    HoldReason.USER: "held by you",
    HoldReason.INTERRUPTED: "held: the answer was interrupted",
    HoldReason.FAILED: "held: the last turn failed",
    HoldReason.RATE_LIMITED: "waiting for the provider",
    HoldReason.UNREACHABLE: "held: the model can't be used",
    HoldReason.BUDGET: "held: the budget is spent",
    HoldReason.RESTORED: "held: the queue was restored",
    HoldReason.JOURNAL: "held: the journal could not be written",
}


def live_lines(
    view: View, now: Snapshot, look: Look, width: int, height: int, time: float
) -> list[Line]:
    """The lines above the input, for rows of `width` cells in `height` rows.

    At `time` (seconds since the epoch). Costs no more than what it shows,
    however many follow-ups wait.
    """
    status = [*_status(view, now, look, width, time), *_hints(view, look, width)]
    turn = _turn(view, now, look, width, time)
    # Half of the screen: what was said stays in sight, and the draft has room.
    room = max(0, height // 2 - len(status) - len(turn))
    # An input that is typed while a question fills the room must not seem to be lost.
    kept = min(1, now.count + len(view.steering))
    asked = _asked(view, look, width, room - kept, height)
    if now.attached is not None and now.asked_there:
        asked += elsewhere_rows(now.asked_there, now.attached, look, width, room - kept)
    uses = _uses(view, look, width, max(0, room - kept - len(asked)), time)
    room = max(0, room - len(asked) - len(uses))
    shown = view.tail_width(width)
    most = view.tail_rows(shown)
    tail = rows(view.tail, shown)[-min(most, room) :] if view.tail and room else []
    room -= len(tail)
    beside = _beside(view, look, width, room)
    room -= len(beside)
    steers = [
        named(look.steer, view.number(id), printable_line(text), look, width)
        for id, text in islice(view.steering.items(), min(_STEERING_ROWS, max(0, room)))
    ]
    waiting = _waiting(view, now, look, width, min(_WAITING_ROWS, room - len(steers)))
    between = [*uses, *steers, *waiting]
    others = [cells(text) for _, text in (*beside, *turn, *asked, *status)]
    # As if what grows had all of its rows: those that wait keep their width while it does.
    growing = [shown] * most if view.grows else []
    narrow = view.row_width(width, len(between), [*growing, *others])
    between = [(style, cut(text, narrow, look.ellipsis)) for style, text in between]
    return [*(("", row) for row in tail), *beside, *turn, *between, *asked, *status]


def _beside(view: View, look: Look, width: int, room: int) -> list[Line]:
    """What is asked beside the session, and the end of what is answered to it."""
    lines: list[str] = []
    for beside in islice(view.beside, _BESIDE):
        if not beside.headed:
            lines.append(cut(f"beside: {printable_line(beside.question)}", width, look.ellipsis))
        shown = view.tail_width(width)
        most = view.tail_rows(shown) if beside is view.aloud else _BESIDE_ROWS
        if tail := beside.answer.tail[-_BESIDE_CHARS:].strip("\n"):
            lines += rows(tail, shown)[-most:]
    return [("class:quiet", line) for line in lines[: max(0, room)]]


def _asked(view: View, look: Look, width: int, room: int, height: int) -> list[Line]:
    """What a tool asks: before all else, for the turn waits for the answer."""
    if view.asked is None:
        return []
    return question_rows(view.asked, look, width, max(room, min(5, height - 2)))


def _uses(view: View, look: Look, width: int, room: int, time: float) -> list[Line]:
    """The tools that are used, and the end of what they say."""
    lines: list[Line] = []
    for use in islice(view.uses, _USES):
        title = f"  {use.title()} · {elapsed(time - use.since)}"
        said = folded_end(use.output, _USE_ROWS)
        lines += [("class:quiet", cut(line, width, look.ellipsis)) for line in (title, *said)]
    return lines[:room]


def waiting_line(
    number: int, text: str, look: Look, width: int, *, sign: str = " ", lane: str = ""
) -> str:
    """One follow-up that waits, as one line; `lane` is said where it is not the queue."""
    lane = f"{lane} · " if lane else ""
    return cut(f"{sign} {number or '?'}  {lane}{printable_line(text)}", width, look.ellipsis)


def _turn(view: View, now: Snapshot, look: Look, width: int, time: float) -> list[Line]:
    """The turn that runs: which input, for how long, how much it has said."""
    turn = view.running
    if turn is None or now.phase not in (Phase.RUNNING, Phase.STOPPING):
        return []
    said = f"▸ {turn.number or '?'} · {elapsed(time - turn.since)}"
    if turn.characters and not turn.is_command:
        # Nobody counts tokens before the end: four characters are about one.
        said += f" · ≈ {max(1, turn.characters // 4):,} tokens"
    if now.phase is Phase.STOPPING:
        said += " · stopping"
    elif view.asked is not None:
        said += " · waiting for your answer"
    return [("class:quiet", cut(said, width, look.ellipsis))]


def elapsed(seconds: float) -> str:
    """A time as people say it: `12 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _waiting(view: View, now: Snapshot, look: Look, width: int, room: int) -> list[Line]:
    count, here = now.count, len(now.waiting)
    if not count or room <= 0:
        return []
    fits = count <= room
    first, last = 0, count if fits else max(1, room - 1)
    place = _place_of(now.waiting, view.chosen)
    if not fits and place is not None and place >= last:
        # Room for a fold before the chosen one, and for one behind it.
        last = min(count, place + 2) if room > 3 else place + 1
        first = max(0, last - max(1, room - 1 - (last < count)))
    lines = [
        _waiting_row(follow_up, view, look, width)
        for follow_up in islice(now.waiting, first, min(last, here))
    ]
    if first:
        lines.insert(0, _fold(first, look, width))
    if count > last or last > here:
        lines.append(_fold(count - min(last, here), look, width))
    return lines


def _waiting_row(follow_up: FollowUp, view: View, look: Look, width: int) -> Line:
    lane = "" if follow_up.lane is Lane.QUEUE else str(follow_up.lane)
    lane = "being edited" if follow_up.id == view.edited else lane
    chosen = follow_up.id == view.chosen
    number, sign = view.number(follow_up.id), look.prompt if chosen else " "
    line = waiting_line(number, follow_up.text, look, width, sign=sign, lane=lane)
    return ("class:chosen" if chosen else "class:quiet", line)


def _fold(count: int, look: Look, width: int) -> Line:
    return ("class:quiet", cut(f"  {look.ellipsis} {count:,} more", width, look.ellipsis))


def _place_of(waiting: Sequence[FollowUp], id: str | None) -> int | None:
    if id is None:
        return None
    return next((place for place, f in enumerate(waiting) if f.id == id), None)


def _hints(view: View, look: Look, width: int) -> list[Line]:
    """What the keys do now, where that is not what they usually do."""
    if view.edited is not None:
        number = view.number(view.edited) or "?"
        said = f"editing {number}: it waits until Enter saves it, or Esc leaves it as it was"
    elif view.chosen is not None:
        said = (
            # In 79 cells: more would be cut where most terminals end.
            "Enter edits · Del drops · Ctrl+↑↓ moves · Alt+N next · Ctrl+S steers · Esc back"
        )
    else:
        return []
    return [("class:held", cut(said, width, look.ellipsis))]


def _status(view: View, now: Snapshot, look: Look, width: int, time: float) -> list[Line]:
    lines: list[Line] = []
    if view.loading:
        lines.append(("class:quiet", printable_line(view.loading)))
    if now.phase is not Phase.STOPPING and (held := _held(now, look, time)) is not None:
        lines.append(("class:held", held))
    if view.leaving:
        left = now.count + (now.phase in (Phase.RUNNING, Phase.STOPPING))
        lines.append(
            ("class:held", f"leaving after {counted(left, 'follow-up')} · Ctrl+C leaves now")
        )
    if now.attached is not None:
        attached = f"attached to process {now.attached}: what you type goes into its queue"
        lines.append(("class:quiet", attached))
    if view.notice:
        lines.append(("class:held", view.notice))
    if view.status:
        lines.append(("class:status", view.status))
    return [(style, cut(text, width, look.ellipsis)) for style, text in lines]


def _held(now: Snapshot, look: Look, time: float) -> str | None:
    hold = now.hold
    if hold is None or hold.reason is HoldReason.CLOSING:
        return None
    if not now.count and hold.reason not in LASTING:
        return None  # it holds nothing back: the next input ends it
    detail = printable_line(hold.detail) if hold.reason in _EXPLAINED else ""
    said = f"{look.pause} {'held: a turn was cut off' if now.cut_off else REASONS[hold.reason]}"
    if hold.reason is HoldReason.BUDGET and detail:
        said = f"{look.pause} held by the budget: {detail}"
    if hold.until is not None:
        said += f", goes on in {elapsed(math.ceil(hold.until - time))}"
    if now.count:
        said += f" · {counted(now.count, 'follow-up')}"
    said += f" · {'/retry (or Enter) or /skip' if now.cut_off else _WAYS_ON.get(hold.reason, _ON)}"
    return f"{said} · {detail}" if detail and hold.reason is not HoldReason.BUDGET else said


_ON = "/resume or Enter goes on"
_WAYS_ON = {
    HoldReason.RATE_LIMITED: "Enter: now",
    HoldReason.UNREACHABLE: "/retry or Enter tries again",
    HoldReason.BUDGET: "/resume or Enter allows as much again",
}
# Their detail says what to do, or which bound it is.
_EXPLAINED = (HoldReason.UNREACHABLE, HoldReason.BUDGET)
