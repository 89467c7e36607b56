"""Changes what waits in the queue, and takes a change back.

Every input is addressed by its id, and may have started a moment ago: then the
user is told so, and nothing happens.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile

from agent_shell import FollowUp, Lane, NotWaiting, Refused, Session
from agent_shell.records import frozen
from agent_shell_cli.counting import counted
from agent_shell_cli.repl.router import PROMPT_SENDER, USER, Send, Situation, route
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.view import View

__all__ = ["Arranger"]

# Changes that can be taken back, and inputs that one of them may have withdrawn.
_UNDOS = 100
_UNDO_INPUTS = 10_000
# Of what is ahead of an input, so many are known again.
_AHEAD = 1_000


@frozen
class _Undo:
    """How a change is taken back, and what is said then."""

    said: str
    act: Callable[[], Awaitable[None]]


class Arranger:
    """Changes the queue of `session`, in words for the user; `speaker` says what can't be done."""

    def __init__(self, session: Session, view: View, speaker: Speaker) -> None:
        self._session = session
        self._view = view
        self._speaker = speaker
        self._undos: deque[_Undo] = deque(maxlen=_UNDOS)

    def edit(self, id: str, text: str) -> bool:
        """Gives it another text; false where that was refused, which is said."""
        found = self._find(id)

        def change() -> None:
            self._session.edit(id, text)

        if found is None:
            return False
        if problem := _misplaced(found[1], text):
            self._speaker.notice(f"{self._name(id)} {problem}")
            return False
        before = found[1].text  # which the change is made to
        if not self._try(id, change):
            return False
        self._can_undo(f"{self._name(id)} has its old text", lambda: self._session.edit(id, before))
        return True

    def drop(self, id: str) -> bool:
        """Withdraws it."""
        found = self._find(id)
        ahead = self._ahead(id)
        if found is None or not self._try(id, lambda: self._session.remove(id)):
            return False
        self._can_undo_drop([found[1]], ahead)
        return True

    def dropped(self, withdrawn: Sequence[FollowUp]) -> bool:
        """All these were withdrawn at once, from the head on; false where they can't come back."""
        few = 0 < len(withdrawn) <= _UNDO_INPUTS
        if few:
            self._can_undo_drop(withdrawn, [])
        return few

    def move(self, id: str, place: int) -> bool:
        """Has it run at `place` (1 is next)."""
        found = self._find(id)
        ahead = self._ahead(id)
        if found is None or not self._try(id, lambda: self._session.move(id, place)):
            return False
        self._can_undo(
            f"{self._name(id)} is back in its place",
            lambda: self._session.move(id, self._behind(ahead, id)),
        )
        return True

    def step(self, id: str, by: int) -> bool:
        """Moves it by so many places, towards the head of the queue where that is negative."""
        found = self._find(id)
        return found is not None and self.move(id, max(1, found[0] + by))

    def steer(self, id: str) -> bool:
        """Gives it to the running turn, whose model would not run a line for the shell."""
        found = self._find(id)
        if found is None:
            return False
        if found[1].sender == PROMPT_SENDER:
            self._speaker.notice(f"{self._name(id)} is a line for the shell: it can't steer")
            return False
        return self._try(id, lambda: self._session.promote(id, Lane.STEER))

    def interrupt(self, id: str) -> bool:
        """Stops the running turn and runs it instead."""
        return self._try(id, lambda: self._session.promote(id, Lane.INTERRUPT))

    def hold_back(self, id: str) -> str | None:
        """Keeps it from running while it is edited; its text, or `None` if it doesn't wait."""
        found = self._find(id)
        if found is None or not self._try(id, lambda: self._session.hold_back(id)):
            return None
        return found[1].text

    def let_go(self, id: str) -> None:
        """It may run again; nothing if it was withdrawn meanwhile."""
        with contextlib.suppress(NotWaiting, Refused):
            self._session.let_go(id)

    async def undo(self) -> None:
        """Takes the last change back that can be taken back."""
        if not self._undos:
            self._speaker.notice("there is nothing to take back")
            return
        undo = self._undos.pop()
        try:
            await undo.act()
        except NotWaiting:
            self._speaker.notice("that can't be taken back: it has started, or was withdrawn")
        except Refused as error:
            self._speaker.notice(f"that can't be taken back: {error}")
        else:
            self._speaker.notice(undo.said)

    def _try(self, id: str, change: Callable[[], None]) -> bool:
        try:
            change()
        except NotWaiting:
            self.say_gone(id)
        except Refused as error:
            self._speaker.notice(f"{self._name(id)} stays as it is: {error}")
        else:
            return True
        return False

    def _find(self, id: str) -> tuple[int, FollowUp] | None:
        """Its place in the queue (1 is next) and itself; says so where it waits no more."""
        for place, follow_up in enumerate(self._session.waiting, 1):
            if follow_up.id == id:
                return place, follow_up
        self.say_gone(id)
        return None

    def say_gone(self, id: str) -> None:
        """Says that it does not wait, and why."""
        running = self._session.running
        if running is not None and running.id == id:
            self._speaker.notice(f"{self._name(id)} has started already: Esc interrupts it")
        elif id in self._view.steering:
            self._speaker.notice(f"{self._name(id)} was given to the running turn")
        elif self._view.number(id) and self._is_beyond:
            self.say_beyond(self._name(id))
        else:
            self.say_ended(self._name(id))

    @property
    def _is_beyond(self) -> bool:
        """Whether more waits than what is in memory."""
        return self._session.waiting_count > len(self._session.waiting)

    def say_ended(self, name: str) -> None:
        """It is not among what waits."""
        self._speaker.notice(f"{name} does not wait: it has ended or never was")

    def say_beyond(self, name: str) -> None:
        """It waits, but in the journal alone."""
        near = len(self._session.waiting)
        self._speaker.notice(f"{name} waits too far behind: only the next {near:,} can be changed")

    def _name(self, id: str) -> str:
        number = self._view.number(id)
        return f"number {number}" if number else "that input"

    def _can_undo(self, said: str, change: Callable[[], None]) -> None:
        async def act() -> None:
            change()

        self._undos.append(_Undo(said, act))

    def _ahead(self, id: str) -> list[str]:
        """What waits ahead of it, by which its place is found again when some of that has run."""
        ahead = takewhile(lambda other: other != id, (f.id for f in self._session.waiting))
        return list(deque(ahead, _AHEAD))

    def _behind(self, ahead: Sequence[str], id: str) -> int:
        """The place behind the last of those that still waits, for `id`; 1 if none does."""
        others = (f.id for f in self._session.waiting if f.id != id)
        places = {other: place for place, other in enumerate(others, 1)}
        return next((places[one] + 1 for one in reversed(ahead) if one in places), 1)

    def _can_undo_drop(self, found: Sequence[FollowUp], ahead: list[str]) -> None:
        # A receipt is final: what was withdrawn comes back as a new input in its old place.
        async def act() -> None:
            before, place = ahead, 0
            for gone in found:
                accepted = await self._session.submit(gone.text, sender=gone.sender)
                # Mostly it is behind the one that came back before it.
                waiting, place = self._session.waiting, place + 1
                if place < 2 or place > len(waiting) or waiting[place - 2].id != before[-1]:
                    place = self._behind(before, accepted.id)
                with contextlib.suppress(NotWaiting):  # it has started already
                    self._session.move(accepted.id, place)
                before = [accepted.id]

        self._undos.append(_Undo(f"{counted(len(found), 'input')} back in the queue", act))


def _misplaced(follow_up: FollowUp, text: str) -> str:
    """Why `text` can't take its place: who answers it was settled when it was sent."""
    sender = _sender(text)
    if follow_up.sender == PROMPT_SENDER:
        wrong = sender != PROMPT_SENDER
        return "is a line for the shell: it stays a !COMMAND or /model NAME" if wrong else ""
    if sender == USER or _sender(follow_up.text) != USER:
        return ""
    return "is for the model, and no command can take its place: a space before it makes it a text"


def _sender(text: str) -> str | None:
    """Whose follow-up it would be, were it sent now; `None` where it would be none."""
    action = route(text, Situation(running=True))
    return action.sender if isinstance(action, Send) else None
