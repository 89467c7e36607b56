"""Choosing one of the inputs that wait, and editing it in its place.

While one is edited it does not run, and the draft is kept aside, to the letter. What
is chosen is known by its id: the queue may move underneath.
"""

from __future__ import annotations

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.arranger import Arranger
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.view import View
from agent_shell_cli.verbs import Act, Mode

__all__ = ["Panel"]


class Panel:
    """What is chosen or edited, in `view`; `draft` is the buffer that the user writes in."""

    def __init__(
        self, arranger: Arranger, view: View, speaker: Speaker, draft: Buffer, folds: Folds
    ) -> None:
        self._arranger = arranger
        self._view = view
        self._speaker = speaker
        self._draft = draft
        self._folds = folds
        self._aside: Document | None = None  # the draft, while another text is edited
        self._lost: str | None = None  # what was chosen, until a key was pressed

    @property
    def mode(self) -> Mode:
        """What the keys are about."""
        if self._view.edited is not None:
            return Mode.EDITING
        # A key that was on its way to what was chosen must not act on the draft or the turn.
        choosing = self._view.chosen is not None or self._lost is not None
        return Mode.CHOOSING if choosing else Mode.WRITING

    def act(self, act: Act, waiting: list[str]) -> None:
        """Does it; `waiting` are the ids of what waits, the next to run first."""
        before = (self._view.chosen, self._view.edited)
        lost, self._lost = self._lost, None
        if act is Act.SAVE:
            self._save()
        elif act is Act.GIVE_UP:
            self.give_up()
        elif act in (Act.UP, Act.DOWN):
            self._choose(waiting, -1 if act is Act.UP else 1)
        elif self._view.chosen is not None:
            self._about(self._view.chosen, act, waiting)
        elif lost is not None and act is not Act.LEAVE:
            self._arranger.say_gone(lost)
        if self._speaker.linear and before != (self._view.chosen, self._view.edited):
            self._say_where()
        self._speaker.refresh()

    def _say_where(self) -> None:
        """What the keys are about, where nothing on the screen shows it."""
        view = self._view
        id = view.edited or view.chosen
        if id is None:
            self._speaker.say("the draft")
        else:
            verb = "editing" if view.edited else "chosen:"
            self._speaker.say(f"{verb} {view.number(id) or '?'}  {printable_line(view.text(id))}")

    def leave(self) -> None:
        """Chooses nothing."""
        self._lost = None
        if self._view.chosen is not None:
            self._view.chosen = None
            self._speaker.refresh()

    def give_up(self) -> None:
        """Leaves what is edited as it was, and takes the draft up again."""
        if (id := self._view.edited) is not None:
            self._arranger.let_go(id)
            self._end_edit()

    def gone(self, id: str) -> None:
        """It does not wait any more."""
        if self._view.chosen == id:
            self._view.chosen, self._lost = None, id
            self._speaker.notice("what was chosen does not wait any more: Esc leaves it")
        if self._view.edited == id:
            self._view.edited = None
            self._speaker.notice("what you edit was withdrawn: Enter sends it as a new input")

    def sent(self) -> None:
        """The draft was sent: takes up again what was kept aside, if anything was."""
        self._end_edit()

    def _choose(self, waiting: list[str], by: int) -> None:
        view = self._view
        if not waiting:
            self._speaker.notice("nothing waits")
            view.chosen = None
        elif view.chosen not in waiting:
            view.chosen = waiting[-1] if by < 0 else waiting[0]
        else:
            place = waiting.index(view.chosen) + by
            # Below the last one is the draft.
            view.chosen = waiting[max(0, place)] if place < len(waiting) else None

    def _about(self, id: str, act: Act, waiting: list[str]) -> None:
        match act:
            case Act.LEAVE:
                self._view.chosen = None
            case Act.EDIT:
                self._begin_edit(id)
            case Act.DROP:
                self._drop(id, waiting)
            case Act.MOVE_UP:
                self._arranger.step(id, -1)
            case Act.MOVE_DOWN:
                self._arranger.step(id, 1)
            case Act.NEXT:
                self._arranger.move(id, 1)
            case Act.STEER:
                self._view.chosen = None
                self._arranger.steer(id)
            case Act.INTERRUPT:
                self._view.chosen = None
                self._arranger.interrupt(id)
            case _:
                pass

    def _drop(self, id: str, waiting: list[str]) -> None:
        place = waiting.index(id) if id in waiting else 0
        rest = [other for other in waiting if other != id]
        self._arranger.drop(id)
        self._view.chosen = rest[min(place, len(rest) - 1)] if rest else None

    def edit(self, id: str) -> None:
        """Has it edited in its place, unless it does not wait any more."""
        self._begin_edit(id)
        if self._speaker.linear:
            self._say_where()

    def _begin_edit(self, id: str) -> None:
        text = self._arranger.hold_back(id)
        self._view.chosen = None
        if text is not None:
            if self._aside is None:
                self._aside = self._draft.document
            self._view.edited = id
            self._draft.document = Document(text)
            self._speaker.refresh()

    def _save(self) -> None:
        id, text = self._view.edited, self._folds.expanded(self._draft.text)
        assert id is not None
        if not text.strip():
            self._speaker.notice(
                "an empty input can't wait: Esc leaves it as it was, and then /drop withdraws it"
            )
        elif self._arranger.edit(id, text):
            self._arranger.let_go(id)
            self._end_edit()

    def _end_edit(self) -> None:
        self._view.edited = None
        if self._aside is not None:
            self._draft.document, self._aside = self._aside, None
