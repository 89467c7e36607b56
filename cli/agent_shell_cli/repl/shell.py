"""The live prompt: keys in, a session's answers out, until the user leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from prompt_toolkit.completion import Completer

from agent_shell import (
    Journal,
    Lane,
    Observer,
    Session,
    State,
)
from agent_shell.events import (
    Event,
    FollowUpMoved,
    Receipt,
    SessionClosed,
    TurnDelta,
    TurnEnded,
    TurnStarted,
)
from agent_shell.inbox import adopt_inbox
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell.records import record
from agent_shell_cli.attach import Attached
from agent_shell_cli.exits import Exit
from agent_shell_cli.options import ChatOptions, OnFailed
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.approving import Approving
from agent_shell_cli.repl.desk import Desk
from agent_shell_cli.repl.keyboard import Keyboard
from agent_shell_cli.repl.keys import key_bindings
from agent_shell_cli.repl.mentions import Attaching
from agent_shell_cli.repl.owner import Owner
from agent_shell_cli.repl.painting import preload
from agent_shell_cli.repl.plain import told
from agent_shell_cli.repl.prompting import Later, Prompt
from agent_shell_cli.repl.questions import Questions
from agent_shell_cli.repl.renderer import Renderer
from agent_shell_cli.repl.router import Send
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.switch import Switch
from agent_shell_cli.repl.terminal import FrameOutput
from agent_shell_cli.repl.view import Snapshot, View
from agent_shell_cli.signals import terminations
from agent_shell_cli.workbench import Workbench

__all__ = ["Opened", "Shell"]

# How long an agent may take to heed that it is to stop, when the user leaves.
_STOP_S = 1.0


@record
class Opened:
    """A session, owned or attached to, with its journal and its events.

    `questions` are those of its tools, which are on `bench`.
    """

    journal: Journal
    observer: Observer
    session: Session | Attached
    questions: Questions
    bench: Workbench


class Shell:
    """A live prompt over one session; made and run inside the event loop, where it may stand."""

    def __init__(
        self,
        options: ChatOptions,
        switch: Switch,
        opened: Opened,
        prompt: Prompt,
    ) -> None:
        self._options = options
        self._switch = switch
        self._terminal = prompt.terminal
        self._journal = opened.journal
        self.session = opened.session
        self._observer = opened.observer
        self._view = View()
        self._renderer = Renderer(self._view, self._snapshot, prompt)
        self._speaker = Speaker(self._view, self._renderer, prompt)
        self._view.raw = options.settings.raw
        self._desk = Desk(
            options,
            opened.journal,
            switch,
            self._view,
            self._speaker,
            self._write,
            lambda: self._renderer.width,
        )
        self._approving = Approving(
            opened.questions,
            self._view,
            self._speaker,
            self._renderer,
            opened.bench,
            self._desk.note_asked,
            self._publish,
        )
        self.owner: Owner | None = None
        self._prompt = prompt
        self._draft = prompt.draft
        self._folds = prompt.folds
        self._completing = Later(self._completer)
        prompt.app.after_render += self._approving.drawn
        prompt.draft.on_text_changed += self._typed
        self._tasks: set[asyncio.Task[None]] = set()
        self._keyboard = Keyboard(
            self,
            options,
            prompt,
            self._completing,
            self._view,
            self._speaker,
            self._desk,
            self._approving,
            Attaching(switch, self._speaker.say, prompt.folds),
        )
        self._stands = asyncio.Event()  # the prompt, for the first time
        self._ended_by: Exit | None = None

    async def run(self) -> int:
        """Runs until the user leaves, the terminal goes away or a signal ends it.

        Returns the exit code: `TERMINATED` for a signal, `REFUSED` where another
        process took the session over, `INCOMPLETE` if a follow-up failed, was
        cancelled or is left, else `OK`.
        """
        watching = self.spawn(self._watch())
        self.spawn(self._renderer.run())
        output = self._terminal.output
        if isinstance(output, FrameOutput):
            output.on_gone = self._terminate
        with terminations(lambda _: self._terminate()):
            try:
                self._prompt.show(self._renderer, self._speaker.say)
                await self._begin()
                bindings = key_bindings(self._keyboard, self._folds)
                await self._prompt.serve(bindings, self._completing)
                self._preload()
                await self._prompt.over()
            except EOFError:
                self._ended_by = Exit.TERMINATED  # the terminal has gone
                self._keep_draft()
            finally:
                left = await self._wind_down(watching)
        if self._ended_by is not None:
            return self._ended_by
        return Exit.INCOMPLETE if left or self._view.unanswered else Exit.OK

    async def _begin(self) -> None:
        self._greet()
        if isinstance(self.session, Attached):
            self.session.on_asked = self._see_what_is_asked
            self.spawn(self._succeed(self.session))
        else:
            owner = self._own(self.session)
            await owner.recall()
            owner.come_back()
        if self._options.prompt is not None:
            self.spawn(self._keyboard.submit(Send(self._options.prompt, Lane.QUEUE)))

    def _publish(self, question: str) -> None:
        """Has the shells that are attached see what is asked here."""
        if isinstance(self._journal, SqliteJournal):
            self._journal.note(self.session.key, question)

    def _see_what_is_asked(self) -> None:
        """The owner's user is asked something, or nothing any more."""
        asked = self._snapshot().asked_there
        self._speaker.tell_linear(
            f"only process {self.attached} can answer: {asked}"
            if asked
            else f"process {self.attached} is asked nothing any more"
        )
        self._renderer.touch()

    async def _succeed(self, attached: Attached) -> None:
        """Takes the session over when its owner is gone."""
        session = await attached.run()
        if session is not None:
            self.session = session
            self._speaker.say(
                f"process {attached.owner.pid} no longer has the session: this shell does"
            )
            self._own(session).come_back(attached.running)

    def _own(self, session: Session) -> Owner:
        """Begins to answer."""
        self.owner = Owner(
            session,
            self._journal,
            self._view,
            self._speaker,
            self._options.interrupted,
            self._draft,
            self._folds,
        )
        self._switch.start(self._speaker.loading, self._stands)
        if isinstance(self._journal, SqliteJournal):
            self.spawn(adopt_inbox(session, self._journal))
        return self.owner

    async def _wind_down(self, watching: asyncio.Task[None]) -> int:
        """Ends what runs, shows the rest of it, and returns how many are left in the queue."""
        self._view.leaving = True
        try:
            await self._keyboard.sent(_STOP_S)
            left = await self.session.close(drain=False, timeout=_STOP_S)
            self._observer.close()
            rest = self._tasks - {watching}
            for task in rest:
                task.cancel()
            await asyncio.gather(watching, *rest, return_exceptions=True)
            count = max(len(left), self.session.waiting_count)
            if count and self._ended_by is not Exit.REFUSED:
                self._desk.say_left(left, count, self.attached)
            await self._renderer.commit()
            return count
        finally:
            await self._switch.close()

    async def _watch(self) -> None:
        async for event in self._observer:
            if self.owner is not None:
                await self.owner.meet(event)
            number = self._number(event)
            self._view.fold(event, self._snapshot())
            if self._terminal.linear:
                # A receipt ends a number, and an acceptance gives it.
                self._speaker.tell(told(event, number or self._number(event)))
            if isinstance(event, Receipt | TurnEnded):
                self._desk.note(event, number)
            if not isinstance(event, TurnDelta):
                self._view.status = self._desk.status(self.session.waiting_count)
            self._heed(event)
            self._renderer.touch()

    def _number(self, event: Event) -> int:
        id: str = getattr(event, "id", "")
        return self._view.number(id)

    def _heed(self, event: Event) -> None:
        """What an event means beyond being shown."""
        if isinstance(event, SessionClosed) and not self._view.leaving:
            self._lose()
        if isinstance(event, Receipt | TurnStarted | FollowUpMoved) and self.owner is not None:
            waits = isinstance(event, FollowUpMoved) and event.position
            if not waits:
                self.owner.panel.gone(event.id)
        stop = self._options.on_failure is OnFailed.STOP
        if stop and isinstance(event, Receipt) and event.state is State.FAILED:
            self.leave(drain=False)

    def _lose(self) -> None:
        """Another process has taken the session over while this one was stopped."""
        self._ended_by = Exit.REFUSED
        self._speaker.say(
            f"session {printable_line(self.session.key)} was taken over by another process while "
            "this one was stopped: what it had accepted is there"
        )
        self._keep_draft()
        self._prompt.exit()

    def _keep_draft(self) -> None:
        """Puts what is being written among the earlier inputs: it goes with no terminal."""
        self._draft.append_to_history()
        if self.owner is not None:
            self.owner.panel.give_up()
            self._draft.append_to_history()  # what was kept aside for an edit

    def leave(self, *, drain: bool) -> None:
        """Leaves, when the queue is done or at once."""
        if self.owner is not None:
            self.owner.panel.give_up()  # what is edited would hold up the queue
            self.owner.panel.leave()
        if drain and self._terminal.linear:
            self._speaker.say("leaving when the queue is done; Ctrl+C leaves now")
        self._view.leaving = True
        self._renderer.touch()
        self.spawn(self._close(drain))

    async def _close(self, drain: bool) -> None:
        # Another owner may take its time.
        await self._keyboard.sent(None if drain and self.owner is not None else _STOP_S)
        await self.session.close(drain=drain, timeout=None if drain else _STOP_S)
        self._prompt.exit()

    def _terminate(self) -> None:
        self._ended_by = Exit.TERMINATED
        self._keep_draft()
        self.leave(drain=False)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Does it in the background; what it raises ends the shell."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._prompt.exit(error)  # it ends the prompt, and is the program's error

    def _greet(self) -> None:
        note = f"{self._switch.note}\n" if self._switch.note else ""
        self._speaker.say(
            f"agent-shell · {self._switch.name} · /help shows the commands\n{note}".rstrip()
        )

    def _snapshot(self) -> Snapshot:
        session, waiting = self.session, self.session.waiting
        beyond = session.waiting_count - len(waiting)
        return Snapshot(
            session.phase,
            session.hold,
            waiting,
            beyond,
            cut_off=session.cut_off is not None,
            attached=self.attached,
            asked_there=session.asked if isinstance(session, Attached) else "",
        )

    @property
    def attached(self) -> int | None:
        """The process that owns the session, where that is another one."""
        return self.session.owner.pid if isinstance(self.session, Attached) else None

    def _completer(self) -> Completer:
        # Imported here: the prompt stands before anything is completed.
        from agent_shell_cli.repl.completing import Completing
        from agent_shell_cli.repl.sources import sources

        desk, waiting = self._desk, lambda: self.session.waiting
        return Completing(sources(self._options, self._journal, desk, self._view, waiting))

    def _preload(self) -> None:
        """Now that the prompt stands: loads what the first answer and the first Tab will need."""
        self._stands.set()
        self.spawn(asyncio.to_thread(self._load))
        self.spawn(self._desk.look_at_custom())

    def _load(self) -> None:
        preload()
        self._completing.load()

    def _write(self, sequence: str) -> None:
        """Writes a sequence of our own, which moves nothing."""
        self._terminal.output.write_raw(sequence)
        self._terminal.output.flush()

    def _typed(self, _: object) -> None:
        self._keyboard.calm()
        if self.owner is not None:
            self.owner.panel.leave()  # whoever types is back at the draft
