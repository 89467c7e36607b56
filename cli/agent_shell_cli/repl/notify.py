"""What is written to the terminal when a long turn ends, or asks: so one can look away."""

from __future__ import annotations

from collections.abc import Mapping

from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.terminal import through_tmux

__all__ = ["notification"]

_LONGEST = 60
# Terminals that show a notification for OSC 777, as rxvt does; the others that do take OSC 9.
_AS_RXVT = ("rxvt", "foot", "ghostty")


def notification(
    question: str,
    seconds: float,
    *,
    after_s: float,
    bell: bool,
    desktop: bool,
    env: Mapping[str, str],
    what: str = "answered",
) -> str:
    """What to write when the turn on `question` has ended after `seconds`; "" for nothing.

    `what` is what has happened, where it is not its end.
    """
    if seconds < after_s:
        return ""
    said = ""
    if desktop and env.get("TERM", "dumb") != "dumb":
        # A semicolon would end a field of the sequence.
        about = printable_line(question, _LONGEST).replace(";", ",")
        rxvt = any(
            name in f"{env.get('TERM', '')} {env.get('TERM_PROGRAM', '')}" for name in _AS_RXVT
        )
        body = f"777;notify;agent-shell;{what}: {about}" if rxvt else f"9;{what}: {about}"
        said = through_tmux(f"\x1b]{body}\x1b\\", env)
    return f"{said}\a" if bell else said
