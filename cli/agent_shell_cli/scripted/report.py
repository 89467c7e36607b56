"""What is said about the answers on standard error, and the exit code that comes of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

from agent_shell import FollowUp, HoldReason, State
from agent_shell.events import Event, Receipt, SessionHeld, TurnNotice, TurnStarted
from agent_shell_cli.counting import counted
from agent_shell_cli.exits import Exit
from agent_shell_cli.printable import printable, printable_line

__all__ = ["Report"]

_NAMED = 3  # of those that are left, so many are shown


class Report:
    """Says what a user must know and counts; `write` gets text for standard error.

    `code` is the exit code: of all that apply the highest, which is the most
    pressing too (143 and 130 a signal, 4 the model, 3 a refusal, 2 a line that
    can't be read, 1 a follow-up without an answer).
    """

    def __init__(self, write: Callable[[str], None], *, terminal: bool) -> None:
        self._write = write
        self._terminal = terminal
        self._quiet = False
        self._journal_failed = False
        self._states: Counter[State] = Counter()
        self._began = time.monotonic()
        self.code = Exit.OK

    def call_for(self, code: Exit) -> None:
        """Something happened that calls for this exit code."""
        self.code = max(self.code, code)

    def say(self, text: str) -> None:
        """Says `text`, as one message of this program."""
        if not self._quiet:
            self._write(f"agent-shell: {printable(text)}\n")

    def say_on_screen(self, text: str) -> None:
        """Says it where a person sits before it."""
        if self._terminal:
            self.say(text)

    def progress(self, text: str) -> None:
        """Shows how far a long step is, on a line that the next call overwrites; "" ends it."""
        if self._terminal:
            self._write(f"\r\x1b[2K{printable_line(text, 79)}")

    def be_quiet(self) -> None:
        """Says nothing any more: nobody reads what it would be about."""
        self._quiet = True

    def rejected(self, reason: str, code: Exit) -> None:
        """A line was not accepted."""
        self.call_for(code)
        self.say(reason)

    def take(self, event: Event) -> None:
        """Says what an event of the session means for the user, if it means anything."""
        if type(event) is Receipt:
            self._receipt(event)
        elif type(event) is TurnNotice:
            self.say(f"turn {event.turn} ({event.id}): {event.text}")
        elif type(event) is SessionHeld:
            self._held(event)

    def unended(self, started: TurnStarted) -> None:
        """The journal was not told how this turn ended: it failed, or another process has it."""
        self.call_for(Exit.INCOMPLETE)
        self.say(
            f"turn {started.turn} ({started.id}) has no receipt: its end could not be recorded, "
            "so that it is cut off"
        )

    def left(self, count: int, first: Iterable[FollowUp], taken_up_by: str | None) -> None:
        """So many are left in the queue, `first` in front.

        `taken_up_by` is the command that goes on with them, `None` where they are lost.
        """
        if not count:
            return
        self.call_for(Exit.INCOMPLETE)
        names = [f"{f.id} {printable_line(f.text, 40)!r}" for f in islice(first, _NAMED)]
        named = "; ".join(names)
        more = f"; and {count - len(names):,} more" if count > len(names) else ""
        lost = "" if taken_up_by else ", and lost with this session, which was in memory"
        verb = "is" if count == 1 else "are"
        self.say(f"{counted(count, 'follow-up')} {verb} left in the queue{lost}: {named}{more}")
        if taken_up_by:
            kept = "it is kept" if count == 1 else "they are kept"
            self.say(f"{kept} in the session; to go on: {taken_up_by}")

    def summary(self, left: int) -> None:
        """Says how it went, on a terminal."""
        parts = [f"{self._states[state]:,} {state}" for state in State if self._states[state]]
        if left:
            parts.append(f"{left:,} left in the queue")
        elapsed_s = time.monotonic() - self._began
        self.say_on_screen(f"{', '.join(parts) or 'nothing to answer'}, in {elapsed_s:.1f} s")

    def _receipt(self, receipt: Receipt) -> None:
        self._states[receipt.state] += 1
        if receipt.state in (State.FAILED, State.CANCELLED, State.WITHDRAWN):
            self.call_for(Exit.INCOMPLETE)
            which = f"turn {receipt.turn} ({receipt.id})" if receipt.turn else receipt.id
            verb = "" if receipt.state is State.FAILED else "was "
            self.say(f"{which} {verb}{receipt}")

    def _held(self, held: SessionHeld) -> None:
        if held.until is not None:
            wait_s = max(0.0, held.until - held.time)
            self.say(f"{held.detail}; going on in {wait_s:.0f} s")
        elif held.reason is HoldReason.BUDGET:
            self.say(f"the budget holds the session: {held.detail}")
        elif held.reason is HoldReason.UNREACHABLE:
            self.call_for(Exit.UNREACHABLE)
            self.say(f"the model can't be used: {held.detail}")
        elif held.reason is HoldReason.JOURNAL and not self._journal_failed:
            # Said once: each batch that the journal refuses holds the session anew.
            self._journal_failed = True
            self.call_for(Exit.REFUSED)
            self.say(f"the session can't be kept any more: {held.detail}")
