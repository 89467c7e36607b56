"""What goes wrong at a journal stays there: nothing is lost, doubled or left waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_shell import (
    Delta,
    Engine,
    HoldReason,
    IdConflict,
    JournalError,
    Lane,
    Phase,
    Session,
    State,
    Turn,
)
from agent_shell.agents.base import AgentEvent
from agent_shell.events import FollowUpAccepted, FollowUpMoved, Receipt, SessionHeld, TurnStarted
from agent_shell.journal.sqlite import SqliteJournal
from support import ManualJournal, StepAgent, Watch, new_session, until


class File:
    """A journal in a file with one open session, and with room as a test says."""

    def __init__(self, journal: SqliteJournal, engine: Engine, session: Session) -> None:
        self.journal = journal
        self.engine = engine
        self.session = session

    async def fill(self) -> None:
        """Takes away the room: the file may not grow any more."""
        count = await self.journal.change(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await self._limit(count)

    async def make_room(self) -> None:
        await self._limit(1_000_000)

    async def _limit(self, pages: int) -> None:
        limit = f"PRAGMA max_page_count = {pages}"
        await self.journal.change(lambda c: c.execute(limit).fetchone())


@contextlib.asynccontextmanager
async def opened(tmp_path: Path, agent: object) -> AsyncIterator[File]:
    journal = SqliteJournal(tmp_path / "sessions.sqlite")
    engine = Engine(agent, journal=journal)  # type: ignore[arg-type]
    yield File(journal, engine, await engine.open("s"))
    await engine.close(drain=False)
    await journal.close()


class TestOneIdAtOnce:
    """Several submits with one id, before the first is recorded."""

    async def test_all_are_acknowledged_and_one_is_queued(self, tmp_path: Path):
        """They are one follow-up: one record, one place in the queue, no hold."""
        async with opened(tmp_path, StepAgent()) as file:
            session = file.session
            await session.submit("first", id="first")
            told = await asyncio.gather(*(session.submit("x", id="x") for _ in range(5)))
            assert [accepted.id for accepted in told] == ["x"] * 5
            assert [f.id for f in session.waiting] == ["x"]
            assert session.hold is None
            assert [e.id for e in await file.journal.entries("s")] == ["first", "x"]

    async def test_another_text_is_refused(self, tmp_path: Path):
        """Of two texts the first is accepted and the second is a conflict."""
        async with opened(tmp_path, StepAgent()) as file:
            both = [file.session.submit(text, id="x") for text in ("one", "other")]
            first, second = await asyncio.gather(*both, return_exceptions=True)
            assert isinstance(first, FollowUpAccepted)
            assert isinstance(second, IdConflict)

    async def test_a_caller_that_gives_up_leaves_no_half_of_it(self, tmp_path: Path):
        """The id is accepted once, whoever waited for the answer."""
        async with opened(tmp_path, StepAgent()) as file:
            gone = asyncio.create_task(file.session.submit("x", id="x"))
            await asyncio.sleep(0)
            gone.cancel()
            await file.session.submit("x", id="x")
            assert [e.id for e in await file.journal.entries("s")] == ["x"]


class Half:
    """An agent that says half of a surrogate pair, as streams of UTF-16 do."""

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        yield Delta("so \ud83d")


async def test_an_answer_that_is_no_unicode_is_recorded_as_far_as_it_can_be(tmp_path: Path):
    """Half of a pair becomes a question mark, and the journal works on."""
    async with opened(tmp_path, Half()) as file:
        for id in ("a", "b"):
            await file.session.submit("x", id=id)
            assert (await file.session.receipt(id)).state is State.ANSWERED
        assert [e.answer for e in await file.journal.entries("s")] == ["so ?", "so ?"]


async def test_nothing_is_accepted_into_a_file_that_is_gone(tmp_path: Path):
    """A journal that was removed while it is open says so, and goes on once it is back."""
    async with opened(tmp_path, StepAgent()) as file:
        path = file.journal.path
        path.rename(tmp_path / "elsewhere")
        with pytest.raises(JournalError, match="was removed or replaced"):
            await file.session.submit("x")
        path.write_bytes(b"another file")
        file.session.release()
        with pytest.raises(JournalError, match="was removed or replaced"):
            await file.session.submit("y")
        (tmp_path / "elsewhere").replace(path)
        file.session.release()
        await file.session.submit("z")
        assert [e.text for e in await file.journal.entries("s")] == ["z"]


async def test_what_cannot_be_written_harms_nothing_else(tmp_path: Path):
    """A batch that SQLite can't take is refused with a reason; others are recorded."""
    async with opened(tmp_path, StepAgent()) as file:
        with pytest.raises(JournalError, match="surrogates not allowed"):
            await file.session.submit("x", sender="\ud83d")
        file.session.release()
        await file.session.submit("y", id="y")
        assert [e.id for e in await file.journal.entries("s")] == ["y"]


async def test_a_receipt_that_was_refused_is_told_when_it_is_recorded(tmp_path: Path):
    """Who waits for it gets it, and observers are told of it, once."""
    agent = StepAgent()
    async with opened(tmp_path, agent) as file:
        watch = Watch(file.session.observe())
        await file.session.submit("x", id="x")
        step = await agent.step(1)
        waiting = asyncio.create_task(file.session.receipt("x"))
        await file.fill()
        step.finish("y" * 200_000)
        await until(lambda: file.session.hold is not None)
        assert not waiting.done()
        await file.make_room()
        file.session.release()
        assert (await waiting).state is State.ANSWERED
        assert [receipt.id for receipt in watch.of(Receipt)] == ["x"]


async def test_refusals_do_not_pile_up(tmp_path: Path):
    """However often a full disk refuses, what is kept to be recorded stays as small."""
    async with opened(tmp_path, StepAgent()) as file:
        file.session.put_on_hold()
        await file.session.submit("x")
        await file.fill()
        for _ in range(50):
            with pytest.raises(JournalError):
                await file.session.submit("y" * 5000)
        assert len(file.session._recorder._backlog or ()) == 1
        assert file.session.hold is not None
        assert file.session.hold.reason is HoldReason.JOURNAL


class TestRefusedInARow:
    """A batch that is refused, and others that were decided before anybody knew."""

    async def test_an_input_whose_turn_had_begun_is_gone(self):
        """Its acceptance and the start of its turn were both refused: nothing of it remains."""
        journal, agent = ManualJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        first = asyncio.create_task(session.submit("a", id="a"))
        await until(lambda: bool(journal.pending))
        journal.commit()
        await first
        step = await agent.step(1)
        second = asyncio.create_task(session.submit("b", id="b"))
        await until(lambda: bool(journal.pending))
        step.finish()
        await until(lambda: len(journal.pending) == 2)
        journal.fail()
        journal.fail()
        with pytest.raises(JournalError):
            await second
        assert list(session.waiting) == []
        assert session.phase is Phase.HELD

    async def test_a_turn_whose_start_is_not_recorded_has_no_task(self):
        """flat: starts that are refused and released anew in one step leave no tasks behind."""
        journal, agent = ManualJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        session.put_on_hold()
        submit = asyncio.create_task(session.submit("a", id="a"))
        await until(lambda: len(journal.pending) == 2)
        journal.commit()
        journal.commit()
        await submit
        for _ in range(5):
            session.release()
            journal.fail()
        session.release()
        assert [t for t in asyncio.all_tasks() if t.get_name() == session.key] == []
        journal.commit()
        assert (await agent.step(1)).turn.id == "a"

    async def test_what_was_put_behind_a_refused_batch_is_refused_with_it(self, tmp_path: Path):
        """Also where there is room for it again: it was decided on what did not happen."""
        agent = StepAgent()
        async with opened(tmp_path, agent) as file:
            watch = Watch(file.session.observe())
            await file.fill()
            accepts = [file.session.submit("x" * size) for size in (200_000, 1, 1)]
            told = await asyncio.gather(*accepts, return_exceptions=True)
            assert [type(error) for error in told] == [JournalError] * 3
            assert await file.journal.entries("s") == []
            assert watch.of(TurnStarted) == []
            await file.make_room()
            file.session.release()
            await file.session.submit("y", id="y")
            assert (await agent.step(1)).turn.id == "y"

    async def test_what_came_before_it_stays(self, tmp_path: Path):
        """Of batches that share a commit, those before the refused one are recorded."""
        async with opened(tmp_path, StepAgent()) as file:
            file.session.put_on_hold()
            gate = threading.Event()
            # While the writing thread waits, what is put shares the next commit.
            waiting = asyncio.create_task(file.journal.change(lambda _: gate.wait()))
            senders = ["ann", "ann", "\ud83d", "ann"]
            accepts = [asyncio.create_task(file.session.submit("x", sender=s)) for s in senders]
            await until(lambda: file.session.waiting_count == 4)
            gate.set()
            told = await asyncio.gather(*accepts, return_exceptions=True)
            await waiting
            assert [isinstance(one, JournalError) for one in told] == [False, False, True, True]
            assert len(file.session.waiting) == 2
            assert len(await file.journal.entries("s")) == 2

    async def test_what_was_moved_is_recorded_so_though_the_session_has_closed(self):
        """in-order: who opens it again finds the queue as its user had last arranged it."""
        journal = ManualJournal()
        _, session = new_session(StepAgent(), journal=journal)
        session.put_on_hold()
        submits = [asyncio.create_task(session.submit(id, id=id)) for id in "ab"]
        await until(lambda: len(journal.pending) == 3)
        journal.broken = True
        session.move("b", 1)
        closing = asyncio.create_task(session.close())
        await until(lambda: session.phase is Phase.CLOSED)
        journal.broken = False
        for _ in range(3):
            journal.commit()
        await until(lambda: bool(journal.pending))
        journal.commit()
        assert [f.id for f in await closing] == ["b", "a"]
        await asyncio.gather(*submits)
        moved = [f for f in journal.committed if isinstance(f, FollowUpMoved)]
        assert [(f.id, f.position) for f in moved] == [("b", 1)]

    async def test_what_follows_from_it_is_told_behind_what_was_decided_before(self):
        """Who listens ends with the hold that the session has."""
        journal = ManualJournal()
        _, session = new_session(StepAgent(), journal=journal)
        watch = Watch(session.observe())
        session.put_on_hold()
        journal.broken = True
        session.put_on_hold("again")
        journal.commit()
        await until(lambda: len(watch.of(SessionHeld)) == 2)
        assert session.hold is not None
        assert watch.of(SessionHeld)[-1].reason is session.hold.reason is HoldReason.JOURNAL

    async def test_other_sessions_are_not_touched(self, tmp_path: Path):
        """One session's refusal is not another's."""
        async with opened(tmp_path, StepAgent()) as file:
            other = await file.engine.open("other")
            accepts = [file.session.submit("x", sender="\ud83d"), other.submit("y", id="y")]
            first, second = await asyncio.gather(*accepts, return_exceptions=True)
            assert isinstance(first, JournalError)
            assert isinstance(second, FollowUpAccepted)
            assert other.hold is None


async def test_a_look_beyond_the_window_is_of_the_moment_at_which_it_was_wanted(tmp_path: Path):
    """What is moved right after it was asked for is not brought in a second time."""
    journal = SqliteJournal(tmp_path / "sessions.sqlite", window=4)
    engine = Engine(StepAgent(), journal=journal)
    session = await engine.open("s")
    session.put_on_hold()
    for id in "abcdefgh":
        await session.submit(id, id=id)
    session.remove("a")
    session.remove("b")  # half of the window is left: the journal is asked for what is behind d
    session.move("d", 1)
    await until(lambda: len(session.waiting) > 2)
    assert [f.id for f in session.waiting] == ["d", "c", "e", "f", "g", "h"]
    assert session.waiting_count == 6
    await engine.close(drain=False)
    await journal.close()


class TestBehindARefusal:
    """What was handed over before anybody knew of the refusal."""

    async def test_nothing_is_written_behind_what_was_refused(self, tmp_path: Path):
        """A batch that comes before the refusal is heard rests on it, and is refused with it."""
        async with opened(tmp_path, StepAgent()) as file:
            await file.fill()
            answers = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
            before = len(answers)
            large = file.journal.append("s", [accepted("large", "x" * 200_000)])
            while len(answers) == before:  # in this one step the loop can hear of nothing
                os.sched_yield()
            small = file.journal.append("s", [accepted("small", "x")])
            assert large is not None
            assert small is not None
            for refused in (large, small):
                with pytest.raises(JournalError, match="full"):
                    await refused
            assert await file.journal.entries("s") == []
            await file.make_room()


async def test_the_file_puts_an_interrupt_where_the_session_has_it(tmp_path: Path):
    """in-order: the next process finds it before the inputs that waited already."""
    journal = SqliteJournal(tmp_path / "sessions.sqlite")
    await journal.open("s")
    first, next_one = accepted("a", "x"), accepted("b", "x")
    next_one.lane = Lane.INTERRUPT
    await journal.append("s", [first])
    await journal.append("s", [next_one])
    await journal.release("s")
    assert [f.id for f in (await journal.open("s")).queue] == ["b", "a"]
    await journal.close()


def accepted(id: str, text: str) -> FollowUpAccepted:
    return FollowUpAccepted("s", 1.0, id, text, Lane.QUEUE, "user", 1)
