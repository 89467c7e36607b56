"""What is said on coming back to a session, and on leaving one: pure functions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from agent_shell import State
from agent_shell.agents.base import Exchange
from agent_shell_cli.options import ChatOptions, OnInterrupted
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.view import Block, Kind, counted, shown

__all__ = ["PAST_TURNS", "cut_off_blocks", "kept", "past", "restored"]

PAST_TURNS = 3
_PAST_LINES = 4
# Of what a turn had produced when it was cut off: the end, where it is long.
_CUT_OFF_CHARACTERS = 4000

_CHOICES = {
    OnInterrupted.ASK: "/retry (or Enter) runs it again, /skip drops it",
    OnInterrupted.RETRY: "it runs again",
    OnInterrupted.SKIP: "it is skipped",
}


def past(exchanges: Sequence[Exchange], look: Look) -> str:
    """The last turns of a session, each in a few lines."""
    return "\n\n".join(_exchange(exchange, look) for exchange in exchanges)


def cut_off_blocks(cut_off: Exchange, number: int, choice: OnInterrupted) -> list[Block]:
    """The turn that was cut off, with what it had produced."""
    answer = shown(cut_off.answer[-_CUT_OFF_CHARACTERS:])
    if len(cut_off.answer) > _CUT_OFF_CHARACTERS:
        answer = f"…{answer}"
    blocks = [Block(Kind.HEADING, printable_line(cut_off.text), number)]
    if answer:
        blocks.append(Block(Kind.ANSWER, answer))
    return [*blocks, cut_off_mark(choice)]


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
        said.append(f"{look.cross} {exchange.state}")
    asked = f"{look.prompt} {printable_line(exchange.text, 70)}"
    return "\n".join([asked, *(line for line in said if line)])
