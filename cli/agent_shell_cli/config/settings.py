"""The table of all keys: `Settings`, one field a key.

Types, choices, defaults, documentation and what a project may set are said here
and nowhere else; checking, `agent-shell config`, `/config` and the documentation
are made from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any, cast

from agent_shell.agents.provider.table import PROVIDERS
from agent_shell.records import frozen
from agent_shell_cli.config.palettes import COLORS, STYLE_FORM, is_style

__all__ = ["KEYS", "STATUS_PARTS", "Key", "Kind", "Settings", "is_amount"]

STATUS_PARTS = ("model", "queue", "context", "tokens", "cost", "elapsed", "session", "folder")


@frozen
class Kind:
    """What a value may be: in words, and as a check.

    `options` are the words to choose from. With `entries` the value is a table
    that may have these, each of which is to fit. `fault` says more than `form` does: the
    full name of what does not fit, and what is wrong with it. `shown` is what people see.
    """

    form: str
    fits: Callable[[Any], bool]
    options: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    fault: Callable[[Any], tuple[str, str] | None] | None = None
    shown: Callable[[Any], Any] = lambda value: value


@frozen
class Key:
    """One key. `project` is what a project may set, where that is not everything."""

    name: str
    kind: Kind
    default: Any
    doc: str
    project: Kind | None = None


def _one_of(*options: str) -> Kind:
    return Kind(f"one of {', '.join(options)}", lambda value: value in options, options)


def _some_of(*options: str) -> Kind:
    def fits(value: Any) -> bool:
        chosen = _items(value) if isinstance(value, list) else [None]
        return all(chosen.count(one) == 1 and one in options for one in chosen)

    return Kind(f"a list of some of {', '.join(options)}, each once", fits, options)


def _items(values: Any) -> list[Any]:
    return list(values)


def _number(low: int, high: int) -> Kind:
    def fits(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    return Kind(f"a whole number from {low:,} to {high:,}", fits)


def is_amount(value: Any) -> bool:
    """Whether it is a number above 0, and no more than a number can be."""
    return type(value) in (int, float) and 0 < value < math.inf


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _servers_fault(value: Any) -> tuple[str, str] | None:
    # Imported here: only who has such a server needs it.
    from agent_shell.tools.mcp_config import mcp_configs

    if not isinstance(value, dict):
        return "mcp", "must be tables, each written as [mcp.NAME]"
    try:
        mcp_configs(cast("dict[str, Any]", value))
    except ValueError as error:
        where, _, what = str(error).partition(": ")
        return where, what
    return None


def _reached(servers: Mapping[str, Any]) -> dict[str, str]:
    """How each is reached, without what may be secret."""
    return {name: one.get("command") or one.get("url", "") for name, one in servers.items()}


_SERVERS = Kind(
    "tables `[mcp.NAME]` with `command`, `args` and `env`, or `url` and `headers`",
    lambda value: _servers_fault(value) is None,
    fault=_servers_fault,
    shown=_reached,
)
_FLAG = Kind("true or false", lambda value: isinstance(value, bool))
_AMOUNT = Kind("a number above 0", is_amount)
_TEXT = Kind("a text", _is_text)
_PATH = Kind('a file, or "memory"', _is_text)
_STYLES = Kind(STYLE_FORM, lambda value: isinstance(value, str) and is_style(value), (), COLORS)
_URLS = Kind(
    "a URL (http:// or https://)",
    lambda value: isinstance(value, str) and re.fullmatch(r"https?://\S+", value) is not None,
    (),
    tuple(PROVIDERS),
)

# A project's file comes with a clone, from people whom nobody has asked yet: it
# may run no program, send nothing elsewhere and keep nothing back.
_NEVER = Kind("no", lambda _: False)
_STRICTEST = Kind("read-only", lambda value: value == "read-only")
_PLAIN_MODEL = re.compile(r"(?!acp:)[a-z][a-z0-9./-]*(:(?!.*//)[A-Za-z0-9][\w.:/@-]*)?")
_OWN_MODELS = Kind(
    "yes, but no acp: and no URL",
    lambda value: isinstance(value, str) and _PLAIN_MODEL.fullmatch(value) is not None,
)


def _about(kind: Kind, doc: str, project: Kind | None = None) -> dict[str, Any]:
    return {"kind": kind, "doc": doc, "project": project}


@frozen
class Settings:
    """The value of every key; by default, its default."""

    model: str = field(
        default="embedded",
        metadata=_about(_TEXT, "The model, as --model names it.", _OWN_MODELS),
    )
    base_urls: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata=_about(
            _URLS, "A table of the servers of providers, where they are not the usual ones.", _NEVER
        ),
    )
    window: int | None = field(
        default=None,
        metadata=_about(
            _number(1_000, 1_000_000_000),
            "How many tokens a provider's model reads at once, where that is not known of it.",
        ),
    )
    compact: bool = field(
        default=True,
        metadata=_about(
            _FLAG,
            "Tell a provider's model a summary of older turns when its window is nearly full. "
            "The session keeps them; false has them told again.",
        ),
    )
    busy: str = field(
        default="queue",
        metadata=_about(
            _one_of("queue", "steer", "interrupt"),
            "What Enter means in the live prompt while a turn runs.",
        ),
    )
    on_failure: str = field(
        default="hold",
        metadata=_about(
            _one_of("hold", "continue", "stop"),
            "What a failed turn does to the queue in the live prompt.",
        ),
    )
    interrupted: str = field(
        default="ask",
        metadata=_about(
            _one_of("ask", "retry", "skip"),
            "What the live prompt does with a turn that a crash cut off.",
            _NEVER,
        ),
    )
    approve: str = field(
        default="ask",
        metadata=_about(
            _one_of("ask", "read-only", "all"),
            "What tools may do without a question in the live prompt, as --approve names it.",
            _STRICTEST,
        ),
    )
    max_cost: float | None = field(
        default=None,
        metadata=_about(_AMOUNT, "US dollars that a session may cost before it holds.", _NEVER),
    )
    max_turns: int | None = field(
        default=None,
        metadata=_about(
            _number(1, 1_000_000_000), "Turns that a session may run before it holds.", _NEVER
        ),
    )
    max_tokens: int | None = field(
        default=None,
        metadata=_about(
            _number(1, 1_000_000_000_000),
            "Tokens, read and written, that a session may use before it holds.",
            _NEVER,
        ),
    )
    journal: str | None = field(
        default=None,
        metadata=_about(
            _PATH,
            "Where sessions are kept, from the folder of the configuration file on; "
            "by default in the user-data folder.",
            _NEVER,
        ),
    )
    history: bool = field(
        default=True,
        metadata=_about(_FLAG, "Keep what was typed for the next shell.", _NEVER),
    )
    color: str = field(
        default="auto",
        metadata=_about(
            _one_of("auto", "always", "never"),
            "Colour; auto: on a terminal. NO_COLOR in the environment means never.",
        ),
    )
    theme: str = field(
        default="auto",
        metadata=_about(
            _one_of("auto", "light", "dark", "none"),
            "The colours for a light or dark background; auto: as COLORFGBG says, else "
            "colours that can be read on both. none: no colours.",
        ),
    )
    colors: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata=_about(
            _STYLES, f"A table of colours in place of the theme's: {', '.join(COLORS)}."
        ),
    )
    keys: str = field(
        default="emacs",
        metadata=_about(
            _one_of("emacs", "vi"),
            "The editing keys of the input line; its sign is turned round for vi's commands.",
        ),
    )
    editor: str | None = field(
        default=None,
        metadata=_about(
            _TEXT,
            "The program that Ctrl+X Ctrl+E opens the draft in; by default what VISUAL or "
            "EDITOR in the environment names.",
            _NEVER,
        ),
    )
    paste_fold_lines: int = field(
        default=10,
        metadata=_about(
            _number(0, 1_000_000),
            "A paste of more lines stands in the draft as one sign; it is sent whole. 0: never.",
        ),
    )
    paste_fold_characters: int = field(
        default=2000,
        metadata=_about(
            _number(0, 1_000_000), "A paste of more characters stands there so too. 0: never."
        ),
    )
    status: tuple[str, ...] = field(
        default=("model", "context", "cost"),
        metadata=_about(_some_of(*STATUS_PARTS), "The status line, from left to right."),
    )
    raw: bool = field(
        default=False,
        metadata=_about(
            _FLAG,
            "Write answers as the model wrote them, without line breaks or padding of ours.",
        ),
    )
    plain: bool = field(
        default=False,
        metadata=_about(_FLAG, "A line an event and nothing that moves, for screen readers."),
    )
    bell: bool = field(
        default=True,
        metadata=_about(_FLAG, "Ring the terminal's bell when a long turn ends, or asks."),
    )
    notify: bool = field(
        default=False,
        metadata=_about(_FLAG, "Show a desktop notification when a long turn ends, or asks."),
    )
    notify_after_s: int = field(
        default=30,
        metadata=_about(_number(0, 86_400), "How many seconds make a turn long."),
    )
    mcp: Mapping[str, Any] = field(
        default_factory=dict[str, Any],
        metadata=_about(
            _SERVERS,
            "MCP servers whose tools models may use, after a question. `$NAME` in `env` and "
            "`headers` is the environment's, so that no key need be here.",
            _NEVER,
        ),
    )


_DEFAULTS = Settings()
KEYS = tuple(
    Key(
        f.name,
        f.metadata["kind"],
        getattr(_DEFAULTS, f.name),
        f.metadata["doc"],
        f.metadata["project"],
    )
    for f in fields(Settings)
)
