"""One engine, one session, one loop over its events: scripted mode from start to end."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from agent_shell import HoldReason, JournalError, Lane, Limits, MemoryJournal, Session
from agent_shell.events import (
    Event,
    FollowUpAccepted,
    SessionClosed,
    SessionHeld,
    TurnDelta,
    TurnEnded,
    TurnStarted,
)
from agent_shell.observer import Observer
from agent_shell_cli.exits import Exit
from agent_shell_cli.models import Model
from agent_shell_cli.options import ChatOptions, InputForm
from agent_shell_cli.scripted.feed import Feed
from agent_shell_cli.scripted.lines import make_cutter
from agent_shell_cli.scripted.outputs import make_output
from agent_shell_cli.scripted.reader import Reader
from agent_shell_cli.scripted.report import Report
from agent_shell_cli.scripted.restoring import take_up
from agent_shell_cli.scripted.signals import Signals
from agent_shell_cli.scripted.writer import STDERR, STDOUT, Writer

if TYPE_CHECKING:
    from agent_shell.journal.sqlite import SqliteJournal

__all__ = ["Conversation"]

STDIN = 0
# Lines that may wait for their answers. Where a line can change what the running
# turn does it must not wait outside: then it is all that the queue takes.
_WINDOW = 1_000
# After a signal, in seconds: for the turn to end, then for the last output to be
# read, then for the model and the journal to be let go. Together less than two.
_TURN_S, _OUTPUT_S, _MODEL_S, _JOURNAL_S = 1.0, 0.3, 0.3, 0.3


class Conversation:
    """One run over an open session, whose events `observer` has from the first on."""

    def __init__(
        self,
        options: ChatOptions,
        model: Model,
        stdin: bool,
        journal: MemoryJournal | SqliteJournal,
        session: Session,
        observer: Observer,
    ) -> None:
        self._options = options
        self._model: Model = model
        self._model_started = False
        self._stdin = stdin
        self._journal = journal
        self._session = session
        self._observer = observer
        self._writer = Writer(self._write_failed)
        self._report = Report(self._to_stderr, terminal=_is_terminal(STDERR))
        terminal = _is_terminal(STDOUT)
        self._output = make_output(
            options.output, options.session, options.model, terminal=terminal
        )
        self._limits = Limits()
        self._feed = self._make_feed()
        self._feeding: asyncio.Task[None] | None = None
        self._adopting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._running: TurnStarted | None = None  # as far as it is told
        self._looked = asyncio.Event()  # into the inbox

    def _make_feed(self) -> Feed:
        options = self._options
        lanes = options.input is InputForm.JSONL or options.busy is not Lane.QUEUE
        return Feed(
            self._session,
            options.busy,
            self._limits.queue if lanes else _WINDOW,
            self._writer.drained,
            self._report.rejected,
        )

    async def run(self) -> int:
        """Until all is answered or something ends it; then the exit code."""
        with Signals(self._signalled), self._observer:
            self._greet()
            # All that waits for anything is in it, so that a signal ends that too.
            self._feeding = asyncio.create_task(self._read_and_submit())
            self._feeding.add_done_callback(self._ended)
            async for event in self._observer:
                self._take(event)
                if self._writer.full:
                    await self._writer.drained()
            if self._adopting is not None:
                self._adopting.cancel()
                await asyncio.wait({self._adopting})
            await self._finish()
        return self._report.code

    def denied(self, reason: str) -> None:
        """A tool was kept from something: nobody is here to be asked."""
        self._report.say(reason)

    def _greet(self) -> None:
        if self._model.note:
            self._report.say_on_screen(self._model.note)
        if self._stdin and _is_terminal(STDIN):
            self._report.say_on_screen("reading from the terminal; Ctrl-D ends the input")

    async def _adopt_inbox(self) -> None:
        """Takes in what other processes send to the session."""
        if isinstance(self._journal, MemoryJournal):
            self._looked.set()
        else:
            # Imported here: it needs SQLite, which is loaded where there is such a journal.
            from agent_shell.inbox import adopt_inbox

            await adopt_inbox(self._session, self._journal, self._looked)

    async def _read_and_submit(self) -> None:
        if await take_up(self._session, self._journal, self._options, self._report, self._output):
            self._start_model()
        self._adopting = asyncio.create_task(self._adopt_inbox())
        self._adopting.add_done_callback(self._ended)
        await self._looked.wait()  # what was sent to the session before goes first
        form, prompt = self._options.input, self._options.prompt
        source = None
        if self._stdin:
            joined = prompt if form is InputForm.TEXT else None
            source = Reader(STDIN, make_cutter(form, self._limits.text_bytes, joined))
            prompt = None if joined is not None else prompt
        await self._feed.run(prompt, source)
        await self._close(drain=True)
        self._observer.close()

    async def _close(self, *, drain: bool) -> None:
        try:
            await self._session.close(drain=drain, timeout=None if drain else _TURN_S)
        except JournalError as error:
            self._report.rejected(str(error), Exit.REFUSED)

    def _take(self, event: Event) -> None:
        text = self._output.take(event)
        if text:
            self._writer.write(STDOUT, text)
        # The most frequent ones mean nothing to the rest.
        if type(event) is TurnDelta:
            return
        if type(event) is TurnStarted or type(event) is TurnEnded:
            self._running = event if type(event) is TurnStarted else None
            return
        self._feed.take(event)
        self._report.take(event)
        if type(event) is FollowUpAccepted:
            self._start_model()
        elif type(event) is SessionHeld:
            if event.until is None and event.reason is not HoldReason.RESTORED:
                self._stop("hold")  # nobody is there to release it
        elif type(event) is SessionClosed and not self._feed.ended:
            self._stop("another owner")

    def _start_model(self) -> None:
        if not self._model_started:
            self._model_started = True
            self._model.start(self._report.progress)

    def _signalled(self, code: Exit, name: str) -> None:
        self._report.call_for(code)
        if not self._hurry.is_set():
            self._hurry.set()
            self._report.say("interrupted" if code is Exit.INTERRUPTED else f"ended by {name}")
        self._writer.let_go()
        self._stop(name)

    def _write_failed(self, fd: int, error: OSError) -> None:
        if fd != STDOUT:
            return
        self._report.call_for(Exit.INCOMPLETE)
        if isinstance(error, BrokenPipeError):
            self._report.be_quiet()  # as any program before `head`
        else:
            self._report.say(f"standard output can't be written: {error.strerror}")
        self._stop("closed output")

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._stop("an internal error")

    def _stop(self, by: str) -> None:
        """Ends the session: no more input, no further turn, and the queue is left."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._end(by))
            # The event of the end may not come, for a journal that fails keeps it back.
            self._stopping.add_done_callback(lambda _: self._observer.close())

    async def _end(self, by: str) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
        self._session.interrupt(by)
        await self._close(drain=False)

    async def _finish(self) -> None:
        """Says what is left, writes the last of the output and lets go of the model."""
        assert self._feeding is not None
        await asyncio.wait({self._feeding, self._stopping or self._feeding})
        self._say_what_is_left()
        for piece in self._output.end():
            self._writer.write(STDOUT, piece)
            if self._writer.full:
                await self._writer.drained()
        written = await self._in_time(self._writer.close(), _OUTPUT_S)
        let_go = await self._in_time(self._model.close(), _MODEL_S)
        closed = await self._in_time(self._journal.close(), _JOURNAL_S)
        tasks = (self._feeding, self._adopting, self._stopping)
        # Each is looked at: of what nobody has seen, the loop would write a traceback.
        errors = [task.exception() for task in tasks if task is not None and not task.cancelled()]
        for error in filter(None, errors):
            raise error
        if not (written and let_go and closed and len(asyncio.all_tasks()) == 1):
            # What still runs would keep the interpreter from its end.
            os._exit(self._report.code)

    def _say_what_is_left(self) -> None:
        if self._running is not None:
            self._report.unended(self._running)
        left = self._session.waiting_count
        self._report.left(left, self._session.waiting, self._command_to_go_on())
        if not self._feed.ended:
            self._report.call_for(Exit.INCOMPLETE)
            self._report.say(f"the input was {self._feed.progress}")
        self._report.summary(left)

    def _command_to_go_on(self) -> str | None:
        if self._options.journal == "memory":
            return None
        named = () if self._options.journal is None else ("--journal", self._options.journal)
        return shlex.join(("agent-shell", "chat", "-s", self._options.session, *named))

    async def _in_time(self, step: Coroutine[object, object, None], seconds: float) -> bool:
        """Whether the step was done: it has all the time, but after a signal only so much."""
        task, hurry = asyncio.create_task(step), asyncio.create_task(self._hurry.wait())
        await asyncio.wait({task, hurry}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({task}, timeout=seconds)
        hurry.cancel()
        await asyncio.wait({hurry})
        if task.done():
            task.result()
        return task.done()

    def _to_stderr(self, text: str) -> None:
        self._writer.write(STDERR, text)


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
