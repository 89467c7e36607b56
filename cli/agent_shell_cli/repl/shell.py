"""The live prompt: keys in, a session's answers out, until the user leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.document import Document

from agent_shell import (
    Journal,
    Lane,
    Observer,
    Phase,
    Refused,
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
from agent_shell_cli.repl.approving import ANSWERS, Approving
from agent_shell_cli.repl.desk import Desk
from agent_shell_cli.repl.keys import key_bindings
from agent_shell_cli.repl.mentions import Attaching
from agent_shell_cli.repl.owner import LISTED, Owner
from agent_shell_cli.repl.painting import preload
from agent_shell_cli.repl.plain import told
from agent_shell_cli.repl.prompting import Later, Prompt, complete, complete_in_lines
from agent_shell_cli.repl.questions import Questions
from agent_shell_cli.repl.renderer import Renderer
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
from agent_shell_cli.repl.switch import Switch
from agent_shell_cli.repl.terminal import FrameOutput
from agent_shell_cli.repl.view import Snapshot, View
from agent_shell_cli.signals import terminations
from agent_shell_cli.verbs import COMMANDS, Act, Mode, Verb
from agent_shell_cli.workbench import Workbench

__all__ = ["Opened", "Shell"]

# How long an agent may take to heed that it is to stop, when the user leaves.
_STOP_S = 1.0
_OWNERS = frozenset(command.verb for command in COMMANDS if command.owners)


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
        self._session = opened.session
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
        self._owner: Owner | None = None
        self._prompt = prompt
        self._draft = prompt.draft
        self._folds = prompt.folds
        self._completing = Later(self._completer)
        prompt.app.after_render += self._approving.drawn
        prompt.draft.on_text_changed += self._typed
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._sends: set[asyncio.Task[None]] = set()
        self._attaching = Attaching(self._switch, self._speaker.say, self._folds)
        self._stands = asyncio.Event()  # the prompt, for the first time
        self._warned = False  # that the next Ctrl-C leaves
        self._in_editor = False
        self._ended_by: Exit | None = None

    async def run(self) -> int:
        """Runs until the user leaves, the terminal goes away or a signal ends it.

        Returns the exit code: `TERMINATED` for a signal, `REFUSED` where another
        process took the session over, `INCOMPLETE` if a follow-up failed, was
        cancelled or is left, else `OK`.
        """
        watching = self._spawn(self._watch())
        self._spawn(self._renderer.run())
        output = self._terminal.output
        if isinstance(output, FrameOutput):
            output.on_gone = self._terminate
        with terminations(lambda _: self._terminate()):
            try:
                self._prompt.show(self._renderer, self._speaker.say)
                await self._begin()
                await self._prompt.serve(key_bindings(self, self._folds), self._completing)
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
        if isinstance(self._session, Attached):
            self._session.on_asked = self._see_what_is_asked
            self._spawn(self._succeed(self._session))
        else:
            owner = self._own(self._session)
            await owner.recall()
            owner.come_back()
        if self._options.prompt is not None:
            self._spawn(self._submit(Send(self._options.prompt, Lane.QUEUE)))

    def _publish(self, question: str) -> None:
        """Has the shells that are attached see what is asked here."""
        if isinstance(self._journal, SqliteJournal):
            self._journal.note(self._session.key, question)

    def _see_what_is_asked(self) -> None:
        """The owner's user is asked something, or nothing any more."""
        asked = self._snapshot().asked_there
        self._speaker.tell_linear(
            f"only process {self._attached} can answer: {asked}"
            if asked
            else f"process {self._attached} is asked nothing any more"
        )
        self._renderer.touch()

    async def _succeed(self, attached: Attached) -> None:
        """Takes the session over when its owner is gone."""
        session = await attached.run()
        if session is not None:
            self._session = session
            self._speaker.say(
                f"process {attached.owner.pid} no longer has the session: this shell does"
            )
            self._own(session).come_back(attached.running)

    def _own(self, session: Session) -> Owner:
        """Begins to answer."""
        self._owner = Owner(
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
            self._spawn(adopt_inbox(session, self._journal))
        return self._owner

    async def _wind_down(self, watching: asyncio.Task[None]) -> int:
        """Ends what runs, shows the rest of it, and returns how many are left in the queue."""
        self._view.leaving = True
        try:
            await self._sent(drain=False)
            left = await self._session.close(drain=False, timeout=_STOP_S)
            self._observer.close()
            rest = self._tasks - {watching}
            for task in rest:
                task.cancel()
            await asyncio.gather(watching, *rest, return_exceptions=True)
            count = max(len(left), self._session.waiting_count)
            if count and self._ended_by is not Exit.REFUSED:
                self._desk.say_left(left, count, self._attached)
            await self._renderer.commit()
            return count
        finally:
            await self._switch.close()

    # What the keys do

    @property
    def mode(self) -> Mode:
        """What the keys are about."""
        return Mode.WRITING if self._owner is None else self._owner.panel.mode

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
                self._calm()
                self._spawn(self._stop())
            case Act.END:
                self._calm()
                self._leave(drain=True)
            case Act.COMPLETE if self._terminal.linear:
                self._spawn(complete_in_lines(self._completing, draft, self._speaker.say))
            case Act.COMPLETE:
                complete(draft)
            case Act.EDITOR:
                self._calm()
                self._in_editor = True
                self._spawn(self._edit(draft))
            case Act.UNDO:
                self._calm()
                self._begin_action(Call(Verb.UNDO))
            case _ if act in ANSWERS:
                self._calm()
                self._approving.act(act)
            case _:
                self._calm()
                self._arrange(act)

    def on_nothing(self, key: str) -> None:
        """Says so: a key that does nothing leaves one to guess."""
        self._calm()
        self._speaker.notice(f"{key} means nothing here")

    def _enter(self, draft: Buffer, lane: Lane | None) -> None:
        """Carries out what the draft means; it stays where that was refused."""
        self._calm()
        text = self._folds.expanded(draft.text)
        action = route(text, self._situation(), lane)
        if isinstance(action, Complain):
            self._speaker.notice(action.text)
            return
        if text != draft.text and isinstance(action, Send):
            # What was pasted may come from anybody: no file that it mentions is attached.
            action = replace(action, typed=draft.text)
        draft.reset(append_to_history=True)
        if self._owner is not None:
            self._owner.panel.sent()
        self._begin_action(action)

    def _begin_action(self, action: Action) -> None:
        """Carries it out: inputs at once, commands after all that was asked for before them."""
        is_call = isinstance(action, Call)
        if isinstance(action, Call) and self._approving.rule(action):
            return  # at once, whatever else is under way
        after = set(self._calls)
        if is_call and self._owner is not None:  # another owner may take its time
            after |= self._sends
        task = self._spawn(self._carry_out(action, after))
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
            self._calm()
            draft.reset()
        else:
            self._spawn(self._interrupt())

    def _arrange(self, act: Act) -> None:
        if self._owner is None:
            self._speaker.notice(f"only process {self._attached} can change its queue")
        elif not self._view.leaving:
            waiting = [follow_up.id for follow_up in self._session.waiting]
            self._owner.panel.act(act, waiting)

    # What they ask for: in tasks, which begin in the order of the keys

    async def _carry_out(self, action: Action, after: set[asyncio.Task[None]]) -> None:
        if after:
            await asyncio.wait(after)
            await asyncio.sleep(0)  # what was accepted just now gets its number
        match action:
            case Send():
                await self._submit(action)
            case Resume() if self._owner is not None:
                self._owner.session.release()
            case Call():
                await self._call(action)
            case _:
                pass

    async def _interrupt(self) -> None:
        pressed = route_interrupt("", self._situation(), self._warned)
        self._calm()
        if pressed is Pressed.INTERRUPT and self._owner is not None:
            self._owner.session.interrupt()
        elif pressed is Pressed.LEAVE:
            self._leave(drain=False)
        elif not self._desk.stop_asking():
            self._warned = True
            self._speaker.notice("press Ctrl+C again to leave")

    async def _stop(self) -> None:
        if route_stop(self._situation()) is Pressed.INTERRUPT and self._owner is not None:
            self._owner.session.interrupt()
        else:
            self._desk.stop_asking()

    async def _call(self, call: Call) -> None:
        match call.verb:
            case Verb.QUEUE:
                waiting, count = self._session.waiting, self._session.waiting_count
                self._speaker.say(self._speaker.listing(waiting, count, LISTED) or "nothing waits")
            case Verb.EXIT:
                self._leave(drain=True)
            case Verb.BTW:
                self._spawn(self._desk.ask(call.text, self._session.key))
            case _ if call.verb in _OWNERS:
                if self._owner is not None:
                    await self._rule(self._owner, call)
            case _:
                await self._desk.serve(call)

    async def _rule(self, owner: Owner, call: Call) -> None:
        try:
            await owner.rule(call)
        except Refused as error:
            self._speaker.notice(f"/{call.verb}: {error}")

    # What happens in the background

    async def _watch(self) -> None:
        async for event in self._observer:
            if self._owner is not None:
                await self._owner.meet(event)
            number = self._number(event)
            self._view.fold(event, self._snapshot())
            if self._terminal.linear:
                # A receipt ends a number, and an acceptance gives it.
                self._speaker.tell(told(event, number or self._number(event)))
            if isinstance(event, Receipt | TurnEnded):
                self._desk.note(event, number)
            if not isinstance(event, TurnDelta):
                self._view.status = self._desk.status(self._session.waiting_count)
            self._heed(event)
            self._renderer.touch()

    def _number(self, event: Event) -> int:
        id: str = getattr(event, "id", "")
        return self._view.number(id)

    def _heed(self, event: Event) -> None:
        """What an event means beyond being shown."""
        if isinstance(event, SessionClosed) and not self._view.leaving:
            self._lose()
        if isinstance(event, Receipt | TurnStarted | FollowUpMoved) and self._owner is not None:
            waits = isinstance(event, FollowUpMoved) and event.position
            if not waits:
                self._owner.panel.gone(event.id)
        stop = self._options.on_failure is OnFailed.STOP
        if stop and isinstance(event, Receipt) and event.state is State.FAILED:
            self._leave(drain=False)

    async def _submit(self, action: Send) -> None:
        if action.release and self._owner is not None:
            self._owner.session.release()
        text = action.text + await self._attaching.behind(action.mentions)
        try:
            await self._session.submit(text, lane=action.lane, sender=action.sender)
        except Refused as error:
            draft = self._draft
            if not draft.text:
                draft.document = Document(action.text)
            self._speaker.notice(f"not accepted: {error}")

    def _lose(self) -> None:
        """Another process has taken the session over while this one was stopped."""
        self._ended_by = Exit.REFUSED
        self._speaker.say(
            f"session {printable_line(self._session.key)} was taken over by another process while "
            "this one was stopped: what it had accepted is there"
        )
        self._keep_draft()
        self._prompt.exit()

    def _keep_draft(self) -> None:
        """Puts what is being written among the earlier inputs: it goes with no terminal."""
        self._draft.append_to_history()
        if self._owner is not None:
            self._owner.panel.give_up()
            self._draft.append_to_history()  # what was kept aside for an edit

    def _leave(self, *, drain: bool) -> None:
        if self._owner is not None:
            self._owner.panel.give_up()  # what is edited would hold up the queue
            self._owner.panel.leave()
        if drain and self._terminal.linear:
            self._speaker.say("leaving when the queue is done; Ctrl+C leaves now")
        self._view.leaving = True
        self._renderer.touch()
        self._spawn(self._close(drain))

    async def _sent(self, drain: bool) -> None:
        """Waits until what was sent before is accepted: a file that it mentions takes a moment."""
        if self._sends:
            # Another owner may take its time.
            wait = drain and self._owner is not None
            await asyncio.wait(set(self._sends), timeout=None if wait else _STOP_S)

    async def _close(self, drain: bool) -> None:
        await self._sent(drain)
        await self._session.close(drain=drain, timeout=None if drain else _STOP_S)
        self._prompt.exit()

    def _terminate(self) -> None:
        self._ended_by = Exit.TERMINATED
        self._keep_draft()
        self._leave(drain=False)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._prompt.exit(error)  # it ends the prompt, and is the program's error

    # What is said

    def _greet(self) -> None:
        note = f"{self._switch.note}\n" if self._switch.note else ""
        self._speaker.say(
            f"agent-shell · {self._switch.name} · /help shows the commands\n{note}".rstrip()
        )

    def _calm(self) -> None:
        """The user has gone on: what the last notice said is over."""
        self._warned = False
        self._speaker.calm()

    # How it is made

    def _snapshot(self) -> Snapshot:
        session, waiting = self._session, self._session.waiting
        beyond = session.waiting_count - len(waiting)
        return Snapshot(
            session.phase,
            session.hold,
            waiting,
            beyond,
            cut_off=session.cut_off is not None,
            attached=self._attached,
            asked_there=session.asked if isinstance(session, Attached) else "",
        )

    @property
    def _attached(self) -> int | None:
        """The process that owns the session, where that is another one."""
        return self._session.owner.pid if isinstance(self._session, Attached) else None

    def _situation(self) -> Situation:
        session, hold = self._session, self._session.hold
        return Situation(
            running=session.phase is Phase.RUNNING,
            stopping=session.phase is Phase.STOPPING,
            hold=None if hold is None else hold.reason,
            waiting=session.waiting_count,
            leaving=self._view.leaving,
            busy=self._options.busy,
            cut_off=session.cut_off is not None,
            failed=self._view.unanswered_text is not None or self._view.put_back,
            attached=self._attached,
            asked=self._approving.asked,
            custom=self._desk.custom.text,
        )

    def _completer(self) -> Completer:
        # Imported here: the prompt stands before anything is completed.
        from agent_shell_cli.repl.completing import Completing
        from agent_shell_cli.repl.sources import sources

        desk, waiting = self._desk, lambda: self._session.waiting
        return Completing(sources(self._options, self._journal, desk, self._view, waiting))

    def _preload(self) -> None:
        """Now that the prompt stands: loads what the first answer and the first Tab will need."""
        self._stands.set()
        self._spawn(asyncio.to_thread(self._load))
        self._spawn(self._desk.look_at_custom())

    def _load(self) -> None:
        preload()
        self._completing.load()

    def _write(self, sequence: str) -> None:
        """Writes a sequence of our own, which moves nothing."""
        self._terminal.output.write_raw(sequence)
        self._terminal.output.flush()

    def _typed(self, _: object) -> None:
        self._calm()
        if self._owner is not None:
            self._owner.panel.leave()  # whoever types is back at the draft
