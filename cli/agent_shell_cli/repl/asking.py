"""A tool's question as rows: pure, for a `Look` and a size.

The exact thing is shown, to the last character: where it does not fit above the
input, its beginning and its end stand there, and the whole of it further up.
"""

from __future__ import annotations

from agent_shell.tools import ApprovalRequest, Need
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.questions import Asked
from agent_shell_cli.repl.rows import Line, cut, rows, shown
from agent_shell_cli.tool_text import diff_style
from agent_shell_cli.verbs import Act, key_of

__all__ = [
    "as_lines",
    "as_note",
    "body",
    "elsewhere_rows",
    "how",
    "is_long",
    "question_rows",
    "whole",
]

# Rows of the exact thing and of its diff that stand above the input at most.
BODY_ROWS = 12
# What is committed of a change at most, in rows.
_WHOLE_ROWS = 2_000
# What another shell is told of a question, in characters, and shows of it, in rows.
_NOTE_CHARACTERS = 4_000
_ELSEWHERE_ROWS = 6
_INDENT = "  "

_ASKS = {
    Need.READ: "asks to read",
    Need.WRITE: "asks to change",
    Need.RUN: "asks to run",
    Need.NETWORK: "asks to reach",
}


def question_rows(asked: Asked, look: Look, width: int, room: int) -> list[Line]:
    """The question in at most `room` rows, if it has four or more of them."""
    head = _head(asked, width)
    hints = _hints(asked, width) if room > 4 + _least_hints(width) else _brief(asked, width)
    space = max(2, min(BODY_ROWS, room - len(head) - len(hints)))
    return [*head, *_folded(body(asked.request, width), asked.above, space, look, width), *hints]


def is_long(request: ApprovalRequest, width: int, height: int) -> bool:
    """Whether it does not fit above the input, in a terminal of that size."""
    return len(body(request, width)) > min(BODY_ROWS, max(2, height // 2 - 4))


def body(request: ApprovalRequest, width: int) -> list[Line]:
    """The exact thing, and what it would change."""
    lines: list[Line] = [("class:code", line) for line in _lines(request.subject)]
    if request.diff:
        lines += [(diff_style(line), line) for line in _lines(request.diff)]
    room = max(1, width - len(_INDENT))
    return [(style, f"{_INDENT}{row}") for style, line in lines for row in rows(line, room)]


def whole(request: ApprovalRequest, look: Look, width: int) -> list[Line]:
    """All of it, to be committed."""
    found = body(request, width)
    more = len(found) - _WHOLE_ROWS
    rest = [_fold(more, "", look, width)] if more > 0 else []
    return [*_head(Asked(request), width), *found[:_WHOLE_ROWS], *rest]


def as_lines(request: ApprovalRequest, look: Look, width: int) -> str:
    """The question for a terminal on which nothing can stand."""
    return "\n".join(text for _, text in whole(request, look, width))


def as_note(request: ApprovalRequest) -> str:
    """The question for a shell that is attached to the session: what is asked, and for what."""
    said = f"{request.tool} {_ASKS[request.need]}\n{request.subject}\n{request.diff}"
    return said[:_NOTE_CHARACTERS].rstrip("\n")


def elsewhere_rows(note: str, pid: int, look: Look, width: int, room: int) -> list[Line]:
    """What the user of process `pid` is asked, in at most `room` rows: there it is answered."""
    first, *lines = _lines(note)
    head = f"? {first} (only process {pid} can answer):"
    least = max(1, width - len(_INDENT))
    found = [("class:code", f"{_INDENT}{row}") for line in lines for row in rows(line, least)]
    heads = [("class:held", row) for row in rows(head, width)]
    space = max(2, min(_ELSEWHERE_ROWS, room - len(heads)))
    return [*heads, *_folded(found, False, space, look, width)][: max(0, room)]


def how(request: ApprovalRequest) -> str:
    """How it is answered, in words."""
    if not request.pattern:
        return "answer with /allow or /deny [REASON]"
    lasting = f"those two stand for {_pattern(request)}"
    return f"answer with /allow, /allow session, /allow always or /deny [REASON]; {lasting}"


def _head(asked: Asked, width: int) -> list[Line]:
    request = asked.request
    facts = [f"{printable_line(request.tool, 64)} {_ASKS[request.need]}"]
    if request.note:
        facts.append(printable_line(request.note))
    if asked.behind:
        facts.append(f"{asked.behind:,} more ask behind it")
    said = f"? {facts[0]}{''.join(f' · {fact}' for fact in facts[1:])}:"
    return [("class:held", row) for row in rows(said, width)]


def _folded(found: list[Line], above: bool, space: int, look: Look, width: int) -> list[Line]:
    if len(found) <= space:
        return found
    if space < 3:
        return [*found[: space - 1], _fold(len(found) - space + 1, _where(above), look, width)]
    # The end is shown too: what matters may stand behind a screenful of nothing.
    return [
        *found[: space - 2],
        _fold(len(found) - space + 1, _where(above), look, width),
        found[-1],
    ]


def _where(above: bool) -> str:
    return ": all of it stands above" if above else ""


def _fold(count: int, where: str, look: Look, width: int) -> Line:
    rows = "row" if count == 1 else "rows"
    said = f"{_INDENT}{look.ellipsis} {count:,} more {rows}{where}"
    return ("class:quiet", cut(said, width, look.ellipsis))


def _hints(asked: Asked, width: int) -> list[Line]:
    """How it is answered, once it can be."""
    request = asked.request
    if not asked.ready:
        said = "read it: an answer counts in a moment"
    else:
        keys = [(key_of(Act.ALLOW_ONCE), "yes"), (key_of(Act.DENY), "no")]
        said = " · ".join(f"{key} {word}" for key, word in keys)
        said += " · or /allow, /deny · Esc stops the turn"
    lines = [said]
    if request.pattern:
        session, always = key_of(Act.ALLOW_SESSION), key_of(Act.ALLOW_ALWAYS)
        lines.append(f"{session} for this session, {always} always: {_pattern(request)}")
    return [("class:held", row) for line in lines for row in rows(line, width)]


def _least_hints(width: int) -> int:
    return 2 * (1 + 80 // max(1, width))


def _brief(asked: Asked, width: int) -> list[Line]:
    said = "/allow or /deny" if asked.ready else "read it: an answer counts in a moment"
    return [("class:held", cut(said, width, ""))]


def _pattern(request: ApprovalRequest) -> str:
    return printable_line(request.pattern, 120)


def _lines(text: str) -> list[str]:
    return shown(text).rstrip("\n").split("\n")
