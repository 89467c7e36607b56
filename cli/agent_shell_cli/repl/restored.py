"""What is said on coming back to a session, and on leaving one: pure functions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from agent_shell import State
from agent_shell.agents.base import Exchange
from agent_shell_cli.counting import counted
from agent_shell_cli.options import ChatOptions, OnInterrupted
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.rows import shown
from agent_shell_cli.repl.stream import Stream
from agent_shell_cli.repl.view import Block, Kind, roomy_tail

__all__ = ["PAST_TURNS", "cut_off_blocks", "kept", "past", "restored"]

PAST_TURNS = 3
_PAST_LINES = 4
# Of what a turn had produced when it was cut off: the end, where it is long; and as much
# before it is looked at for what is open there.
_CUT_OFF_CHARACTERS = 4000
_LOOKED_AT_CHARACTERS = 1 << 18

_PUT_BACK = "broke off, and went back to the queue"
_CHOICES = {
    OnInterrupted.ASK: "/retry (or Enter) runs it again, /skip drops it",
    OnInterrupted.RETRY: "it runs again",
    OnInterrupted.SKIP: "it is skipped",
}


def past(exchanges: Sequence[Exchange], look: Look) -> str:
    """The last turns of a session, each in a few lines."""
    return "\n\n".join(_exchange(exchange, look) for exchange in exchanges)


def cut_off_blocks(
    cut_off: Exchange, number: int, choice: OnInterrupted, width: int, *, raw: bool
) -> list[Block]:
    """The turn that was cut off, with what it had produced, as its live answer would stand there.

    In rows of `width` cells; `raw` shows it as written.
    """
    blocks = [Block(Kind.HEADING, printable_line(cut_off.text), number)]
    return [*blocks, *_end_of(cut_off.answer, width, raw=raw), cut_off_mark(choice)]


def _end_of(answer: str, width: int, *, raw: bool) -> list[Block]:
    text = shown(answer[-_LOOKED_AT_CHARACTERS:])
    stream, rows = Stream(), roomy_tail(width)
    stream.raw = raw
    stream.feed(text[:-_CUT_OFF_CHARACTERS])
    passed = sum(len(piece.text) for piece in stream.take(width, rows))
    passed += max(0, len(answer) - _LOOKED_AT_CHARACTERS)
    stream.feed(text[-_CUT_OFF_CHARACTERS:])
    pieces = [*stream.take(width, rows), *stream.end()]
    said = [Block(Kind.ANSWER, piece.text, carry=piece.carry) for piece in pieces]
    before = f"… behind {counted(passed, 'character')} more"
    return [Block(Kind.NOTE, before), *said] if passed else said


def cut_off_mark(choice: OnInterrupted) -> Block:
    """That the turn above was cut off, and what can be done."""
    return Block(Kind.MARK, f"interrupted: the turn was cut off — {_CHOICES[choice]}")


def restored(count: int, behind: bool) -> str:
    """That a queue was brought back; `behind` a turn that was cut off."""
    if behind:
        return f"{counted(count, 'follow-up')} from before behind it: /clear drops all of them"
    them = "it" if count == 1 else "them"
    return (
        f"{counted(count, 'follow-up')} from before, held: "
        f"/resume (or Enter) runs {them}, /clear drops {them}"
    )


def kept(count: int, options: ChatOptions) -> str:
    """Where the follow-ups are that no turn has answered, and how to come back to them."""
    journal = [] if options.journal is None else ["--journal", options.journal]
    command = shlex.join(["agent-shell", "chat", *journal, "-s", options.session])
    are, them = ("is", "it") if count == 1 else ("are", "them")
    return printable_line(
        f"{counted(count, 'follow-up')} {are} kept in session {options.session}; "
        f"{command} brings {them} back",
        limit=1000,
    )


def _exchange(exchange: Exchange, look: Look) -> str:
    lines = shown(exchange.answer).strip("\n").split("\n")
    said = [printable_line(line) for line in lines[:_PAST_LINES]]
    if len(lines) > _PAST_LINES:
        said.append(f"{look.ellipsis} {counted(len(lines) - _PAST_LINES, 'more line')}")
    if exchange.state is not State.ANSWERED:
        ended = _PUT_BACK if exchange.state is State.QUEUED else exchange.state
        said.append(f"{look.cross} {ended}")
    asked = f"{look.prompt} {printable_line(exchange.text, 70)}"
    return "\n".join([asked, *(line for line in said if line)])
