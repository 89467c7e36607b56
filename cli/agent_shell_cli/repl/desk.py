"""The commands that are about the session as a whole, and not about what waits."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent_shell import AgentShellError, FollowUp, Journal, State
from agent_shell.errors import reason_of
from agent_shell.events import Receipt, TurnEnded
from agent_shell.journal.sqlite import SqliteJournal, catalog
from agent_shell.paths import expanded
from agent_shell_cli.config import listing as config_listing
from agent_shell_cli.config import load
from agent_shell_cli.counting import counted
from agent_shell_cli.custom import CustomCommands
from agent_shell_cli.options import ChatOptions
from agent_shell_cli.printable import printable_line
from agent_shell_cli.repl.aside import ask_aside
from agent_shell_cli.repl.copying import copy, osc52
from agent_shell_cli.repl.notify import notification
from agent_shell_cli.repl.owner import LISTED
from agent_shell_cli.repl.restored import kept
from agent_shell_cli.repl.router import Call
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.spending import Spending, status
from agent_shell_cli.repl.switch import Switch
from agent_shell_cli.repl.view import Beside, View
from agent_shell_cli.resuming import new_key
from agent_shell_cli.verbs import Verb, help_text, keys_text
from agent_shell_cli.workbench import working_folder

__all__ = ["Desk"]

# Answers that `/copy N` can still reach, and turns that an aside is asked with.
_ANSWERS = 100
_PAST = 100
# Of what is left in the journal, so many are named.
_LEFT = 9
_LINES = 500
_FORMS = {".md": "md", ".html": "html", ".json": "json"}


class Desk:
    """Keeps what a session has used and answered, and carries such commands out.

    `write` puts a sequence of ours on the terminal; `width` gives its columns.
    """

    def __init__(
        self,
        options: ChatOptions,
        journal: Journal,
        switch: Switch,
        view: View,
        speaker: Speaker,
        write: Callable[[str], None],
        width: Callable[[], int],
    ) -> None:
        self._options = options
        self._journal = journal
        self._switch = switch
        self._view = view
        self._speaker = speaker
        self._write = write
        self._width = width
        self._spending = Spending()
        self._folder = working_folder().name
        self._asking = set[asyncio.Task[Any] | None]()
        self.custom = CustomCommands(options.places)
        self._answers: deque[tuple[int, str]] = deque(maxlen=_ANSWERS)

    def status(self, count: int) -> str:
        """The status line, where `count` follow-ups wait."""
        names = {
            "model": self._switch.name,
            "session": self._options.session,
            "folder": self._folder,
        }
        parts = self._options.settings.status
        return printable_line(status(parts, self._spending, names, count))

    def note(self, event: Receipt | TurnEnded, number: int) -> None:
        """Keeps what the end of a turn tells; rings where it took long."""
        if isinstance(event, Receipt):
            if event.state is State.ANSWERED:
                self._answers.append((number, event.answer))
            return
        self._spending.add(event)
        self._ring(self._view.text(event.id), event.elapsed_s, "answered")

    def note_asked(self) -> None:
        """A tool asks: rings where its turn has taken long."""
        if (running := self._view.running) is not None:
            self._ring(running.text, time.time() - running.since, "waits for your answer")

    def _ring(self, text: str, seconds: float, what: str) -> None:
        settings = self._options.settings
        said = notification(
            text,
            seconds,
            after_s=settings.notify_after_s,
            bell=settings.bell,
            desktop=settings.notify,
            env=os.environ,
            what=what,
        )
        if said:
            self._write(said)

    def answered(self) -> list[tuple[str, str]]:
        """The numbers of the answers that can be copied, the last first, and how they begin."""
        return [(str(number), text) for number, text in reversed(self._answers) if number]

    def say_left(self, left: Sequence[FollowUp], count: int, attached: int | None) -> None:
        """Says what no turn has answered: `count` in all; of process `attached`, if given."""
        said, listing = counted(count, "follow-up"), self._speaker.listing
        if attached is not None:
            queue = f"left in the queue of process {attached}"
            self._speaker.say(f"{said} {queue}:\n{listing(left, count, LISTED)}")
        elif isinstance(self._journal, SqliteJournal):
            self._speaker.say(f"{listing(left, count, _LEFT)}\n{kept(count, self._options)}")
        else:
            lost = listing(left, count, count)
            self._speaker.say(f"{said} dropped, which no turn answered:\n{lost}")

    async def serve(self, call: Call) -> None:
        """Carries the command out; says what came of it."""
        try:
            await self._serve(call)
        except UnicodeEncodeError:
            # What came from the terminal may be bytes that are no text.
            self._speaker.notice(f"/{call.verb}: what is named is not Unicode")
        except (AgentShellError, OSError) as error:
            self._speaker.notice(f"/{call.verb}: {reason_of(error)}")

    async def _serve(self, call: Call) -> None:
        match call.verb:
            case Verb.HELP:
                await self._help()
            case Verb.KEYS:
                self._speaker.say(keys_text())
            case Verb.RAW:
                self._toggle_raw()
            case Verb.COMPACT:
                self._speaker.say(self._switch.compact(call.text))
            case Verb.TOOLS:
                bench = self._switch.bench
                without = f"{self._switch.name} uses no tools; models of providers do"
                self._speaker.say(without if bench is None else await bench.listing())
            case Verb.COST:
                self._speaker.say(self._spending.text())
            case Verb.CONFIG:
                self._speaker.say("\n".join(config_listing(load())))
            case Verb.COPY:
                await self._copy(call.number)
            case Verb.SESSIONS:
                await self._sessions(call.text)
            case Verb.EXPORT:
                await self._export(call.text)
            case Verb.FORK:
                await self._fork(call.text)
            case _:
                pass

    async def look_at_custom(self) -> None:
        """Says which commands of the user's own can't be used, and why."""
        _, problems = await asyncio.to_thread(self.custom.listing)
        if problems:
            self._speaker.say("\n".join(problems))

    async def ask(self, question: str, key: str) -> None:
        """Asks the model beside the session; the answer is seen as it comes, and stays when whole.

        Cancelled by `stop_asking`, what was answered so far stays.
        """
        beside, partial, problem = self._view.ask_beside(question), self._said_so_far(), ""
        self._asking.add(asyncio.current_task())
        self._speaker.refresh()
        if self._speaker.linear:
            self._speaker.say("asking beside the session …")
        try:
            past = await self._journal.history(key, _PAST)
            agent = self._switch.agent
            await ask_aside(agent, key, question, past, partial, self._growing(beside))
        except asyncio.CancelledError:
            problem = "stopped"
            raise
        except Exception as error:  # whatever an agent raises is told, as that of a turn is
            problem = f"failed: {printable_line(reason_of(error))}"
        finally:
            self._asking.discard(asyncio.current_task())
            self._view.end_beside(beside, problem)
            self._speaker.refresh()

    def stop_asking(self) -> bool:
        """Stops what is asked beside the session; whether there was anything."""
        for task in self._asking:
            if task is not None:
                task.cancel()
        return bool(self._asking)

    def _said_so_far(self) -> tuple[str, str] | None:
        """The text of the turn that runs, and its answer so far."""
        running = self._view.running
        if running is None or running.is_command:
            return None
        return running.text, "".join(running.said)

    def _growing(self, beside: Beside) -> Callable[[str], None]:
        def tell(text: str) -> None:
            beside.answer.feed(text)
            self._speaker.refresh()

        return tell

    async def _help(self) -> None:
        found, _ = await asyncio.to_thread(self.custom.listing)
        own = [(command.name, f"{command.help} ({command.source})") for command in found]
        self._speaker.say(help_text(own))

    def _toggle_raw(self) -> None:
        self._view.raw = not self._view.raw
        how = "as they are written" if self._view.raw else "as Markdown"
        self._speaker.notice(f"from the next one on, answers are shown {how}")

    async def _copy(self, number: int) -> None:
        found = [one for one in self._answers if number in (0, one[0])]
        if not found:
            self._speaker.notice(f"there is no answer{f' {number}' if number else ''} to copy")
            return
        number, text = found[-1]
        by = await copy(text)
        if by is None:
            sequence = osc52(text, os.environ)
            if sequence is None or self._speaker.linear:
                self._speaker.notice("the clipboard can't be reached from here; /export writes it")
                return
            self._write(sequence)
            by = "the terminal, where it allows that"
        self._speaker.notice(f"answer {number}: {len(text):,} characters copied by {by}")

    async def _sessions(self, key: str) -> None:
        # Imported here and below: few look at other sessions, or take one along.
        from agent_shell_cli.sessions.listing import listing

        path = self._file().path
        if not key:
            lines = await asyncio.to_thread(listing, path, self._width())
        else:
            from agent_shell_cli.sessions.showing import shown

            lines = await asyncio.to_thread(shown, path, key)
            if len(lines) > _LINES:
                lines = [f"the last {_LINES:,} of {len(lines):,} lines:", *lines[-_LINES:]]
        self._speaker.say("\n".join(lines))

    async def _export(self, named: str) -> None:
        file, key = self._file().path, self._options.session
        self._speaker.notice(await asyncio.to_thread(_exported, file, key, named))

    async def _fork(self, named: str) -> None:
        key, new = self._options.session, named or new_key(self._options.journal)
        left = await self._file().change(lambda c: catalog.fork(c, key, new, time.time()))
        rest = f"; {left:,} that wait or run stay here alone" if left else ""
        self._speaker.say(f"copied to session {new}: agent-shell chat -s {shlex.quote(new)}{rest}")

    def _file(self) -> SqliteJournal:
        if not isinstance(self._journal, SqliteJournal):
            raise AgentShellError("this session is in memory alone; --journal names a file")
        return self._journal


def _exported(journal: Path, key: str, named: str) -> str:
    """Writes the session to the file that is named; what came of it."""
    from agent_shell_cli.sessions.exporting import export

    path = expanded(named or re.sub(r"[^\w.-]+", "-", f"{key}.md"))
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        return f"{path} has to end in .md, .html or .json"
    if path.exists():
        return f"{path} is there already: name another file"
    export(journal, key, form, str(path))
    return f"the session is in {path.absolute()}"
