"""What a shell does for a session because it owns it: coming back to it, and ruling its queue."""

from __future__ import annotations

import asyncio
import contextlib

from prompt_toolkit.buffer import Buffer

from agent_shell import FollowUp, HoldReason, Journal, NotWaiting, Phase, Refused, Session
from agent_shell.events import Event, TurnStarted
from agent_shell_cli.counting import counted
from agent_shell_cli.options import OnInterrupted
from agent_shell_cli.repl.arranger import Arranger
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.panel import Panel
from agent_shell_cli.repl.restored import (
    PAST_TURNS,
    cut_off_blocks,
    cut_off_mark,
    past,
    restored,
)
from agent_shell_cli.repl.router import PROMPT_SENDER, Call
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.view import View
from agent_shell_cli.verbs import Verb

__all__ = ["LISTED", "Owner"]

LISTED = 50
# Between two looks whether the journal has brought in more of a long queue.
_FETCH_S = 0.02


class Owner:
    """Rules `session`; `choice` is what to do with a turn that was cut off.

    `draft` is the buffer that the user writes in, with `folds` in it.
    """

    def __init__(
        self,
        session: Session,
        journal: Journal,
        view: View,
        speaker: Speaker,
        choice: OnInterrupted | None,
        draft: Buffer,
        folds: Folds,
    ) -> None:
        self.session = session
        self.arranger = Arranger(session, view, speaker)
        self.panel = Panel(self.arranger, view, speaker, draft, folds)
        self._journal = journal
        self._view = view
        self._speaker = speaker
        self._choice = choice or OnInterrupted.ASK

    async def recall(self) -> None:
        """Shows the last turns, so that one knows where one is."""
        turns = await self._journal.history(self.session.key, PAST_TURNS + 1)
        cut_off = self.session.cut_off
        before = [turn for turn in turns if cut_off is None or turn.turn != cut_off.turn]
        if before:
            self._speaker.say(past(before[-PAST_TURNS:], self._speaker.look))

    def come_back(self, seen: FollowUp | None = None) -> None:
        """Shows what waits from before, and does what was chosen for a turn that was cut off.

        `seen` is a follow-up whose turn stands on the screen already.
        """
        session = self.session
        self._view.restore(session.waiting, session.waiting_count)
        behind = session.waiting_count - (session.cut_off is not None)
        self._decide(seen)
        if behind and session.hold is not None:
            self._speaker.say(restored(behind, session.cut_off is not None))
            if self._speaker.linear:
                count = session.waiting_count
                self._speaker.say(self._speaker.listing(session.waiting, count, LISTED))

    def _decide(self, seen: FollowUp | None) -> None:
        cut_off = self.session.cut_off
        if cut_off is None:
            return
        if seen is not None and seen.id == cut_off.id:
            self._speaker.show([cut_off_mark(self._choice)])
        else:
            number = self._view.number(cut_off.id)
            raw = self._view.raw or cut_off.sender == PROMPT_SENDER
            width = self._speaker.width
            self._speaker.show(cut_off_blocks(cut_off, number, self._choice, width, raw=raw))
        if self._choice is OnInterrupted.RETRY:
            self.session.release()
        elif self._choice is OnInterrupted.SKIP:
            self._skip()

    async def meet(self, event: Event) -> None:
        """Has the view number what the journal has brought in since, and what runs now."""
        if not self._view.unmet or not isinstance(event, TurnStarted):
            return
        if not self._view.number(event.id):
            entry = await self._journal.entry(self.session.key, event.id)
            if entry is not None:
                self._view.meet(entry.id, entry.text, entry.sender)
        for follow_up in self.session.waiting:
            self._view.meet(follow_up.id, follow_up.text, follow_up.sender)

    async def rule(self, call: Call) -> None:
        """Carries out a command about the queue."""
        match call.verb:
            case Verb.HOLD:
                self.session.put_on_hold()
            case Verb.RESUME:
                self._resume()
            case Verb.RETRY:
                await self._retry()
            case Verb.SKIP:
                self._skip()
            case Verb.UNDO:
                await self.arranger.undo()
            case Verb.CLEAR:
                await self._clear()
            case _:
                self._change(call)

    def _change(self, call: Call) -> None:
        """Changes one waiting input, by its number; it may have just started."""
        id, arranger = self._view.id_of(call.number), self.arranger
        if id is None and self._view.is_unmet(call.number):
            arranger.say_beyond(f"number {call.number}")
            return
        if id is None:
            arranger.say_ended(f"number {call.number}")
            return
        match call.verb:
            case Verb.EDIT if not call.text:
                self.panel.edit(id)
            case Verb.EDIT:
                arranger.edit(id, call.text)
            case Verb.DROP:
                arranger.drop(id)
            case Verb.MOVE:
                arranger.move(id, max(1, call.place))
            case Verb.NEXT:
                arranger.move(id, 1)
            case Verb.STEER:
                arranger.steer(id)
            case Verb.INTERRUPT:
                arranger.interrupt(id)
            case _:
                pass

    def _resume(self) -> None:
        if self.session.hold is None:
            self._speaker.notice("nothing is held")
        self.session.release()

    async def _retry(self) -> None:
        """Runs again what was cut off, or what the last turn did not answer, before all else."""
        text = self._view.unanswered_text
        if self.session.cut_off is None and text is not None:
            accepted = await self.session.submit(text)
            self._view.unanswered_text = None  # a second time, it would run twice
            with contextlib.suppress(NotWaiting):  # it has started already
                self.session.move(accepted.id, 1)
        self.session.release()

    def _skip(self) -> None:
        self.session.skip_cut_off()
        if not self.session.waiting_count:
            self.session.release()

    async def _clear(self) -> None:
        session = self.session
        withdrawn: list[FollowUp] = []
        while session.waiting_count and not self._is_stuck():
            for follow_up in list(session.waiting):
                with contextlib.suppress(NotWaiting, Refused):
                    session.remove(follow_up.id)
                    withdrawn.append(follow_up)
                if len(withdrawn) % 1000 == 0:
                    await asyncio.sleep(0)  # lets the screen and the running turn go on
            if session.waiting_count:
                await asyncio.sleep(_FETCH_S)
        can_undo = self.arranger.dropped(withdrawn)
        back = "/undo brings them back" if can_undo else "for good: too many to bring back"
        nothing = "nothing waits (Ctrl+L clears the screen)"
        said = f"{counted(len(withdrawn), 'follow-up')} withdrawn ({back})"
        self._speaker.say(said if withdrawn else nothing)

    def _is_stuck(self) -> bool:
        """Whether the journal brings nothing more in."""
        hold = self.session.hold
        broken = hold is not None and hold.reason is HoldReason.JOURNAL
        return self.session.phase is Phase.CLOSED or broken
