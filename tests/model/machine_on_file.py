"""The same comparison over the real journal, with crashes, restarts and a short window."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from agent_shell import Lane
from agent_shell.events import Fact
from agent_shell.journal.sqlite import SqliteJournal
from model.machine import Compared

__all__ = ["ComparedOnFile"]


class CountedJournal(SqliteJournal):
    """Knows how much was put to its writer."""

    puts = 0

    def append(self, session_key: str, facts: Sequence[Fact]) -> Any:
        """Counts, and appends."""
        self.puts += 1
        return super().append(session_key, facts)

    async def release(self, session_key: str) -> None:
        """Counts, and lets go."""
        self.puts += 1
        await super().release(session_key)

    async def at_rest(self, quiet: Callable[[], Any]) -> None:
        """Returns when all that was put, and what came of that, is recorded and heard of."""
        while True:
            puts = self.puts
            with contextlib.suppress(Exception):
                await self.change(lambda c: None)  # behind all that was put before
            await quiet()
            if puts == self.puts:
                return


class ComparedOnFile(Compared):
    """One session in a file, over many processes' lives."""

    examples = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.lives = 0
        self.cut_off: tuple[str, int, str] | None = None

    @property
    def path(self) -> Path:
        """The file of this life."""
        return self.folder / f"{self.lives}.sqlite"

    def make_journal(self) -> CountedJournal:
        """The real journal; a commit need not survive a power cut here."""
        return CountedJournal(self.path, synchronous="NORMAL", window=None)

    async def rest(self) -> None:
        """Waits for the writer too."""
        await super().rest()
        assert isinstance(self.journal, CountedJournal)
        await self.journal.at_rest(self.loop.quiet)

    @precondition(lambda self: self.count > 1)
    @rule()
    def crash(self) -> None:
        """The process dies, and what is on the disk at this moment is all that there is."""
        self.agrees = False
        model, path = self.model, self.path
        if model.running:
            self.cut_off = (model.running.id, model.turn, model.answer)
        elif self.cut_off and self.cut_off[1] != model.turn:
            self.cut_off = None  # a later turn has ended since
        model.crash()
        self.lives += 1
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{self.path}{end}")
        self.loop.run_until_complete(self.begin_again())

    @rule(sender=st.sampled_from(["ann", "bob"]))
    def submit_and_crash(self, sender: str) -> None:
        """The process dies as soon as it has acknowledged an input."""
        self.waits = False
        try:
            self.submit(lane=Lane.QUEUE, sender=sender, text="hello", named=False)
        finally:
            self.waits = True
        self.crash()

    @precondition(lambda self: self.model.closed)
    @rule()
    def restart(self) -> None:
        """After an orderly end, the next process takes the same file."""
        self.agrees = False
        if self.cut_off and self.cut_off[1] != self.model.turn:
            self.cut_off = None
        self.model.crash()
        self.loop.run_until_complete(self.begin_again())

    async def begin_again(self) -> None:
        """Another engine, as another process would have it."""
        self.hear()
        await self.let_go_of_all()
        self.closes, self.deadlines, self.end = [], [], "answered"
        await self.open()

    @precondition(lambda self: self.shown_cut_off())
    @rule()
    def skip_cut_off(self) -> None:
        """What was cut off is not to be run again."""

        def ours() -> None:
            self.model.remove(self.model.queue[0].id, "cancelled", "a crash")

        self.both(self.session.skip_cut_off, ours)

    def shown_cut_off(self) -> tuple[str, int, str] | None:
        """The turn that was cut off, while its input is the next to run."""
        head = self.model.queue[:1]
        return self.cut_off if self.cut_off and head and head[0].id == self.cut_off[0] else None

    async def agree_on_record(self) -> None:
        """Also on what was cut off, and on what the next process would find."""
        await super().agree_on_record()
        found = self.session.cut_off
        assert (found and (found.id, found.turn, found.answer)) == self.shown_cut_off(), (
            "crash-safe"
        )

    def teardown(self) -> None:
        """Nothing is left behind."""
        try:
            super().teardown()
        finally:
            shutil.rmtree(self.folder)
