"""What there is to see, made from the session's events: no terminal, no clock.

`View.fold` takes the events in order. What is finished leaves through
`View.take`, once; what still grows is `View.tail`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import field

from agent_shell import FollowUp, Hold, HoldReason, Lane, Phase, State
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Missed,
    Receipt,
    ToolCalled,
    ToolReturned,
    TurnDelta,
    TurnEnded,
    TurnNotice,
    TurnStarted,
)
from agent_shell.records import frozen, record
from agent_shell_cli.counting import counted
from agent_shell_cli.printable import printable, printable_line
from agent_shell_cli.repl.blocks import Carry
from agent_shell_cli.repl.questions import Asked
from agent_shell_cli.repl.router import PROMPT_SENDER
from agent_shell_cli.repl.rows import Line, grown_rows, shown
from agent_shell_cli.repl.stream import Piece, Stream
from agent_shell_cli.repl.tooling import Uses

__all__ = [
    "Beside",
    "Block",
    "Kind",
    "Running",
    "Snapshot",
    "View",
    "roomy_tail",
]

# A taller tail would hide its own newest lines, and costs a redraw of them all.
_TAIL_ROWS = 6
# And in all so many cells: it has to fit on the screen still where that is made narrow.
_TAIL_CELLS = 480
# As narrow as people make a window, in cells.
_NARROW = 40


class Kind(enum.Enum):
    """What a finished piece of text is."""

    HEADING = enum.auto()
    ANSWER = enum.auto()
    MARK = enum.auto()
    STEERED = enum.auto()
    TOOL = enum.auto()
    TOOL_FAILED = enum.auto()
    ASKED = enum.auto()
    BESIDE = enum.auto()
    NOTE = enum.auto()


@frozen
class Block:
    """A finished piece of text, printable; `number` is that of its follow-up.

    That of a tool has what it was about on its first line; of a question there are
    `lines`, cut to the width already. `carry` is what a piece of an answer stands in;
    without it, it is shown as written.
    """

    kind: Kind
    text: str
    number: int = 0
    carry: Carry | None = None
    lines: Sequence[Line] = ()


@frozen
class Snapshot:
    """Where the session stands: what is read of it, and never copied.

    `beyond` more wait in the journal; `cut_off` says that the next was cut off;
    `attached` is the process that owns the session, where that is another one, and
    `asked_there` what a tool asks its user, as lines.
    """

    phase: Phase = Phase.IDLE
    hold: Hold | None = None
    waiting: Sequence[FollowUp] = ()
    beyond: int = 0
    cut_off: bool = False
    attached: int | None = None
    asked_there: str = ""

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self.waiting) + self.beyond


@record
class Running:
    """The turn that runs: its follow-up's number and text, its start (epoch seconds).

    `said` is what it has said, of so many `characters`; `is_command` where it is a line
    for the shell itself, not for a model.
    """

    number: int
    since: float
    text: str = ""
    said: list[str] = field(default_factory=list[str])
    characters: int = 0
    is_command: bool = False


@record
class Beside:
    """A question beside the session, and its answer as it grows.

    `headed` where the question stands above what comes next of the answer.
    """

    question: str
    answer: Stream
    headed: bool = False

    def blocks(self, pieces: Sequence[Piece]) -> list[Block]:
        """What is finished of the answer, below its question."""
        head = [] if self.headed or not pieces else [self._head()]
        return [*head, *(Block(Kind.ANSWER, one.text, carry=one.carry) for one in pieces)]

    def end(self, problem: str) -> list[Block]:
        """The rest, and that it has stopped or failed."""
        pieces = self.answer.end()
        said = self.blocks(pieces) if pieces or self.headed else [self._head()]
        return [*said, *([Block(Kind.MARK, problem)] if problem else [])]

    def _head(self) -> Block:
        self.headed = True
        return Block(Kind.BESIDE, f"beside: {printable_line(self.question)}")


@record
class _Open:
    number: int
    text: str
    sender: str = ""


@record
class View:
    """The model behind the screen.

    Follow-ups are numbered from 1 in the order of acceptance. `accepted` counts
    them and `unanswered` those that failed or were cancelled; `loading` and
    `notice` are lines that stand until they are replaced; `leaving` says that the
    shell only finishes its queue; `steering` has, by id, the texts that the running
    turn was given and has not taken in yet; `chosen` and `edited` are ids of inputs that
    wait; `status` is a line that stands; `raw` shows answers as they are written;
    `unanswered_text` is that of the last turn, where it was not answered, and `put_back`
    says that it waits to run again; `beside` are the questions that are being answered
    beside the session; `uses` are those of tools; `asked` is a tool's question; `above` is
    how many rows stand above what grows, at least.
    """

    accepted: int = 0
    unanswered: int = 0
    answer: Stream = field(default_factory=Stream)
    loading: str = ""
    notice: str = ""
    leaving: bool = False
    chosen: str | None = None
    edited: str | None = None
    status: str = ""
    raw: bool = False
    running: Running | None = None
    unanswered_text: str | None = None
    beside: list[Beside] = field(default_factory=list[Beside])
    put_back: bool = False
    uses: Uses = field(default_factory=Uses)
    asked: Asked | None = None
    unmet: int = 0
    above: int = 1 << 30
    steering: dict[str, str] = field(default_factory=dict[str, str])
    _open: dict[str, _Open] = field(default_factory=dict[str, _Open])
    _ready: list[Block] = field(default_factory=list[Block])
    _first_unmet: int = 1

    def number(self, id: str) -> int:
        """The number of a follow-up that has no receipt yet; 0 if it is not known."""
        item = self._open.get(id)
        return 0 if item is None else item.number

    def text(self, id: str) -> str:
        """The text of a follow-up that has no receipt yet; "" if it is not known."""
        item = self._open.get(id)
        return "" if item is None else item.text

    def id_of(self, number: int) -> str | None:
        """The id of the follow-up with that number, if it has no receipt yet."""
        return next((id for id, item in self._open.items() if item.number == number), None)

    def restore(self, waiting: Iterable[FollowUp], count: int) -> None:
        """Numbers what was accepted before, by another shell: `count` in all."""
        for follow_up in waiting:
            if follow_up.id not in self._open:
                self.accepted += 1
                self._open[follow_up.id] = _Open(self.accepted, follow_up.text, follow_up.sender)
        self.unmet = max(0, count - len(self._open))
        self._first_unmet = self.accepted + 1
        self.accepted += self.unmet

    def meet(self, id: str, text: str, sender: str) -> None:
        """Numbers one of the `unmet`, in their order."""
        if self.unmet and id not in self._open:
            self._open[id] = _Open(self._first_unmet, text, sender)
            self._first_unmet += 1
            self.unmet -= 1

    def is_unmet(self, number: int) -> bool:
        """Whether it is the number of one of the `unmet`."""
        return 0 <= number - self._first_unmet < self.unmet

    def show(self, blocks: Iterable[Block]) -> None:
        """Shows finished pieces that no event tells of."""
        self._ready.extend(blocks)

    def fold(self, event: Event, now: Snapshot) -> None:
        """Takes one event in; `now` is where the session stands when it is read."""
        match event:
            case TurnDelta():
                self._grow(event.text)
            case FollowUpAccepted():
                self.accepted += 1
                self._open[event.id] = _Open(self.accepted, event.text, event.sender)
                if event.lane is Lane.STEER and event.position == 0:
                    self.steering[event.id] = event.text
            case FollowUpMoved():
                self._move(event)
            case FollowUpEdited() if event.id in self._open:
                self._open[event.id].text = event.text
            case TurnStarted():
                self._start(event)
            case TurnNotice():
                self.say(event.text)
            case ToolCalled():
                self._finish_answer()  # what comes behind the tool is a text of its own
                self.uses.begin(event.call, event.tool, event.arguments, event.time)
            case ToolReturned():
                text = self.uses.end(event.call, event.tool, event.text, event.time)
                self._used(text, ok=event.ok)
            case TurnEnded():
                self._end(event, now)
            case Receipt():
                self._close(event, now)
            case Missed():
                self.say(f"{event.count:,} events were not shown: the terminal was too slow")
            case _:
                pass

    def say(self, text: str) -> None:
        """Has the shell itself say something, above what still grows."""
        self._ready.append(Block(Kind.NOTE, printable(text)))

    def ask_beside(self, question: str) -> Beside:
        """A question beside the session is asked; its answer grows from here on."""
        beside = Beside(question, Stream())
        beside.answer.raw = self.raw
        self.beside.append(beside)
        return beside

    def end_beside(self, beside: Beside, problem: str = "") -> None:
        """It is whole, or has stopped for `problem`: it stays, above what still grows."""
        self.beside.remove(beside)
        self._ready += beside.end(problem)
        if self.running is not None:
            self.say(f"end of what was beside; {self.running.number or '?'} goes on")

    @property
    def aloud(self) -> Beside | None:
        """The answer beside the session that is written as it grows: no other is meanwhile."""
        return self.beside[0] if self.beside and self.running is None else None

    def has_finished(self, width: int) -> bool:
        """Whether `take` would return anything."""
        growing = self.answer if self.aloud is None else self.aloud.answer
        return bool(self._ready) or growing.has_finished(width, self.tail_rows(width))

    def take(self, width: int) -> list[Block]:
        """What is finished and was not taken before, for rows of `width` cells."""
        self._answered(self.answer.take(width, self.tail_rows(width)))
        if (aloud := self.aloud) is not None:
            self._ready += aloud.blocks(aloud.answer.take(width, self.tail_rows(width)))
        taken, self._ready = self._ready, []
        return taken

    def tail_rows(self, width: int) -> int:
        """How many rows of `width` cells what still grows may take.

        Where the terminal is made narrow it wraps them, and as many rows as that makes more
        leave the screen at its top, also where there is room at the bottom. If the first
        row that grows were among them it could not be drawn anew: it would stay there.
        """
        more, most = grown_rows([width], _NARROW), roomy_tail(width)
        return min(most, max(1, self._spare // more)) if more else most

    def tail_width(self, width: int) -> int:
        """How many of `width` cells a row of what grows takes: what no window wraps, at worst."""
        fits = self._spare >= grown_rows([width], _NARROW)
        return width if fits else min(width, _NARROW - 1)

    @property
    def _spare(self) -> int:
        """How many rows may leave the screen whenever it is made narrow.

        It can be so twice before a size is told.
        """
        return self.above // 2

    def resized(self, frame: Sequence[int], height: int) -> None:
        """The window has another size, and had or has no more than `height` rows.

        Each row of the `frame`, whose widths in cells these are, may have been wrapped, and
        may have moved as many off the screen, which do not come back; also twice, for not
        every size is told.
        """
        lost = len(frame) + 2 * grown_rows(frame, _NARROW)
        self.above = max(0, min(self.above, height) - lost)

    def row_width(self, width: int, rows: int, others: Iterable[int]) -> int:
        """How many of `width` cells each of `rows` that wait may take, beside `others` so wide.

        No more than, where the window is made narrow, make as many rows more as stand above:
        each of those moves one off the screen, and then it would be the prompt's own.
        """
        left = self._spare - grown_rows(others, _NARROW)
        return min(width, (max(0, left) // max(1, rows) + 1) * _NARROW - 1)

    @property
    def grows(self) -> bool:
        """Whether a model is saying something."""
        return self.running is not None or bool(self.beside)

    @property
    def tail(self) -> str:
        """What still grows."""
        return self.answer.tail

    def _answered(self, pieces: Iterable[Piece]) -> None:
        self._ready += [Block(Kind.ANSWER, one.text, carry=one.carry) for one in pieces]

    def _grow(self, text: str) -> None:
        if self.running is not None:
            self.running.characters += len(text)
            self.running.said.append(text)
        self.answer.feed(text)

    def _finish_answer(self) -> None:
        self._answered(self.answer.end())

    def _used(self, text: str, *, ok: bool) -> None:
        self._ready.append(Block(Kind.TOOL if ok else Kind.TOOL_FAILED, shown(text)))

    def _move(self, event: FollowUpMoved) -> None:
        if event.position:
            self.steering.pop(event.id, None)
        elif (item := self._open.get(event.id)) is not None:
            self.steering[event.id] = item.text

    def _start(self, event: TurnStarted) -> None:
        item = self._open.get(event.id, _Open(0, ""))
        self.steering.pop(event.id, None)
        self.put_back = False
        for beside in self.beside:
            beside.headed = False  # something else stands behind what was written of it
        is_command = item.sender == PROMPT_SENDER
        self.running = Running(item.number, event.time, item.text, is_command=is_command)
        self.answer.raw = self.raw or is_command
        self._ready.append(Block(Kind.HEADING, printable_line(item.text), item.number))

    def _end(self, event: TurnEnded, now: Snapshot) -> None:
        self.steering.clear()  # what was not taken in waits in the queue now
        self.running = None
        self._finish_answer()
        for text in self.uses.cut_off(event.time):
            self._used(text, ok=False)
        self.put_back = event.state is State.QUEUED
        if self.put_back:
            self.unanswered_text = None
            why = printable_line(now.hold.detail) if now.hold is not None else ""
            self._mark(f"not answered{why and ': '}{why}", now)

    def _close(self, receipt: Receipt, now: Snapshot) -> None:
        item = self._open.pop(receipt.id, _Open(0, ""))
        self.steering.pop(receipt.id, None)
        if receipt.turn is not None and receipt.state is not State.STEERED:
            unanswered = receipt.state is not State.ANSWERED and item.sender != PROMPT_SENDER
            self.unanswered_text = item.text if unanswered else None
        if receipt.state is State.STEERED:
            self._ready.append(Block(Kind.STEERED, printable_line(item.text), item.number))
        elif receipt.state is State.FAILED:
            self.unanswered += 1
            self._mark(f"failed: {printable_line(receipt.reason)}", now)
        elif receipt.state is State.CANCELLED:
            self.unanswered += 1
            by = printable_line(receipt.reason)
            self._mark(_CANCELLED.get(receipt.reason, f"interrupted by {by}"), now)

    def _mark(self, text: str, now: Snapshot) -> None:
        waiting = now.count
        if now.hold is not None and waiting and now.hold.reason is not HoldReason.CLOSING:
            held, them = ("is", "it") if waiting == 1 else ("are", "them")
            text += f" — {counted(waiting, 'follow-up')} {held} held; /resume runs {them}"
        self._ready.append(Block(Kind.MARK, text))


_CANCELLED = {
    "user": "interrupted",
    "close": "interrupted: the shell was left",
    "a crash": "skipped",
}


def roomy_tail(width: int) -> int:
    """How many rows of `width` cells what still grows may take, where there is room above it."""
    return min(_TAIL_ROWS, max(1, _TAIL_CELLS // max(1, width)))
