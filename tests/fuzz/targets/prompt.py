"""The prompt: what a draft means, and the file with the inputs of earlier shells."""

from __future__ import annotations

import tempfile
from pathlib import Path

from agent_shell import HoldReason, Lane
from agent_shell_cli import verbs
from agent_shell_cli.repl import history, router
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.history import InputHistory
from agent_shell_cli.repl.router import (
    USER,
    Complain,
    Nothing,
    Resume,
    Send,
    Situation,
    route,
    route_interrupt,
)
from fuzz.target import MEMORY, Take, Target

__all__ = ["HISTORY", "ROUTER"]

# What the user's own command stands for.
_CUSTOM = "as I always say: "
_HOLDS = (None, *HoldReason)


def _route(data: bytes) -> None:
    take = Take(data)
    flags = take.byte()
    situation = Situation(
        running=bool(flags & 1),
        stopping=bool(flags & 2),
        leaving=bool(flags & 4),
        cut_off=bool(flags & 8),
        failed=bool(flags & 16),
        attached=4711 if flags & 32 else None,
        hold=take.one_of(_HOLDS),
        waiting=take.byte(),
        busy=take.one_of(tuple(Lane)),
        custom=_custom,
    )
    lane = take.one_of((None, *Lane))
    text = take.text()
    action = route(text, situation, lane)
    assert route(text, situation, lane) == action, "two meanings"
    route_interrupt(text, situation, bool(flags & 64))
    is_plain = text[:1] not in ("/", "!")
    if isinstance(action, Send):
        assert action.text == text or action.text.startswith(_CUSTOM), "not what was typed"
        assert not situation.leaving
        assert action.sender == USER or not is_plain, "a text is taken for a command"
    elif isinstance(action, Complain):
        assert action.text.strip()
        assert situation.leaving or not is_plain, f"a text is not sent: {action.text}"
    elif isinstance(action, Nothing | Resume):
        assert not text.strip(), "a draft is dropped in silence"
    else:
        assert text.startswith("/"), "what is no command does something"
        assert not situation.leaving
        assert action.text in text, "the command has another text than was typed"


def _custom(name: str, argument: str) -> str | None:
    return f"{_CUSTOM}{argument}" if name == "mine" else None


def _history(data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        file = Path(folder, "history")
        file.write_bytes(data)
        said: list[str] = []

        def kept() -> InputHistory:
            return InputHistory(lambda: Path(folder), Folds(3, 0), said.append)

        before = list(kept().load_history_strings())
        assert all(isinstance(text, str) for text in before)
        kept().store_string(text := Take(data).text())
        after = list(kept().load_history_strings())
        assert after == [text, *before], "a record spoiled another"
        assert said == []


ROUTER = Target(
    "router",
    _route,
    [router],
    seeds=[
        b"\0\0\0\0\0hello",
        b"\0\0\0\0\0!ls",
        b"\0\0\0\0\0/mine x",
        *(b"\x18\0\1\0\0/" + f"{c.verb} {c.takes}".encode() for c in verbs.COMMANDS),
        *(b"\0\0\1\0\0/" + f"{c.verb} 1 2".encode() for c in verbs.COMMANDS),
    ],
    tokens=[
        b"/",
        b" ",
        b"\n",
        b"\t",
        b" 2 ",
        b"\xc2\xb2",
        b"\xd9\xa1",
        b"\xe2\x80\xa8",
        b"\xa0",
        b"!",
    ],
)
HISTORY = Target(
    "history",
    _history,
    [history],
    seeds=[b'\n"one"\n"two\\nlines"', b'\n"cut \xff\n{"an": 1}\n[[[["\n"\\ud800"'],
    tokens=[b"\n", b'"', b"\r", b"\\u", b"\x85", b"\x1c", b"[" * 64, b"[" * 512, b"9" * 99],
    limit=1 << 14,
)
