"""The commands and the keys of the live prompt, for all that shows or obeys them.

`/help`, `chat --help`, the bindings, the router and the README's tables read these.

A key means one thing while a draft is written, another while one of the waiting
inputs is chosen, and another while that is edited in its place.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from agent_shell.records import frozen

__all__ = [
    "COMMANDS",
    "KEYS",
    "Act",
    "Command",
    "Key",
    "Mode",
    "Verb",
    "help_text",
    "key_of",
    "keys_text",
    "tables_for_readme",
]


class Verb(enum.StrEnum):
    """The commands, by what they do."""

    HELP = "help"
    KEYS = "keys"
    QUEUE = "queue"
    EDIT = "edit"
    DROP = "drop"
    MOVE = "move"
    NEXT = "next"
    STEER = "steer"
    INTERRUPT = "interrupt"
    UNDO = "undo"
    CLEAR = "clear"
    HOLD = "hold"
    RESUME = "resume"
    RETRY = "retry"
    SKIP = "skip"
    ALLOW = "allow"
    DENY = "deny"
    TOOLS = "tools"
    BTW = "btw"
    MODEL = "model"
    COMPACT = "compact"
    RAW = "raw"
    COPY = "copy"
    EXPORT = "export"
    FORK = "fork"
    SESSIONS = "sessions"
    COST = "cost"
    CONFIG = "config"
    EXIT = "exit"


@frozen
class Command:
    """One line of `/help`; `takes` is what stands behind it, if anything does.

    `N` is the number of an input, `PLACE` a position in the queue, any other word the
    rest of the line; in brackets it may be left out. What changes the queue is for its `owners`
    alone. One that is `queued` waits in its place, as an input does.
    """

    verb: Verb
    help: str
    takes: str = ""
    owners: bool = False
    queued: bool = False


COMMANDS = (
    Command(Verb.HELP, "show this"),
    Command(Verb.KEYS, "show the keys alone"),
    Command(Verb.QUEUE, "list what waits"),
    Command(
        Verb.EDIT, "edit the waiting input N, or give it another text", "N [TEXT]", owners=True
    ),
    Command(Verb.DROP, "withdraw the waiting input N", "N", owners=True),
    Command(Verb.MOVE, "have the waiting input N run at PLACE (1 is next)", "N PLACE", owners=True),
    Command(Verb.NEXT, "have the waiting input N run next", "N", owners=True),
    Command(Verb.STEER, "give the waiting input N to the running turn", "N", owners=True),
    Command(Verb.INTERRUPT, "stop the running turn and run N instead", "N", owners=True),
    Command(Verb.UNDO, "take back the last change of the queue", owners=True),
    Command(Verb.CLEAR, "withdraw everything that waits; the running turn goes on", owners=True),
    Command(Verb.HOLD, "let the running turn end and start no other", owners=True),
    Command(Verb.RESUME, "go on with what waits (an empty Enter does the same)", owners=True),
    Command(Verb.RETRY, "run the turn again that was cut off or has failed", owners=True),
    Command(Verb.SKIP, "drop the turn that was cut off", owners=True),
    Command(Verb.ALLOW, "let a tool do it; HOW is once, session or always", "[HOW]", owners=True),
    Command(Verb.DENY, "keep it from that; the model is told the reason", "[REASON]", owners=True),
    Command(Verb.TOOLS, "list the tools, and what they may do without a question"),
    Command(Verb.BTW, "ask beside the running turn, without a trace in the session", "QUESTION"),
    Command(Verb.MODEL, "what answers; with a name, another from here on", "[NAME]", queued=True),
    Command(Verb.COMPACT, "whether older turns are told as a summary; on or off", "[HOW]"),
    Command(Verb.RAW, "show answers as they are written, or as Markdown again"),
    Command(Verb.COPY, "put an answer on the clipboard, by default the last", "[N]"),
    Command(Verb.EXPORT, "write the session to a file: .md, .html or .json", "[FILE]"),
    Command(Verb.FORK, "copy the session, to go on there later", "[KEY]"),
    Command(Verb.SESSIONS, "list the sessions; with a key, show that one", "[KEY]"),
    Command(Verb.COST, "what the session has used"),
    Command(Verb.CONFIG, "show the configuration and where it comes from"),
    Command(Verb.EXIT, "leave when the queue is done, or is held"),
)


class Mode(enum.Enum):
    """What the keys are about: the draft, the input that is chosen, or the one being edited."""

    WRITING = enum.auto()
    CHOOSING = enum.auto()
    EDITING = enum.auto()


class Act(enum.Enum):
    """What a key does."""

    SEND = enum.auto()
    SEND_STEER = enum.auto()
    NEW_LINE = enum.auto()
    EDITOR = enum.auto()
    COMPLETE = enum.auto()
    CANCEL = enum.auto()  # Ctrl-C: the draft, then the turn, then the shell
    STOP = enum.auto()
    END = enum.auto()
    UP = enum.auto()
    DOWN = enum.auto()
    LEAVE = enum.auto()
    EDIT = enum.auto()
    SAVE = enum.auto()
    GIVE_UP = enum.auto()
    DROP = enum.auto()
    MOVE_UP = enum.auto()
    MOVE_DOWN = enum.auto()
    NEXT = enum.auto()
    STEER = enum.auto()
    INTERRUPT = enum.auto()
    UNDO = enum.auto()
    ALLOW_ONCE = enum.auto()
    ALLOW_SESSION = enum.auto()
    ALLOW_ALWAYS = enum.auto()
    DENY = enum.auto()


@frozen
class Key:
    """One key, or several that do the same: how it is called, what it does in each mode.

    `presses` are prompt_toolkit's names, in sequence; without any, the key is
    prompt_toolkit's own. Where a mode has no act, it keeps the meaning it has there.
    """

    label: str
    help: str
    presses: tuple[tuple[str, ...], ...] = ()
    writing: Act | None = None
    choosing: Act | None = None
    editing: Act | None = None

    def act(self, mode: Mode) -> Act | None:
        """What it does in `mode`."""
        return {
            Mode.WRITING: self.writing,
            Mode.CHOOSING: self.choosing,
            Mode.EDITING: self.editing,
        }[mode]


def _answer(label: str, help: str, second: str, act: Act) -> Key:
    """A key that answers a tool's question, whatever else the keys are about.

    A chord of two control keys: no text, no lone Esc with a letter behind it and no
    command of vi comes in as that, so nothing that is typed can be taken for an answer.
    """
    return Key(label, help, (("c-x", second),), act, act, act)


KEYS = (
    Key(
        "Enter",
        "send, or wait in line; empty: go on; on a choice: edit",
        (("enter",),),
        Act.SEND,
        Act.EDIT,
        Act.SAVE,
    ),
    Key(
        "Alt+Enter, Ctrl+J",
        "a new line; a paste keeps its lines, a long one is folded",
        (("escape", "enter"), ("c-j",)),
        Act.NEW_LINE,
        Act.NEW_LINE,
        Act.NEW_LINE,
    ),
    Key(
        "Ctrl+S",
        "give the input, or the chosen one, to the running turn",
        (("c-s",),),
        Act.SEND_STEER,
        Act.STEER,
    ),
    Key(
        "Esc",
        "interrupt the turn and hold the queue; leave a choice",
        (("escape",),),
        Act.STOP,
        Act.LEAVE,
        Act.GIVE_UP,
    ),
    Key(
        "Ctrl+C",
        "clear the input; else interrupt; else, twice, leave",
        (("c-c",), ("<sigint>",)),
        Act.CANCEL,
        Act.LEAVE,
        Act.GIVE_UP,
    ),
    Key("Ctrl+D", "with no input: leave when the queue is done", (("c-d",),), Act.END, Act.END),
    Key(
        "Alt+Up, Alt+Down",
        "choose one of the inputs that wait",
        (("escape", "up"),),
        Act.UP,
        Act.UP,
    ),
    Key("", "", (("escape", "down"),), Act.DOWN, Act.DOWN),
    Key(
        "Delete, Alt+D", "withdraw the chosen input", (("delete",), ("escape", "d")), None, Act.DROP
    ),
    Key("Ctrl+Up, Ctrl+Down", "move the chosen input", (("c-up",),), None, Act.MOVE_UP),
    Key("", "", (("c-down",),), None, Act.MOVE_DOWN),
    Key("Alt+N", "run the chosen input next", (("escape", "n"),), None, Act.NEXT),
    Key(
        "Alt+I", "interrupt the turn with the chosen input", (("escape", "i"),), None, Act.INTERRUPT
    ),
    Key("Alt+Z", "take back the last change of the queue", (("escape", "z"),), Act.UNDO, Act.UNDO),
    _answer("Ctrl+X Ctrl+Y", "a tool asks: yes, this once", "c-y", Act.ALLOW_ONCE),
    _answer("Ctrl+X Ctrl+T", "yes, and the like in this session", "c-t", Act.ALLOW_SESSION),
    _answer("Ctrl+X Ctrl+P", "yes, and the like always, in this folder", "c-p", Act.ALLOW_ALWAYS),
    _answer("Ctrl+X Ctrl+N", "no", "c-n", Act.DENY),
    Key("Up, Down, Ctrl+R", "earlier inputs; search them"),
    Key(
        "Tab",
        "complete a command, what it takes, or a file after @",
        (("tab",),),
        Act.COMPLETE,
        None,
        Act.COMPLETE,
    ),
    Key(
        "Ctrl+X Ctrl+E",
        "write the input in $EDITOR",
        (("c-x", "c-e"),),
        Act.EDITOR,
        None,
        Act.EDITOR,
    ),
    Key("Ctrl+Z", "suspend the shell"),
)


def key_of(act: Act) -> str:
    """How the key is called that does this while a draft is written."""
    return next(key.label for key in KEYS if key.writing is act)


def help_text(custom: Sequence[tuple[str, str]] = ()) -> str:
    """The commands and the keys, one a line; `custom` are names and meanings of further ones."""
    own = ["", _table([(f"/{name}", what) for name, what in custom])] if custom else []
    return "\n".join(
        [
            _table(_command_rows()),
            *own,
            "",
            keys_text(),
            "",
            "A space before a slash or an exclamation mark sends the line as it is.",
        ]
    )


def tables_for_readme() -> str:
    """The keys and the commands as two tables in Markdown."""
    keys = [(f"{key.label}", key.help) for key in KEYS if key.label]
    commands = [(f"`{name}`", what) for name, what in _command_rows()]
    return f"{_markdown('key', keys)}\n\n{_markdown('command', commands)}"


def _markdown(head: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {name} | {what} |" for name, what in rows]
    return "\n".join([f"| {head} | what it does |", "| --- | --- |", *lines])


def _command_rows() -> list[tuple[str, str]]:
    rows = [(f"/{command.verb} {command.takes}".rstrip(), command.help) for command in COMMANDS]
    return [*rows, ("!COMMAND", "run it in your shell, in its place; !! keeps it to you")]


def keys_text() -> str:
    """The keys, one a line."""
    return _table([(key.label, key.help) for key in KEYS if key.label])


def _table(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {what}" for name, what in rows)
