"""What an input means: decided here, by pure functions, and nowhere else.

`route` is asked at Enter, `route_interrupt` at Ctrl-C and `route_stop` at Esc; they
see the text and the situation and return an action that `shell.py` carries out.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import replace

from agent_shell import HoldReason, Lane
from agent_shell.records import frozen
from agent_shell_cli.config.textfile import Unreadable
from agent_shell_cli.verbs import COMMANDS, Command, Verb

__all__ = [
    "LASTING",
    "PROMPT_SENDER",
    "USER",
    "Action",
    "Call",
    "Complain",
    "Nothing",
    "Pressed",
    "Resume",
    "Send",
    "Situation",
    "route",
    "route_interrupt",
    "route_stop",
]

USER = "user"
# What holds the next input too: that ends when the user says so.
LASTING = (HoldReason.USER, HoldReason.BUDGET)
# Whose follow-ups are lines for the shell itself, which wait in their place like any other.
PROMPT_SENDER = "prompt command"

# A path or a lone slash is no command: those begin with one plain word.
_COMMAND = re.compile(r"/([A-Za-z][A-Za-z0-9-]*)(?:[ \t]+(.*))?[ \t]*\Z", re.DOTALL)
# What other shells call a command.
_ELSEWHERE = {"quit": [Verb.EXIT], "q": [Verb.EXIT]}
# So much of a name is compared with those that there are.
_COMPARED = 40
# What answers a tool, also while the shell only finishes its queue.
_ANSWER = re.compile(r"/(?:allow|deny)\b", re.IGNORECASE)


@frozen
class Situation:
    """What the meaning of an input depends on.

    `busy` is the lane that Enter means while a turn runs; `hold` is why no turn
    starts; `waiting` counts the follow-ups that wait; `cut_off` says that the next of
    them was cut off, `failed` that the last turn was not answered; `attached` is the
    process that owns the session, if not this one; `asked` says that a tool asks for
    something. `custom` gives the text that a command of the user's own stands for, by
    its name and argument, if there is one; it may raise `Unreadable`.
    """

    running: bool = False
    stopping: bool = False
    hold: HoldReason | None = None
    waiting: int = 0
    leaving: bool = False
    busy: Lane = Lane.QUEUE
    cut_off: bool = False
    failed: bool = False
    attached: int | None = None
    asked: bool = False
    custom: Callable[[str, str], str | None] = lambda _name, _argument: None


@frozen
class Send:
    """Submit `text` in `lane`; with `release`, end the hold first.

    `typed` is what the user typed where that is not the text: a command of their own.
    """

    text: str
    lane: Lane
    release: bool = False
    sender: str = USER
    typed: str | None = None

    @property
    def mentions(self) -> str:
        """Where files may be mentioned: in what the user typed for a model."""
        said = self.text if self.typed is None else self.typed
        return said if self.sender == USER and "@" in said else ""


@frozen
class Call:
    """Carry out a command, on the waiting input `number` and a `place` if it is about those."""

    verb: Verb
    number: int = 0
    text: str = ""
    place: int = 0


@frozen
class Resume:
    """End the hold."""


@frozen
class Complain:
    """Say why nothing was done; the draft stays."""

    text: str


@frozen
class Nothing:
    """There is nothing to do."""


Action = Send | Call | Resume | Complain | Nothing


class Pressed(enum.Enum):
    """What a Ctrl-C or an Esc does."""

    CLEAR_DRAFT = enum.auto()
    INTERRUPT = enum.auto()
    WARN = enum.auto()
    LEAVE = enum.auto()
    NOTHING = enum.auto()


def route(text: str, situation: Situation, lane: Lane | None = None) -> Action:
    """What Enter means on a draft `text`; what a key that asks for `lane` means, if given."""
    if not text.strip():
        held = situation.hold is not None and not situation.leaving
        return Resume() if held else Nothing()
    if situation.leaving and not (situation.asked and _ANSWER.match(text)):
        return Complain("leaving: no more input is taken")
    if text[0] == "!":
        return _shell_line(text, situation)
    if (match := _COMMAND.match(text)) is not None:
        action = _command(match[1].lower(), (match[2] or "").strip(), text, situation, lane)
        if action is not None:
            return action
    return _send(text, situation, lane)


def route_interrupt(draft: str, situation: Situation, warned: bool) -> Pressed:
    """What Ctrl-C means; `warned` where the one before said that the next leaves."""
    if draft and not situation.leaving:
        return Pressed.CLEAR_DRAFT
    if situation.leaving or warned:
        return Pressed.LEAVE
    ours = situation.attached is None
    return Pressed.INTERRUPT if situation.running and ours else Pressed.WARN


def route_stop(situation: Situation) -> Pressed:
    """What Esc means: it stops the turn, leaves the draft alone, and never ends the shell."""
    ours = situation.attached is None
    return Pressed.INTERRUPT if situation.running and ours else Pressed.NOTHING


def _send(text: str, situation: Situation, lane: Lane | None, sender: str = USER) -> Send:
    # Any other hold, with nothing behind it, protects nothing: the next input must not
    # stick to it.
    release = situation.hold not in (None, *LASTING) and situation.waiting == 0
    # Whether the owner's turn runs is seen by the owner alone; where none does, no
    # lane means anything.
    busy = situation.running or situation.stopping or situation.attached is not None
    return Send(text, (lane or situation.busy) if busy else Lane.QUEUE, release, sender)


def _shell_line(text: str, situation: Situation) -> Action:
    if not text.lstrip("!").strip():
        return Complain("! stands before a command for your shell, as in !ls")
    if situation.attached is not None:
        return Complain(
            f"! works only in process {situation.attached}, which owns this; "
            "a space before it sends the line as it is"
        )
    return _send(text, situation, Lane.QUEUE, PROMPT_SENDER)


def _command(
    name: str, argument: str, text: str, situation: Situation, lane: Lane | None
) -> Action | None:
    """What a line means that may be a command; `None` if it is a text."""
    command = next((command for command in COMMANDS if command.verb == name), None)
    if command is None:
        try:
            custom = situation.custom(name, argument)
        except Unreadable as error:
            return Complain(f"the file of /{name} {error}")
        if custom is not None:
            return replace(_send(custom, situation, lane), typed=text)
    # Several lines make a command only where it takes a text.
    if "\n" in text and (command is None or not _SHAPES[command.verb].groupindex.get("text")):
        return None
    if command is None:
        return Complain(
            f"there is no command /{name}{_nearest(name)}: see /help, or put a space before it "
            "to send it"
        )
    if (problem := _problem(command, situation)) is not None:
        return Complain(problem)
    call = _called(command, argument)
    if isinstance(call, Call) and command.queued:
        return _send(text, situation, Lane.QUEUE, PROMPT_SENDER)
    return call


def _nearest(name: str) -> str:
    """Advice, where one of the commands is near."""
    import difflib  # only for who has erred

    near = _ELSEWHERE.get(name) or difflib.get_close_matches(
        name[:_COMPARED], [str(one.verb) for one in COMMANDS], 1
    )
    return f"; did you mean /{near[0]}?" if near else ""


def _problem(command: Command, situation: Situation) -> str | None:
    """Why the command can't be carried out here and now, if it can't."""
    verb, cut_off = command.verb, situation.cut_off
    if situation.attached is not None and (command.owners or command.queued):
        return f"/{verb} works only in process {situation.attached}, which owns this"
    if verb is Verb.SKIP and not cut_off:
        return "/skip is for a turn that was cut off, and there is none"
    if verb in (Verb.ALLOW, Verb.DENY) and not situation.asked:
        return f"/{verb} answers a tool that asks, and none does"
    if verb is Verb.RETRY and not (cut_off or situation.failed):
        return "/retry is for a turn that was cut off or not answered, and there is none"
    return None


def _called(command: Command, argument: str) -> Call | Complain:
    """The call, with what the command takes read from `argument`."""
    match = _SHAPES[command.verb].fullmatch(argument)
    if match is None:
        shape = f"/{command.verb} {command.takes}"
        if not command.takes:
            return Complain(f"/{command.verb} stands alone: it takes nothing behind it")
        hint = "/queue shows the numbers" if command.takes.startswith("N") else command.help
        return Complain(f"it is {shape}: {hint}")
    found = {name: value for name, value in match.groupdict().items() if value}
    number, place = int(found.get("number", 0)), int(found.get("place", 0))
    return Call(command.verb, number, found.get("text", ""), place)


def _shape(takes: str) -> re.Pattern[str]:
    """What may stand behind a command that takes this."""
    shape = ""
    for part in takes.split():
        blank = r"\s+" if shape else ""
        one = blank + _PARTS.get(part.strip("[]"), r"(?P<text>\S.*)")
        shape += f"(?:{one})?" if part.startswith("[") else one
    return re.compile(shape, re.DOTALL)


_PARTS = {
    "N": r"(?P<number>\d{1,9})",
    "PLACE": r"(?P<place>\d{1,9})",
    "HOW": r"(?P<text>once|session|always)",
}
_SHAPES = {command.verb: _shape(command.takes) for command in COMMANDS}
