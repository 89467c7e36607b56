"""The environment that a tool's program gets: ours without what opens doors."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["cleaned"]

_SECRET_WORDS = re.compile(
    r"(.*_)?(api_?keys?|keys?|tokens?|secrets?|passw(or)?d|pass(phrase)?|credentials?|auth|"
    r"authorization|cookie|dsn|pat|jwt|\w+(apikey|token|passw(or)?d))(_.*)?",
    re.IGNORECASE,
)
# What reaches other programs of the user's, or has a shell run something first.
_DROPPED = frozenset(
    ("BASH_ENV", "ENV", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "XAUTHORITY")
)
_SECRET_VALUES = re.compile(
    r"(sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|gh[opsur]_\w{20,}|github_pat_\w+|glpat-\S+|xox[a-z]-\S+|"
    r"AKIA[0-9A-Z]{12,}|AIza\S{20,}|eyJ[\w-]+\.eyJ\S+|[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@.*"
)
_SET = {"PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "TERM": "dumb"}


def cleaned(environment: Mapping[str, str]) -> dict[str, str]:
    """Without keys, tokens and passwords, by name or by look, and without a pager."""
    kept = {name: value for name, value in environment.items() if not _is_secret(name, value)}
    return kept | _SET


def _is_secret(name: str, value: str) -> bool:
    named = _SECRET_WORDS.fullmatch(name.replace("-", "_")) is not None
    return named or name in _DROPPED or _SECRET_VALUES.fullmatch(value) is not None
