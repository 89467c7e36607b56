"""From the view to styled text: pure, and for `Look` and size alike.

`live_lines` is what stands above the input line, `painted` what was finished.
"""

from __future__ import annotations

import math
from itertools import islice

from agent_shell import HoldReason, Phase
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.blocks import cut, rows
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.view import TAIL_ROWS, Block, Kind, Snapshot, View, counted

__all__ = ["Line", "live_lines", "painted", "waiting_line"]

# A style class and a text without a newline.
Line = tuple[str, str]

_WAITING_ROWS = 9
_STEERING_ROWS = 3

_REASONS = {
    HoldReason.USER: "held by you",
    HoldReason.INTERRUPTED: "held: the answer was interrupted",
    HoldReason.FAILED: "held: the last turn failed",
    HoldReason.RATE_LIMITED: "waiting for the provider",
    HoldReason.UNREACHABLE: "held: the model could not be reached",
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
    status = _status(view, now, look, width, time)
    # Half of the screen: what was said stays in sight, and the draft has room.
    room = max(0, height // 2 - len(status))
    tail = rows(view.tail, width)[-min(TAIL_ROWS, room) :] if view.tail and room else []
    room -= len(tail)
    steers = [
        _named(look.steer, view.number(id), printable_line(text), look, width)
        for id, text in islice(view.steering.items(), min(_STEERING_ROWS, max(0, room)))
    ]
    waiting = _waiting(view, now, look, width, min(_WAITING_ROWS, room - len(steers)))
    return [*(("", row) for row in tail), *steers, *waiting, *status]


def waiting_line(number: int, text: str, look: Look, width: int) -> str:
    """One follow-up that waits, as one line."""
    return cut(f"  {number or '?'}  {printable_line(text)}", width, look.ellipsis)


def painted(block: Block, look: Look, width: int) -> list[Line]:
    """A finished block, as the lines to write."""
    match block.kind:
        case Kind.ANSWER:
            return [("", row) for row in rows(block.text.removesuffix("\n"), width)]
        case Kind.HEADING:
            return [("", ""), _named(look.prompt, block.number, block.text, look, width)]
        case Kind.STEERED:
            return [_named(look.steer, block.number, block.text, look, width)]
        case Kind.MARK:
            return [("class:mark", row) for row in rows(f"{look.cross} {block.text}", width)]
        case Kind.NOTE:
            return [("class:quiet", row) for row in rows(block.text, width)]


def _named(sign: str, number: int, text: str, look: Look, width: int) -> Line:
    return ("class:quiet", cut(f"{sign} {number or '?'}  {text}", width, look.ellipsis))


def _waiting(view: View, now: Snapshot, look: Look, width: int, room: int) -> list[Line]:
    count = now.count
    if not count or room <= 0:
        return []
    shown = min(len(now.waiting), count if count <= room else room - 1)
    lines = [
        ("class:quiet", waiting_line(view.number(f.id), f.text, look, width))
        for f in islice(now.waiting, shown)
    ]
    if count > shown:
        lines.append(("class:quiet", f"  {look.ellipsis} {count - shown:,} more"[:width]))
    return lines


def _status(view: View, now: Snapshot, look: Look, width: int, time: float) -> list[Line]:
    lines: list[Line] = []
    if view.loading:
        lines.append(("class:quiet", printable_line(view.loading)))
    if now.phase is Phase.STOPPING:
        lines.append(("class:quiet", f"stopping{look.ellipsis}"))
    elif (held := _held(now, look, time)) is not None:
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
    return [(style, cut(text, width, look.ellipsis)) for style, text in lines]


def _held(now: Snapshot, look: Look, time: float) -> str | None:
    hold = now.hold
    if hold is None or hold.reason is HoldReason.CLOSING:
        return None
    if not now.count and hold.reason is not HoldReason.USER:
        return None  # it holds nothing back: the next input ends it
    reason = "held: a turn was cut off" if now.cut_off else _REASONS[hold.reason]
    said = f"{look.pause} {reason}"
    if hold.until is not None:
        said += f", goes on in {max(0, math.ceil(hold.until - time))} s"
    if now.count:
        said += f" · {counted(now.count, 'follow-up')}"
    return f"{said} · {'/retry (or Enter) or /skip' if now.cut_off else '/resume or Enter goes on'}"
