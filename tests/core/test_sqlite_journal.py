"""A journal in a file: what was acknowledged is there again, whatever happened."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_shell import (
    AgentEvent,
    Delta,
    EchoAgent,
    Engine,
    FollowUp,
    HoldReason,
    IdConflict,
    JournalError,
    Lane,
    Messages,
    ModelUnreachable,
    OnFailure,
    Phase,
    Refused,
    Session,
    State,
    Turn,
)
from agent_shell.errors import SessionLost, SessionOwned
from agent_shell.events import Fact, FollowUpAccepted, Receipt, SessionClosed, TurnStarted
from agent_shell.journal.sqlite import SqliteJournal, schema
from agent_shell.journal.sqlite.records import Records
from core.test_transitions import NOW, World, commands_of_a_life
from support import StepAgent, Watch, new_session, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.sqlite"


async def reopened(path: Path, agent: object = None, key: str = "s"):
    """The session as a new process would find it, and the journal to close at the end."""
    journal = SqliteJournal(path)
    engine = Engine(agent or EchoAgent(), journal=journal)  # type: ignore[arg-type]
    return journal, engine, await engine.open(key)


class Keeper:
    """Keeps a message of each turn; fails in the middle of those named "cut", at first."""

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        yield Delta("part")
        yield Messages([{"said": turn.text}, {"half": "\ud800"}])
        if turn.text == "cut" and turn.number < 3:
            raise ModelUnreachable("the line is dead")


class TestComingBack:
    """What a later process finds."""

    async def test_what_agents_kept_is_there_again(self, path: Path):
        """Messages and parts of a turn that could not go on are in the later process's history."""
        journal, engine, session = await reopened(path, Keeper())
        await session.receipt((await session.submit("a")).id)
        await session.submit("cut")
        await session.settled()
        await engine.close(drain=False)
        await journal.close()
        journal, engine, session = await reopened(path, Keeper())
        kept = [(e.text, e.answer, e.state, len(e.messages)) for e in await session.history(9)]
        assert kept == [("a", "part", State.ANSWERED, 2), ("cut", "part", State.QUEUED, 2)]
        assert (await session.history(1))[0].messages == [{"said": "cut"}, {"half": "\ud800"}]
        session.release()
        await session.settled()
        assert [e.state for e in await session.history(9)] == [
            State.ANSWERED,
            State.QUEUED,
            State.ANSWERED,
        ]
        await engine.close()
        await journal.close()

    async def test_answers_and_receipts_are_there_again(self, path: Path):
        """Entries and history are the same after a restart."""
        journal, engine, session = await reopened(path)
        ids = [(await session.submit(text)).id for text in ("a", "b")]
        await session.settled()
        before = await journal.entries("s")
        await engine.close()
        await journal.close()
        journal, engine, session = await reopened(path)
        assert await journal.entries("s") == before
        assert [(e.id, e.state, e.answer, e.turn) for e in before] == [
            (ids[0], State.ANSWERED, "a", 1),
            (ids[1], State.ANSWERED, "b", 2),
        ]
        assert [e.text for e in await journal.history("s", 10)] == ["a", "b"]
        assert (await session.receipt(ids[0])).answer == "a"
        assert session.phase is Phase.IDLE
        await engine.close()
        await journal.close()

    async def test_a_queue_that_was_left_is_held(self, path: Path):
        """What waited is there in its order, and runs when it is released."""
        journal, engine, session = await reopened(path)
        session.put_on_hold()
        for text in "abc":
            await session.submit(text, id=text)
        session.move("c", 1)
        session.edit("a", "A")
        assert [f.text for f in await session.close(drain=False)] == ["c", "A", "b"]
        await journal.close()
        journal, engine, session = await reopened(path)
        assert [f.text for f in session.waiting] == ["c", "A", "b"]
        assert session.hold is not None
        assert session.hold.reason is HoldReason.RESTORED
        assert session.cut_off is None
        session.release()
        assert (await session.receipt("b")).state is State.ANSWERED
        await engine.close()
        await journal.close()

    async def test_turn_numbers_go_on(self, path: Path):
        """A number is never used twice, also over restarts."""
        for number in (1, 2, 3):
            journal, engine, session = await reopened(path)
            accepted = await session.submit("x")
            assert (await session.receipt(accepted.id)).turn == number
            await engine.close()
            await journal.close()

    async def test_an_id_is_remembered_over_restarts(self, path: Path):
        """The same id and text again is acknowledged and not run; another text is refused."""
        journal, engine, session = await reopened(path)
        await session.submit("x", id="mine")
        await engine.close()
        await journal.close()
        agent = StepAgent()
        journal, engine, session = await reopened(path, agent)
        assert (await session.submit("x", id="mine")).id == "mine"
        with pytest.raises(IdConflict):
            await session.submit("y", id="mine")
        assert agent.steps == []
        await engine.close()
        await journal.close()

    async def test_a_closed_session_can_be_opened_anew(self, path: Path):
        """The engine forgets what it closed: the key opens again, with what was left."""
        journal, engine, session = await reopened(path)
        session.put_on_hold()
        await session.submit("a")
        await session.close(drain=False)
        again = await engine.open("s")
        assert again is not session
        assert [f.text for f in again.waiting] == ["a"]
        with pytest.raises(Refused):
            await session.submit("b")
        await engine.close(drain=False)
        await journal.close()

    async def test_two_who_open_at_once_get_one_session(self, path: Path):
        """The second waits for the first, as a gateway's requests do."""
        journal = SqliteJournal(path)
        engine = Engine(EchoAgent(), journal=journal)
        one, two = await asyncio.gather(engine.open("s"), engine.open("s"))
        assert one is two
        await engine.close()
        await journal.close()

    async def test_who_opens_while_it_closes_gets_the_next_one(self, path: Path):
        """An open that comes during a close waits for its end."""
        agent = StepAgent()
        journal, engine, session = await reopened(path, agent)
        await session.submit("a")
        step = await agent.step(1)
        closing = asyncio.ensure_future(session.close())
        opening = asyncio.ensure_future(engine.open("s"))
        await until(lambda: repr(session).count("closing") == 1)
        assert not opening.done()
        step.finish()
        assert await closing == []
        again = await opening
        await again.submit("b", id="b")
        (await agent.step(2)).finish()
        assert (await again.receipt("b")).turn == 2
        await engine.close()
        await journal.close()

    async def test_texts_come_back_as_they_were(self, path: Path):
        """NUL bytes, emoji, newlines and a mebibyte are kept to the letter."""
        texts = ["a\0b", "👍🏽 ⚠️\r\n\t", "x" * (1 << 20), " "]
        journal, engine, session = await reopened(path)
        session.put_on_hold()
        for text in texts:
            await session.submit(text)
        await engine.close()
        await journal.close()
        journal, engine, session = await reopened(path)
        assert [f.text for f in session.waiting] == texts
        await engine.close(drain=False)
        await journal.close()


@given(
    commands_of_a_life,
    st.sampled_from(OnFailure),
    st.sampled_from([2, 5, 1000]),
)
@settings(max_examples=300)
def test_the_file_has_the_queue_that_the_session_has(drawn, on_failure, limit):
    """After every step of any session, the rows in order are the queue in order."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for migration in schema.MIGRATIONS:
        connection.executescript(migration)
    connection.execute("INSERT INTO sessions (id, key, created_at) VALUES (1, 'k', 0)")
    records = Records(connection)
    world = World(on_failure, limit)
    for command in drawn:
        if isinstance(command, tuple) and command[0] == "unwritten":
            continue  # what is not recorded is another test's matter
        before = world.unrecorded
        world.step(command)
        if world.unrecorded is not before:
            records.write(1, [fact for fact in world.unrecorded if isinstance(fact, Fact)])
        rows = connection.execute(
            "SELECT id FROM follow_ups WHERE state = 'queued' AND rank IS NOT NULL ORDER BY rank"
        )
        steering = {f.id for f in world.state.turn.inbox} if world.state.turn else set()
        assert [id for (id,) in rows if id not in steering] == [f.id for f in world.state.queue]
    connection.close()


class TestTheFile:
    """The file itself, and what is refused."""

    async def test_only_its_user_can_read_it(self, path: Path):
        """Mode 0600 in a folder of mode 0700."""
        journal = SqliteJournal(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        await journal.close()
        assert sorted(p.name for p in path.parent.iterdir()) == [
            "sessions.sqlite",
            "sessions.sqlite.owners",
        ]

    async def test_a_newer_file_is_refused_untouched(self, path: Path):
        """A journal of a newer version is named as such and not written to."""
        await SqliteJournal(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(JournalError, match="newer agent-shell"):
            SqliteJournal(path)
        assert path.read_bytes() == before

    async def test_another_programs_database_is_refused_untouched(self, path: Path):
        """A SQLite file that is no journal is left alone."""
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE other (x)")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(JournalError, match="another program"):
            SqliteJournal(path)
        assert path.read_bytes() == before

    async def test_a_file_that_is_no_database_is_refused_untouched(self, path: Path):
        """Nor is any other file taken for a journal."""
        path.parent.mkdir()
        path.write_text("these are my notes\n" * 100)
        with pytest.raises(JournalError, match="no journal, or damaged"):
            SqliteJournal(path)
        assert path.read_text() == "these are my notes\n" * 100

    async def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path):
        """The error says which path, and what to do."""
        (tmp_path / "file").touch()
        with pytest.raises(JournalError, match="--journal PATH"):
            SqliteJournal(tmp_path / "file" / "sessions.sqlite")

    @pytest.mark.parametrize("version", range(schema.VERSION))
    async def test_an_older_file_is_brought_up_to_date(self, path: Path, version: int):
        """From every earlier version, the empty file among them."""
        path.parent.mkdir()
        connection = sqlite3.connect(path, isolation_level=None)
        schema.migrate(connection, until=version)
        connection.close()
        journal, engine, session = await reopened(path)
        await session.submit("x")
        await engine.close()
        await journal.close()
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        connection.close()

    async def test_a_log_without_its_file_is_not_thrown_away(self, path: Path):
        """SQLite would take a new file's empty state for the truth and drop the log."""
        path.parent.mkdir()
        log = path.with_name("sessions.sqlite-wal")
        log.write_bytes(b"commits that are not in the file yet")
        with pytest.raises(JournalError, match="its log is there"):
            SqliteJournal(path)
        assert log.exists()

    async def test_a_full_disk_refuses_and_loses_nothing(self, path: Path):
        """The running turn ends, what was accepted stays, and it goes on with room again."""
        agent = StepAgent()
        journal, engine, session = await reopened(path, agent)
        accepted = await session.submit("a")
        step = await agent.step(1)
        pages = await journal.change(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        limit = f"PRAGMA max_page_count = {pages}"
        await journal.change(lambda c: c.execute(limit).fetchone())
        with pytest.raises(JournalError, match="disk is full"):
            for _ in range(100):
                await session.submit("x" * 4000)
        assert session.hold is not None
        assert session.hold.reason is HoldReason.JOURNAL
        step.finish("done")
        await session.settled()
        await journal.change(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
        kept = len(session.waiting)
        session.release()
        for number in range(kept):
            (await agent.step(2 + number)).finish()
        assert (await session.receipt(accepted.id)).answer == "done"
        await engine.close()
        await journal.close()
        assert len(agent.steps) == 1 + kept


class TestOneOwner:
    """one-owner, over processes."""

    async def test_a_second_owner_is_told_who_the_first_is(self, path: Path):
        """The refusal names the process and since when."""
        journal, engine, _ = await reopened(path)
        other = SqliteJournal(path)
        with pytest.raises(SessionOwned, match=f"process {os.getpid()}, since") as refusal:
            await Engine(EchoAgent(), journal=other).open("s")
        assert refusal.value.pid == os.getpid()
        await engine.close()
        await Engine(EchoAgent(), journal=other).open("s")
        await other.close()
        await journal.close()

    async def test_who_waits_for_the_disk_is_not_taken_for_stopped(self, path: Path):
        """However long a write takes, or another process's, the sign of life is renewed."""
        journal, engine, _ = await reopened(path)
        (sign,) = path.with_name(f"{path.name}.owners").iterdir()
        go_on = threading.Event()
        writing = asyncio.ensure_future(journal.change(lambda _: go_on.wait()))
        for _ in range(3):  # the first could still be from before
            os.utime(sign, (0, 0))
            await until(lambda: sign.stat().st_mtime > 0)
        assert not writing.done()
        go_on.set()
        await writing
        await engine.close()
        await journal.close()

    async def test_who_lost_the_session_writes_and_says_nothing_more(self, path: Path):
        """A fence stands on every write: the old owner's turn is void, and it is told so."""
        agent = StepAgent()
        journal, engine, session = await reopened(path, agent)
        watch = Watch(engine.observe())
        await session.submit("a", id="a")
        step = await agent.step(1)
        journal._liveness.end()  # as if the process had been stopped for long
        other, successor, taken = await reopened(path)
        assert taken.cut_off is not None
        assert [f.id for f in taken.waiting] == ["a"]
        waiting = asyncio.create_task(session.receipt("a"))
        step.finish("a ghost")
        await until(lambda: session.phase is Phase.CLOSED)
        with pytest.raises(SessionLost):
            await waiting
        assert watch.of(Receipt) == []
        assert len(watch.of(SessionClosed)) == 1
        taken.release()
        assert (await taken.receipt("a")).answer == "a"
        entries = await other.entries("s")
        assert [(e.answer, e.turn) for e in entries] == [("a", 2)]
        await successor.close()
        # Once the other has let go of it, who lost it can open it like anybody else.
        again, same = await asyncio.gather(engine.open("s"), engine.open("s"))
        assert again is same
        assert (again.phase, session.phase) == (Phase.IDLE, Phase.CLOSED)
        await again.submit("b", id="b")
        (await agent.step(2)).finish("b")
        assert (await again.receipt("b")).turn == 3
        await engine.close()
        await other.close()
        await journal.close()


CHILD = textwrap.dedent(
    """
    import asyncio, sys
    from agent_shell import Delta, Engine, Lane
    from agent_shell.journal.sqlite import SqliteJournal

    class Slow:
        async def run(self, turn):
            yield Delta("part of it, ")
            await asyncio.sleep(0.3)
            yield Delta("and more")
            await journal.change(lambda connection: None)  # behind what was said
            print("RUNNING", flush=True)
            await asyncio.Event().wait()

    async def main():
        global journal
        journal = SqliteJournal(sys.argv[1])
        engine = Engine(Slow(), journal=journal)
        session = await engine.open("s")
        for id in ("a", "b", "c"):
            await session.submit(id, id=id)
        await session.submit("steer", id="steer", lane=Lane.STEER)
        print("ACKNOWLEDGED", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
    """
)


@pytest.fixture
def child(path: Path):
    """Another process that owns session `s`, with one turn running and two waiting."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ACKNOWLEDGED\n"
    assert process.stdout.readline() == "RUNNING\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


class TestCrashes:
    """crash-safe: real processes, killed or stopped."""

    async def test_a_killed_process_leaves_all_that_it_acknowledged(self, path, child):
        """The turn that ran is marked, with what it had produced; its input is next again."""
        child.kill()
        child.wait()
        journal, engine, session = await reopened(path)
        assert [f.id for f in session.waiting] == ["a", "steer", "b", "c"]
        assert session.cut_off is not None
        assert (session.cut_off.id, session.cut_off.turn) == ("a", 1)
        assert session.cut_off.answer.startswith("part of it, ")
        assert session.phase is Phase.HELD
        told = [(e.text, e.state) for e in await journal.history("s", 9)]
        assert told == [("a", State.INTERRUPTED)]
        session.release()
        assert (await session.receipt("c")).state is State.ANSWERED
        assert session.cut_off is None
        await engine.close()
        await journal.close()

    async def test_a_cut_off_turn_is_told_of_until_somebody_decides(self, path, child):
        """An owner that only looked and let go leaves it as it was for the next one."""
        child.kill()
        child.wait()
        for _ in range(3):
            journal, engine, session = await reopened(path)
            assert session.cut_off is not None
            assert session.cut_off.id == "a"
            await engine.close(drain=False)
            await journal.close()

    async def test_what_was_cut_off_can_be_skipped(self, path, child):
        """Its receipt says that a crash cancelled it; the rest runs."""
        child.kill()
        child.wait()
        agent = StepAgent()
        journal, engine, session = await reopened(path, agent)
        session.skip_cut_off()
        assert str(await session.receipt("a")) == "cancelled by a crash"
        session.release()
        assert (await agent.step(1)).turn.id == "steer"
        await engine.close(drain=False)
        await journal.close()

    async def succeed(self, engine: Engine, child: subprocess.Popen[str]) -> Session:
        """Stops the owner and takes its session over, when its sign of life is old."""
        child.send_signal(signal.SIGSTOP)
        while True:
            try:
                return await engine.open("s")
            except SessionOwned as refusal:
                assert refusal.pid == child.pid
                await asyncio.sleep(0)
            except JournalError:
                # It was stopped in the middle of a commit, and holds the file's lock.
                child.send_signal(signal.SIGCONT)
                await asyncio.sleep(0)
                child.send_signal(signal.SIGSTOP)

    async def test_a_stopped_process_is_succeeded_and_cannot_write_when_it_is_back(
        self, path, child
    ):
        """SIGSTOP, a successor, SIGCONT: the successor's truth stands."""
        journal = SqliteJournal(path)
        engine = Engine(EchoAgent(), journal=journal)
        async with asyncio.timeout(60):
            session = await self.succeed(engine, child)
        session.release()
        await session.receipt("c")
        child.send_signal(signal.SIGCONT)
        await session.submit("d", id="d")
        await session.receipt("d")
        states = {e.id: (e.state, e.answer) for e in await journal.entries("s")}
        assert states == {id: (State.ANSWERED, id) for id in ("a", "steer", "b", "c", "d")}
        await engine.close()
        await journal.close()


class TestInbox:
    """Inputs that other processes leave for the owner."""

    async def test_what_is_sent_is_taken_in_and_leaves_the_inbox(self, path: Path):
        """Acceptance empties the inbox in the same commit."""
        journal, engine, session = await reopened(path)
        sender = SqliteJournal(path)
        await sender.send("s", FollowUp("x", "hello", Lane.QUEUE, "ann", NOW))
        assert await sender.sent("s", "x") == ""
        (sent,) = await journal.inbox("s")
        await session.submit(sent.text, id=sent.id, lane=sent.lane, sender=sent.sender)
        assert await sender.sent("s", "x") is None
        entry = await sender.entry("s", "x")
        assert entry is not None
        assert entry.sender == "ann"
        await engine.close()
        await journal.close()
        await sender.close()

    async def test_what_is_refused_says_why(self, path: Path):
        """The sender learns the reason."""
        journal, engine, _ = await reopened(path)
        await journal.send("s", FollowUp("x", "hello", Lane.QUEUE, "ann", NOW))
        await journal.refuse("s", "x", "the queue is full")
        assert await journal.sent("s", "x") == "the queue is full"
        assert await journal.inbox("s") == []
        await engine.close()
        await journal.close()

    async def test_there_must_be_a_session(self, path: Path):
        """An input for a session that nobody ever opened is refused."""
        journal = SqliteJournal(path)
        with pytest.raises(JournalError, match="no session 't'"):
            await journal.send("t", FollowUp("x", "hello", Lane.QUEUE, "ann", NOW))
        await journal.close()


async def test_one_commit_serves_many(path: Path):
    """Accepts that wait together share commits: far fewer of them than accepts."""
    journal, engine, session = await reopened(path, StepAgent())
    watch = Watch(engine.observe())
    await asyncio.gather(*(session.submit(str(i)) for i in range(500)))
    assert len(watch.of(FollowUpAccepted)) == 500
    assert len(watch.of(TurnStarted)) == 1
    await engine.close(drain=False)
    await journal.close()


def test_the_fake_session_helper_is_for_memory_only():
    """A journal in a file wants its sessions opened: an append without that is refused."""

    async def main(path: Path) -> None:
        journal = SqliteJournal(path)
        _, session = new_session(EchoAgent(), journal=journal)
        with pytest.raises(JournalError, match="not open here"):
            await session.submit("x")
        await journal.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "j.sqlite"))
