"""The live prompt: keys in, a session's answers out, until the user leaves."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from agent_shell import Engine, FollowUp, Lane, NotWaiting, OnFailure, Phase, Refused, State
from agent_shell.events import Event, FollowUpAccepted, Receipt
from agent_shell_cli.exits import Exit
from agent_shell_cli.models import Model
from agent_shell_cli.options import ChatOptions, OnFailed
from agent_shell_cli.repl.history import InputHistory
from agent_shell_cli.repl.keys import Draft, key_bindings
from agent_shell_cli.repl.live import waiting_line
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.renderer import Renderer
from agent_shell_cli.repl.router import (
    Action,
    Call,
    Complain,
    Pressed,
    Resume,
    Send,
    Situation,
    Verb,
    help_text,
    route,
    route_interrupt,
)
from agent_shell_cli.repl.terminal import FrameOutput, Terminal
from agent_shell_cli.repl.view import Snapshot, View, counted

__all__ = ["Shell"]

# How long an agent may take to heed that it is to stop, when the user leaves.
_STOP_S = 1.5
_REDRAW_S = 0.05
_LISTED = 50
_EVENTS = 100_000


class Shell:
    """One live prompt over one session; made and run inside the event loop.

    `folder` is where the inputs are kept.
    """

    def __init__(
        self, options: ChatOptions, model: Model, terminal: Terminal, look: Look, folder: Path
    ) -> None:
        hold = options.on_failure in (None, OnFailed.HOLD, OnFailed.STOP)
        engine = Engine(model.agent, on_failure=OnFailure.HOLD if hold else OnFailure.CONTINUE)
        self._options = options
        self._model = model
        self._terminal = terminal
        self._look = look
        self._session = engine.session(options.session)
        self._observer = self._session.observe(_EVENTS)
        self._view = View()
        self._renderer = Renderer(self._view, self._snapshot, terminal, look)
        self._prompt = self._make_prompt(InputHistory(folder, self._say))
        self._app = self._prompt.app
        self._renderer.attach(self._app)
        self._tasks: set[asyncio.Task[None]] = set()
        self._warned = False  # that the next Ctrl-C leaves
        self._ended_by: Exit | None = None

    async def run(self) -> int:
        """Runs until the user leaves, the terminal goes away or a signal ends it.

        Returns the exit code: `TERMINATED` for a signal, `INCOMPLETE` if a
        follow-up failed, was cancelled or is left, else `OK`.
        """
        watching = self._spawn(self._watch())
        showing = self._spawn(self._renderer.run())
        with self._signals():
            self._greet()
            self._model.start(self._show_loading)
            if self._options.prompt is not None:
                self._spawn(self._submit(Send(self._options.prompt, Lane.QUEUE)))
            try:
                await self._prompt.prompt_async(set_exception_handler=False)
            except EOFError:
                self._ended_by = Exit.TERMINATED  # the terminal has gone
            finally:
                left = await self._wind_down(watching, showing)
        if self._ended_by is not None:
            return self._ended_by
        return Exit.INCOMPLETE if left or self._view.unanswered else Exit.OK

    async def _wind_down(
        self, watching: asyncio.Task[None], showing: asyncio.Task[None]
    ) -> list[FollowUp]:
        """Ends what runs, shows the rest of it, and returns what is left in the queue."""
        try:
            left = await self._session.close(drain=False, timeout=_STOP_S)
            self._observer.close()
            showing.cancel()
            await asyncio.gather(watching, showing, return_exceptions=True)
            self._say_left(left)
            await self._renderer.commit()
            return left
        finally:
            await self._model.close()

    # What the keys do

    def on_enter(self, draft: Buffer) -> None:
        """Carries out what the draft means; it stays where that was refused."""
        self._calm()
        action = route(draft.text, self._situation())
        if isinstance(action, Complain):
            self._notice(action.text)
            return
        draft.reset(append_to_history=True)
        self._spawn(self._carry_out(action))

    def on_interrupt(self, draft: Buffer) -> None:
        """Clears the draft, else interrupts, else leaves; see `route_interrupt`."""
        pressed = route_interrupt(draft.text, self._situation(), self._warned)
        if pressed is Pressed.CLEAR_DRAFT:
            self._calm()
            draft.reset()
        else:
            self._spawn(self._interrupt())

    def on_end(self, _draft: Buffer, /) -> None:
        """Leaves, after what waits."""
        self._calm()
        self._leave(drain=True)

    # What they ask for: in tasks, which begin in the order of the keys

    async def _carry_out(self, action: Action) -> None:
        match action:
            case Send():
                await self._submit(action)
            case Resume():
                self._session.release()
            case Call():
                await self._call(action.verb)
            case _:
                pass

    async def _interrupt(self) -> None:
        pressed = route_interrupt("", self._situation(), self._warned)
        self._calm()
        if pressed is Pressed.INTERRUPT:
            self._session.interrupt()
        elif pressed is Pressed.LEAVE:
            self._leave(drain=False)
        else:
            self._warned = True
            self._notice("press Ctrl+C again to leave")

    async def _call(self, verb: Verb) -> None:
        match verb:
            case Verb.HELP:
                self._say(help_text())
            case Verb.QUEUE:
                await asyncio.sleep(0)  # what was accepted just now gets its number
                self._say(self._listing(self._session.waiting, _LISTED) or "nothing waits")
            case Verb.HOLD:
                self._session.put_on_hold()
            case Verb.RESUME:
                if self._session.hold is None:
                    self._notice("nothing is held")
                self._session.release()
            case Verb.CLEAR:
                await self._clear()
            case Verb.EXIT:
                self._leave(drain=True)

    # What happens in the background

    async def _watch(self) -> None:
        async for event in self._observer:
            self._view.fold(event, self._snapshot())
            self._heed(event)
            self._renderer.touch()

    def _heed(self, event: Event) -> None:
        """What an event means beyond being shown."""
        stop = self._options.on_failure is OnFailed.STOP
        if stop and isinstance(event, Receipt) and event.state is State.FAILED:
            self._leave(drain=False)
        if self._terminal.linear and isinstance(event, FollowUpAccepted) and event.position:
            self._say(f"waits as number {self._view.number(event.id)}")

    async def _submit(self, action: Send) -> None:
        if action.release:
            self._session.release()
        try:
            await self._session.submit(action.text, lane=action.lane)
        except Refused as error:
            draft = self._prompt.default_buffer
            if not draft.text:
                draft.document = Document(action.text)
            self._notice(f"not accepted: {error}")

    async def _clear(self) -> None:
        withdrawn = 0
        for id in [follow_up.id for follow_up in self._session.waiting]:
            with contextlib.suppress(NotWaiting, Refused):
                self._session.remove(id)
                withdrawn += 1
            if withdrawn % 1000 == 0:
                await asyncio.sleep(0)  # lets the screen and the running turn go on
        nothing = "nothing waits (Ctrl+L clears the screen)"
        self._say(f"{counted(withdrawn, 'follow-up')} withdrawn" if withdrawn else nothing)

    def _leave(self, *, drain: bool) -> None:
        if drain and self._terminal.linear:
            self._say("leaving when the queue is done; Ctrl+C leaves now")
        self._view.leaving = True
        self._renderer.touch()
        self._spawn(self._close(drain))

    async def _close(self, drain: bool) -> None:
        await self._session.close(drain=drain, timeout=None if drain else _STOP_S)
        self._exit()

    def _terminate(self) -> None:
        self._ended_by = Exit.TERMINATED
        self._leave(drain=False)

    def _exit(self, error: BaseException | None = None) -> None:
        if not self._app.is_running or self._app.is_done:
            return
        if error is None:
            self._app.exit()
        else:
            self._app.exit(exception=error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._exit(error)  # it ends the prompt, and is the program's error

    # What is said

    def _greet(self) -> None:
        note = f"{self._model.note}\n" if self._model.note else ""
        self._say(f"agent-shell · {self._model.name} · /help shows the commands\n{note}".rstrip())

    def _say(self, text: str) -> None:
        self._view.say(text)
        self._renderer.touch()

    def _say_left(self, left: list[FollowUp]) -> None:
        if left:
            waited = f"{counted(len(left), 'follow-up')} left, which no turn answered:"
            self._say(f"{waited}\n{self._listing(left, len(left))}")

    def _notice(self, text: str) -> None:
        if self._terminal.linear:
            self._say(text)
        self._view.notice = text
        self._renderer.touch()

    def _calm(self, _: object = None) -> None:
        """The user has gone on: what the last notice said is over."""
        self._warned = False
        if self._view.notice:
            self._view.notice = ""
            self._renderer.touch()

    def _show_loading(self, line: str) -> None:
        self._view.loading = line
        self._renderer.touch()

    def _listing(self, waiting: Sequence[FollowUp], limit: int) -> str:
        width = self._renderer.width
        lines = [
            waiting_line(self._view.number(f.id), f.text, self._look, width)
            for f in islice(waiting, limit)
        ]
        if len(waiting) > limit:
            lines.append(f"  {self._look.ellipsis} {len(waiting) - limit:,} more")
        return "\n".join(lines)

    # How it is made

    def _snapshot(self) -> Snapshot:
        session = self._session
        return Snapshot(session.phase, session.hold, session.waiting)

    def _situation(self) -> Situation:
        session, hold = self._session, self._session.hold
        return Situation(
            running=session.phase is Phase.RUNNING,
            stopping=session.phase is Phase.STOPPING,
            hold=None if hold is None else hold.reason,
            waiting=len(session.waiting),
            leaving=self._view.leaving,
            busy=self._options.busy,
        )

    def _make_prompt(self, history: InputHistory) -> PromptSession[None]:
        prompt: PromptSession[None] = PromptSession(
            self._renderer.message,
            multiline=True,
            style=self._look.style,
            color_depth=self._renderer.color_depth,
            history=history,
            key_bindings=key_bindings(self),
            input_processors=[Draft()],
            erase_when_done=True,
            complete_while_typing=False,
            input=self._terminal.input,
            output=self._terminal.output,
        )
        prompt.app.min_redraw_interval = _REDRAW_S
        prompt.default_buffer.on_text_changed += self._calm
        return prompt

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        names = ("SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        output = self._terminal.output
        if isinstance(output, FrameOutput):
            output.on_gone = self._terminate
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
            for number in numbers:
                loop.add_signal_handler(number, self._terminate)
        try:
            yield
        finally:
            with contextlib.suppress(NotImplementedError):
                for number in numbers:
                    loop.remove_signal_handler(number)
