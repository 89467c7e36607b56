"""What the command line asks for, once it has been read and checked."""

from __future__ import annotations

import enum
from dataclasses import field

from agent_shell import Budget, Lane
from agent_shell.records import record
from agent_shell_cli.config import Places, Settings

__all__ = ["ChatOptions", "InputForm", "OnFailed", "OnInterrupted", "OutputForm", "StressOptions"]


class OnFailed(enum.StrEnum):
    """What a failed turn does to the queue behind it."""

    HOLD = "hold"
    CONTINUE = "continue"
    STOP = "stop"


class InputForm(enum.StrEnum):
    """How scripted input is cut into follow-ups."""

    LINES = "lines"
    TEXT = "text"
    JSONL = "jsonl"


class OutputForm(enum.StrEnum):
    """What scripted mode writes to standard output."""

    TEXT = "text"
    JSON = "json"
    STREAM_JSON = "stream-json"


class OnInterrupted(enum.StrEnum):
    """What to do with a turn that a crash cut off."""

    ASK = "ask"
    RETRY = "retry"
    SKIP = "skip"


@record
class ChatOptions:
    """Of `agent-shell chat`.

    `on_failure`, `interrupted` and `approve` are `None` where the mode decides; `journal` is
    what `--journal` names, `None` for the default file; `session` is a key, "" for a new
    session; `settings` are those of the configuration, under what the command line says;
    `places` has the folders of custom commands, `None` for none.
    """

    prompt: str | None
    model: str
    session: str
    busy: Lane
    on_failure: OnFailed | None
    input: InputForm
    output: OutputForm
    journal: str | None
    color: bool | None
    debug: bool
    interrupted: OnInterrupted | None = None
    settings: Settings = field(default_factory=Settings)
    places: Places | None = None
    approve: str | None = None
    budget: Budget = field(default_factory=Budget)


@record
class StressOptions:
    """Of `agent-shell stress`."""

    n: int
    sessions: int
    journal: str | None
    producers: int
    queue_limit: int | None
    chaos: bool
    seed: int | None
    json: bool
    color: bool | None
    debug: bool
    compare: bool = False
    report: str | None = None
