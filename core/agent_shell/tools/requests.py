"""What is asked about a file, a command and a URL, and the patterns that allow it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from agent_shell.tools.approval import ApprovalRequest, Need
from agent_shell.tools.workspace import Place

__all__ = ["about_command", "about_file", "about_url"]

_VERBS = {Need.READ: "read", Need.WRITE: "write"}


def about_file(tool: str, need: Need, place: Place, diff: str = "") -> ApprovalRequest:
    """Reading or writing a file. What may hold secrets is allowed by its own name alone."""
    name = place.name
    writes = need is Need.WRITE
    sensitive = place.secret or (writes and place.running)
    # A name that reads as the pattern of its folder stands for nothing by itself.
    exact = "" if place.parts[-1:] == ("*",) else f"{_VERBS[need]} {name}"
    # Around the project a folder has too much of the user's for one answer to reach it all.
    alone = sensitive or (writes and place.outside)
    wider = () if alone else tuple(f"{_VERBS[need]} {one}" for one in _folders(place))
    return ApprovalRequest(
        tool,
        need,
        name,
        patterns=tuple(filter(None, (exact, *wider))),
        pattern=wider[0] if len(wider) > 1 or (wider and place.outside) else exact,
        diff=diff,
        note="; ".join(_notes(place, writes=writes)),
        outside=place.outside,
        sensitive=sensitive,
    )


def _folders(place: Place) -> Iterator[str]:
    """The folders above, the nearest first, as they stand in patterns."""
    start = "/" if place.outside else ""
    for count in range(len(place.parts) - 1, 0, -1):
        yield start + "/".join(place.parts[:count]) + "/*"
    if not place.outside:
        yield "*"


def _notes(place: Place, *, writes: bool) -> Iterator[str]:
    if place.outside:
        yield "outside the project"
    if place.secret:
        yield "may hold secrets"
    if writes and place.running:
        yield "what is there is run or heeded later"


# Of a command line with any of these a prefix says nothing about what it does.
_SHELL_SIGNS = re.compile(r"[;&|<>()$`\\\n\r{}!#~*?\[\]\0]")
_WORD = re.compile(r"[a-z][a-z0-9:-]*")
# What they are given is a program: its first words say nothing about what it does.
_RUNNERS = re.compile(
    r"(.*/)?(sh|bash|zsh|dash|ash|fish|ksh|csh|tcsh|env|sudo|doas|su|pkexec|xargs|parallel|find|"
    r"nohup|nice|ionice|chrt|taskset|stdbuf|setsid|setarch|unshare|nsenter|chroot|flock|script|"
    r"strace|ltrace|gdb|time|timeout|watch|coproc|trap|"
    r"ssh|eval|exec|source|\.|command|builtin|busybox|docker|podman|npx|bunx|pnpx|uvx|"
    r"(python|pypy|perl|ruby|node|deno|bun|lua|php|R|Rscript)[\d.]*)"
)


# Words of a program by which it runs what comes behind them.
_RUN_WORDS = re.compile(
    r"exec|run|x|dlx|eval|shell|foreach|submodule|bisect|rebase|grep|filter-branch"
)


def about_command(tool: str, command: str, kind: str, note: str = "") -> ApprovalRequest:
    """Running a command line. `kind` is the pattern's first word: how it is confined."""
    words = _words(command)
    # A line that reads as the pattern of a start (`rm *`) can only be allowed once.
    exact = "" if command.endswith(" *") else f"{kind} {command}"
    starts = [f"{kind} {' '.join(words[:n])} *" for n in range(len(words), 0, -1)]
    pattern = exact
    if len(words) > 1 and _is_tame(words[0], words[1]):
        pattern = f"{kind} {words[0]} {words[1]} *"
    return ApprovalRequest(
        tool,
        Need.RUN,
        command,
        patterns=(exact, *starts) if exact else (),
        pattern=pattern,
        note=note,
    )


def _is_tame(program: str, word: str) -> bool:
    """Whether the two say what is done, whatever comes behind them."""
    if _RUNNERS.fullmatch(program) or _RUN_WORDS.fullmatch(word):
        return False
    return _WORD.fullmatch(word) is not None


def _words(command: str) -> list[str]:
    """The words of a plain command; none where it is more than a program and its arguments."""
    if _SHELL_SIGNS.search(command):
        return []
    try:
        words = shlex.split(command)
    except ValueError:  # a quote without its end
        return []
    # A setting before the program has something else run than it says.
    plain = words and "=" not in words[0] and all(word.strip() == word for word in words)
    return words if plain else []


def about_url(
    tool: str,
    url: str,
    origin: str,
    *,
    kind: str = "fetch",
    note: str = "",
    sensitive: bool = False,
) -> ApprovalRequest:
    """Getting a URL; `origin` is its scheme and host. A private address is allowed alone.

    `kind` is the pattern's first word: by which way it is reached.
    """
    exact, wide = f"{kind} {url}", f"{kind} {origin}/*"
    return ApprovalRequest(
        tool,
        Need.NETWORK,
        url,
        patterns=(exact,) if sensitive else (exact, wide),
        pattern=exact if sensitive else wide,
        note=note,
        sensitive=sensitive,
    )
