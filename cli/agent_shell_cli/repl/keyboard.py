"""What the keys of the live prompt do: each asks for something, which is done in its order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Protocol

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.document import Document

from agent_shell import Lane, Phase, Refused, Session
from agent_shell_cli.attach import Attached
from agent_shell_cli.options import ChatOptions
from agent_shell_cli.repl.approving import ANSWERS, Approving
from agent_shell_cli.repl.desk import Desk
from agent_shell_cli.repl.mentions import Attaching
from agent_shell_cli.repl.owner import LISTED, Owner
from agent_shell_cli.repl.prompting import Prompt, complete, complete_in_lines
from agent_shell_cli.repl.router import (
    Action,
    Call,
    Complain,
    Pressed,
    Resume,
    Send,
    Situation,
    route,
    route_interrupt,
    route_stop,
)
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.view import View
from agent_shell_cli.verbs import COMMANDS, Act, Mode, Verb

__all__ = ["Keyboard", "Seat"]

_OWNERS = frozenset(command.verb for command in COMMANDS if command.owners)


class Seat(Protocol):
    """The shell whose keys they are."""

    @property
    def session(self) -> Session | Attached:
        """What the inputs go to."""
        ...

    @property
    def owner(self) -> Owner | None:
        """Who changes its queue; `None` where another process does."""
        ...

    @property
    def attached(self) -> int | None:
        """That process."""
        ...

    def leave(self, *, drain: bool) -> None:
        """Leaves, when the queue is done or at once."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Does it in the background, until the shell is left."""
        ...


class Keyboard:
    """Does what the keys ask for: at once, or in tasks, which begin in the order of the keys.

    Inputs that mention files go through `attaching`.
    """

    def __init__(
        self,
        seat: Seat,
        options: ChatOptions,
        prompt: Prompt,
        completing: Completer,
        view: View,
        speaker: Speaker,
        desk: Desk,
        approving: Approving,
        attaching: Attaching,
    ) -> None:
        self._seat = seat
        self._options = options
        self._linear = prompt.terminal.linear
        self._draft = prompt.draft
        self._folds = prompt.folds
        self._completing = completing
        self._view = view
        self._speaker = speaker
        self._desk = desk
        self._approving = approving
        self._attaching = attaching
        self._calls: set[asyncio.Task[None]] = set()
        self._sends: set[asyncio.Task[None]] = set()
        self._warned = False  # that the next Ctrl-C leaves
        self._in_editor = False

    @property
    def mode(self) -> Mode:
        """What the keys are about."""
        return Mode.WRITING if self._seat.owner is None else self._seat.owner.panel.mode

    def on_act(self, act: Act, draft: Buffer) -> None:
        """Does what a key asked for; what takes time, in the background."""
        if self._in_editor:
            return  # a Ctrl-C that is the editor's, which has the terminal
        match act:
            case Act.SEND:
                self._enter(draft, None)
            case Act.SEND_STEER:
                self._enter(draft, Lane.STEER)
            case Act.CANCEL:
                self._cancel(draft)
            case Act.STOP:
                self.calm()
                self._seat.spawn(self._stop())
            case Act.END:
                self.calm()
                self._seat.leave(drain=True)
            case Act.COMPLETE if self._linear:
                self._seat.spawn(complete_in_lines(self._completing, draft, self._speaker.say))
            case Act.COMPLETE:
                complete(draft)
            case Act.EDITOR:
                self.calm()
                self._in_editor = True
                self._seat.spawn(self._edit(draft))
            case Act.UNDO:
                self.calm()
                self._begin_action(Call(Verb.UNDO))
            case _ if act in ANSWERS:
                self.calm()
                self._approving.act(act)
            case _:
                self.calm()
                self._arrange(act)

    def on_nothing(self, key: str) -> None:
        """Says so: a key that does nothing leaves one to guess."""
        self.calm()
        self._speaker.notice(f"{key} means nothing here")

    def _enter(self, draft: Buffer, lane: Lane | None) -> None:
        """Carries out what the draft means; it stays where that was refused."""
        self.calm()
        text = self._folds.expanded(draft.text)
        action = route(text, self._situation(), lane)
        if isinstance(action, Complain):
            self._speaker.notice(action.text)
            return
        if text != draft.text and isinstance(action, Send):
            # What was pasted may come from anybody: no file that it mentions is attached.
            action = replace(action, typed=draft.text)
        draft.reset(append_to_history=True)
        if self._seat.owner is not None:
            self._seat.owner.panel.sent()
        self._begin_action(action)

    def _begin_action(self, action: Action) -> None:
        """Carries it out: inputs at once, commands after all that was asked for before them."""
        is_call = isinstance(action, Call)
        if isinstance(action, Call) and self._approving.rule(action):
            return  # at once, whatever else is under way
        after = set(self._calls)
        if is_call and self._seat.owner is not None:  # another owner may take its time
            after |= self._sends
        task = self._seat.spawn(self._carry_out(action, after))
        under_way = self._calls if is_call else self._sends
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    async def _edit(self, draft: Buffer) -> None:
        """Gives the whole text of the draft to the user's editor, and takes it back."""
        # Imported here: few write so much at once.
        from agent_shell_cli.repl.editor import Unedited, edited

        whole, editor = self._folds.expanded(draft.text), self._options.settings.editor
        try:
            text = await run_in_terminal(lambda: edited(whole, editor), in_executor=True)
        except Unedited as error:
            self._speaker.notice(str(error))
        else:
            draft.document = Document(text)
        finally:
            self._in_editor = False

    def _cancel(self, draft: Buffer) -> None:
        """Clears the draft, else interrupts, else leaves; see `route_interrupt`."""
        pressed = route_interrupt(draft.text, self._situation(), self._warned)
        if pressed is Pressed.CLEAR_DRAFT:
            self.calm()
            draft.reset()
        else:
            self._seat.spawn(self._interrupt())

    def _arrange(self, act: Act) -> None:
        if self._seat.owner is None:
            self._speaker.notice(f"only process {self._seat.attached} can change its queue")
        elif not self._view.leaving:
            waiting = [follow_up.id for follow_up in self._seat.session.waiting]
            self._seat.owner.panel.act(act, waiting)

    async def _carry_out(self, action: Action, after: set[asyncio.Task[None]]) -> None:
        if after:
            await asyncio.wait(after)
            await asyncio.sleep(0)  # what was accepted just now gets its number
        match action:
            case Send():
                await self.submit(action)
            case Resume() if self._seat.owner is not None:
                self._seat.owner.session.release()
            case Call():
                await self._call(action)
            case _:
                pass

    async def _interrupt(self) -> None:
        pressed = route_interrupt("", self._situation(), self._warned)
        self.calm()
        if pressed is Pressed.INTERRUPT and self._seat.owner is not None:
            self._seat.owner.session.interrupt()
        elif pressed is Pressed.LEAVE:
            self._seat.leave(drain=False)
        elif not self._desk.stop_asking():
            self._warned = True
            self._speaker.notice("press Ctrl+C again to leave")

    async def _stop(self) -> None:
        if route_stop(self._situation()) is Pressed.INTERRUPT and self._seat.owner is not None:
            self._seat.owner.session.interrupt()
        else:
            self._desk.stop_asking()

    async def _call(self, call: Call) -> None:
        match call.verb:
            case Verb.QUEUE:
                waiting, count = self._seat.session.waiting, self._seat.session.waiting_count
                self._speaker.say(self._speaker.listing(waiting, count, LISTED) or "nothing waits")
            case Verb.EXIT:
                self._seat.leave(drain=True)
            case Verb.BTW:
                self._seat.spawn(self._desk.ask(call.text, self._seat.session.key))
            case _ if call.verb in _OWNERS:
                if self._seat.owner is not None:
                    await self._rule(self._seat.owner, call)
            case _:
                await self._desk.serve(call)

    async def _rule(self, owner: Owner, call: Call) -> None:
        try:
            await owner.rule(call)
        except Refused as error:
            self._speaker.notice(f"/{call.verb}: {error}")

    async def submit(self, action: Send) -> None:
        """Has it accepted, with what it mentions; where that is refused, it is the draft again."""
        if action.release and self._seat.owner is not None:
            self._seat.owner.session.release()
        text = action.text + await self._attaching.behind(action.mentions)
        try:
            await self._seat.session.submit(text, lane=action.lane, sender=action.sender)
        except Refused as error:
            draft = self._draft
            if not draft.text:
                draft.document = Document(action.text)
            self._speaker.notice(f"not accepted: {error}")

    async def sent(self, timeout: float | None) -> None:
        """Waits until what was sent before is accepted: a file that it mentions takes a moment."""
        if self._sends:
            await asyncio.wait(set(self._sends), timeout=timeout)

    def calm(self) -> None:
        """The user has gone on: what the last notice said is over."""
        self._warned = False
        self._speaker.calm()

    def _situation(self) -> Situation:
        session, hold = self._seat.session, self._seat.session.hold
        return Situation(
            running=session.phase is Phase.RUNNING,
            stopping=session.phase is Phase.STOPPING,
            hold=None if hold is None else hold.reason,
            waiting=session.waiting_count,
            leaving=self._view.leaving,
            busy=self._options.busy,
            cut_off=session.cut_off is not None,
            failed=self._view.unanswered_text is not None or self._view.put_back,
            attached=self._seat.attached,
            asked=self._approving.asked,
            custom=self._desk.custom.text,
        )
