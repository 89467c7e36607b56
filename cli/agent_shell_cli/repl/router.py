"""What an input means: decided here, by pure functions, and nowhere else.

`route` is asked at Enter and `route_interrupt` at Ctrl-C; they see the text and
the situation and return an action that `shell.py` carries out.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from agent_shell import HoldReason, Lane

__all__ = [
    "COMMANDS",
    "KEYS",
    "Action",
    "Call",
    "Command",
    "Complain",
    "Nothing",
    "Pressed",
    "Resume",
    "Send",
    "Situation",
    "Verb",
    "help_text",
    "route",
    "route_interrupt",
]


class Verb(enum.StrEnum):
    """The commands, by what they do."""

    HELP = "help"
    QUEUE = "queue"
    HOLD = "hold"
    RESUME = "resume"
    RETRY = "retry"
    SKIP = "skip"
    EDIT = "edit"
    DROP = "drop"
    CLEAR = "clear"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Command:
    """One line of `/help`; `takes` is what stands behind it, if anything does."""

    verb: Verb
    help: str
    takes: str = ""


COMMANDS = (
    Command(Verb.HELP, "show this"),
    Command(Verb.QUEUE, "list what waits"),
    Command(Verb.HOLD, "let the running turn end and start no other"),
    Command(Verb.RESUME, "go on with what waits (an empty Enter does the same)"),
    Command(Verb.RETRY, "run the turn again that was cut off (or empty Enter)"),
    Command(Verb.SKIP, "drop the turn that was cut off"),
    Command(Verb.EDIT, "give the waiting input N another text", "N TEXT"),
    Command(Verb.DROP, "withdraw the waiting input N", "N"),
    Command(Verb.CLEAR, "withdraw everything that waits; the running turn goes on"),
    Command(Verb.EXIT, "leave when the queue is done, or is held"),
)

KEYS = (
    ("Enter", "send; during an answer, wait in line"),
    ("Alt+Enter", "a new line in the input"),
    ("Up, Down, Ctrl+R", "earlier inputs"),
    ("Ctrl+C", "clear the input; else interrupt; else, twice, leave"),
    ("Ctrl+D", "with no input: as /exit"),
)

# What only the process can do that owns the session.
_OWNERS = frozenset(
    {Verb.HOLD, Verb.RESUME, Verb.RETRY, Verb.SKIP, Verb.EDIT, Verb.DROP, Verb.CLEAR}
)

# A path or a lone slash is no command: those begin with one plain word.
_COMMAND = re.compile(r"/([A-Za-z]+)(?:[ \t]+(.*))?[ \t]*\Z")
# The one command whose argument may have several lines.
_EDIT = re.compile(r"/(edit)[ \t]+(\d.*)\Z", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"(\d{1,9})(?:\s+(.*\S))?\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the meaning of an input depends on.

    `busy` is the lane that Enter means while a turn runs; `hold` is why no turn
    starts; `waiting` counts the follow-ups that wait; `cut_off` says that the next of
    them was cut off; `attached` is the process that owns the session, if not this one.
    """

    running: bool = False
    stopping: bool = False
    hold: HoldReason | None = None
    waiting: int = 0
    leaving: bool = False
    busy: Lane = Lane.QUEUE
    cut_off: bool = False
    attached: int | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Submit `text` in `lane`; with `release`, end the hold first."""

    text: str
    lane: Lane
    release: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Carry out a command, on the waiting input `number` if it is about one."""

    verb: Verb
    number: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """End the hold."""


@dataclass(frozen=True, slots=True)
class Complain:
    """Say why nothing was done; the draft stays."""

    text: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to do."""


Action = Send | Call | Resume | Complain | Nothing


class Pressed(enum.Enum):
    """What a Ctrl-C does."""

    CLEAR_DRAFT = enum.auto()
    INTERRUPT = enum.auto()
    WARN = enum.auto()
    LEAVE = enum.auto()


def route(text: str, situation: Situation) -> Action:
    """What Enter means on a draft `text`."""
    if not text.strip():
        held = situation.hold is not None and not situation.leaving
        return Resume() if held else Nothing()
    if situation.leaving:
        return Complain("leaving: no more input is taken")
    if (command := _COMMAND.match(text) or _EDIT.match(text)) is not None:
        return _command(command[1].lower(), command[2] or "", situation)
    # A hold that the user did not ask for, with nothing behind it, protects
    # nothing: the next input must not stick to it.
    release = situation.hold not in (None, HoldReason.USER) and situation.waiting == 0
    # Whether the owner's turn runs is seen by the owner alone; where none does, no
    # lane means anything.
    busy = situation.running or situation.stopping or situation.attached is not None
    lane = situation.busy if busy else Lane.QUEUE
    return Send(text, lane, release)


def route_interrupt(draft: str, situation: Situation, warned: bool) -> Pressed:
    """What Ctrl-C means; `warned` where the one before said that the next leaves."""
    if draft and not situation.leaving:
        return Pressed.CLEAR_DRAFT
    if situation.leaving or warned:
        return Pressed.LEAVE
    ours = situation.attached is None
    return Pressed.INTERRUPT if situation.running and ours else Pressed.WARN


def help_text() -> str:
    """The commands and the keys, one a line."""
    rows = [(f"/{command.verb} {command.takes}".rstrip(), command.help) for command in COMMANDS]
    width = max(len(name) for name, _ in (*rows, *KEYS))
    lines = [f"  {name:<{width}}  {what}" for name, what in (*rows, *KEYS)]
    return "\n".join([*lines, "A space before a slash sends the line as it is."])


def _command(name: str, argument: str, situation: Situation) -> Action:
    known = next((command for command in COMMANDS if command.verb == name), None)
    if known is None:
        return Complain(
            f"there is no command /{name}: see /help, or put a space before it to send it"
        )
    verb = known.verb
    if argument and not known.takes:
        return Complain(f"/{name} stands alone: it takes nothing behind it")
    if situation.attached is not None and verb in _OWNERS:
        return Complain(f"/{name} works only in process {situation.attached}, which owns this")
    if verb in (Verb.RETRY, Verb.SKIP) and not situation.cut_off:
        return Complain(f"/{name} is for a turn that was cut off, and there is none")
    return _about_one(known, argument) if known.takes else Call(verb)


def _about_one(command: Command, argument: str) -> Action:
    """A command with the number of a waiting input, and perhaps a text, behind it."""
    match = _NUMBER.match(argument)
    if match is None or (match[2] is None) == ("TEXT" in command.takes):
        return Complain(f"it is /{command.verb} {command.takes}: /queue shows the numbers")
    return Call(command.verb, int(match[1]), match[2] or "")
