"""The sessions of a file as a whole: looked at, forked, renamed, deleted."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from agent_shell import AgentShellError, EchoAgent, Engine, JournalError, Phase, State
from agent_shell.errors import SessionOwned
from agent_shell.journal.sqlite import SqliteJournal, catalog, reading, schema
from agent_shell.journal.sqlite.catalog import Sign, Status
from support_sessions import fill, owner


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.sqlite"


def status(path: Path, key: str = "s") -> Status:
    with catalog.reading(path) as c:
        found = catalog.status(c, path, key)
    assert found is not None
    return found


async def change(path: Path, run):
    journal = SqliteJournal(path)
    try:
        return await journal.change(run)
    finally:
        await journal.close()


class TestLooking:
    """Who looks takes nothing and writes nothing."""

    async def test_looking_changes_no_byte(self, path):
        """File and log are the same before and after, also where a dead owner left them."""
        with owner("endless", path):
            pass
        log = path.with_name(path.name + "-wal")
        owners = path.with_name(path.name + ".owners")
        before = path.read_bytes(), log.read_bytes(), list(owners.iterdir())
        found = status(path)
        assert (path.read_bytes(), log.read_bytes(), list(owners.iterdir())) == before
        assert found.owner is None
        assert found.cut_off

    async def test_looking_takes_no_session_away(self, path):
        """The owner goes on, and is named."""
        with owner("endless", path) as process:
            found = status(path)
            assert found.owner is not None
            assert found.owner.pid == process.pid
            assert (found.phase, found.cut_off) == (Phase.RUNNING, False)

    async def test_a_connection_that_looks_cannot_write(self, path):
        """Whatever is tried."""
        await fill(path, "s", ["a"])
        with pytest.raises(JournalError, match="read-only"), catalog.reading(path) as c:
            c.execute("DELETE FROM sessions")

    async def test_a_newer_file_is_named_as_such(self, path):
        """It is not read as what it is not."""
        await fill(path, "s", ["a"])
        newer = schema.connect(path)
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        newer.close()
        with pytest.raises(JournalError, match="newer agent-shell"), catalog.reading(path):
            pass

    async def test_a_file_that_is_no_journal_is_an_error_in_words(self, tmp_path):
        """No SQLite error gets out."""
        (tmp_path / "notes").write_text("these are my notes\n" * 100)
        with pytest.raises(JournalError, match="no journal"), catalog.reading(tmp_path / "notes"):
            pass


class TestStanding:
    """How a session stands, for who has not got it open."""

    async def test_a_queue_that_nobody_owns_is_held(self, path):
        """With the hold that its owner gave it, or as one that was restored."""
        await fill(path, "s", ["a", "b"], waiting=1)
        found = status(path)
        assert (found.phase, found.owner) == (Phase.HELD, None)
        assert found.hold is not None
        assert found.hold["detail"] == "for a test"
        await change(path, lambda c: c.execute("UPDATE sessions SET hold = NULL"))
        found = status(path)
        assert found.hold == {
            "reason": "restored",
            "detail": "1 follow-up from before",
            "until": None,
        }

    async def test_a_session_in_which_nothing_waits_is_idle(self, path):
        """Also where its last owner held it."""
        await fill(path, "s", ["a"])
        await change(path, lambda c: c.execute('UPDATE sessions SET hold = \'{"reason": "user"}\''))
        found = status(path)
        assert (found.phase, found.hold) == (Phase.IDLE, None)

    def test_a_stopped_owner_still_owns(self, path):
        """It is told from one that works and from one that is dead."""
        with owner("deaf", path) as process:
            (sign,) = catalog.signs(path)
            assert catalog.sign_of(path, sign) is Sign.WORKS
            process.send_signal(signal.SIGSTOP)
            file = path.with_name(path.name + ".owners") / sign
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            os.utime(file, (0, 0))
            assert catalog.sign_of(path, sign) is Sign.STOPPED
            found = status(path)
            assert found.owner is not None
            assert found.owner.stopped
        assert catalog.sign_of(path, sign) is Sign.DEAD

    async def test_positions_are_the_order_in_which_it_will_run(self, path):
        """1 is next; what has ended has none."""
        await fill(path, "s", ["a", "b", "c"], waiting=2)
        with catalog.reading(path) as c:
            assert [catalog.position(c, "s", f"s-{n}") for n in (1, 2, 3)] == [0, 1, 2]
            assert catalog.waiting_ids(c, "s") == ["s-2", "s-3"]

    async def test_a_session_is_found_by_a_follow_up(self, path):
        """By an id that one session alone has."""
        await fill(path, "s", ["a"])
        with catalog.reading(path) as c:
            assert catalog.key_of(c, "s-1") == "s"
            assert catalog.key_of(c, "s-2") is None


class TestChanging:
    """Fork, rename, delete."""

    async def test_a_fork_has_the_history_and_not_the_queue(self, path):
        """What waits stays where it was alone; the rest is in both."""
        await fill(path, "s", ["a", "b", "c"], waiting=1)
        assert await change(path, lambda c: catalog.fork(c, "s", "copy", 9.0)) == 1
        with catalog.reading(path) as c:
            copied = reading.entries(c, "copy")
            assert copied == [e for e in reading.entries(c, "s") if e.state is State.ANSWERED]
            assert [e.answer for e in copied] == ["a", "b"]
            assert len({summary.folder for summary in reading.sessions(c)}) == 1
            assert [t.text for t in reading.history(c, "copy", 9)] == ["a", "b"]

    async def test_a_fork_goes_its_own_way(self, path):
        """Turns are numbered on, and the other session knows nothing of it."""
        await fill(path, "s", ["a"])
        await change(path, lambda c: catalog.fork(c, "s", "copy", 9.0))
        journal = SqliteJournal(path)
        engine = Engine(EchoAgent(), journal=journal)
        session = await engine.open("copy")
        accepted = await session.submit("b")
        assert (await session.receipt(accepted.id)).turn == 2
        assert len(await journal.entries("s")) == 1
        await engine.close()
        await journal.close()

    async def test_a_fork_overwrites_nothing(self, path):
        """A name that is taken, or a session that is not there, is an error."""
        await fill(path, "s", ["a"])
        with pytest.raises(AgentShellError, match="already"):
            await change(path, lambda c: catalog.fork(c, "s", "s", 9.0))
        with pytest.raises(AgentShellError, match="no session 'x'"):
            await change(path, lambda c: catalog.fork(c, "x", "y", 9.0))

    async def test_a_title_can_be_given_and_taken_away(self, path):
        """Without one a session goes by its first input."""
        await fill(path, "s", ["first words"])
        for given, shown in (("mine", "mine"), ("", "first words")):
            await change(path, lambda c, title=given: catalog.rename(c, "s", title))
            with catalog.reading(path) as c:
                assert [s.title for s in reading.sessions(c)] == [shown]

    async def test_a_deleted_session_leaves_nothing(self, path):
        """Its follow-ups and turns go with it, and no other's."""
        await fill(path, "s", ["a", "b"], waiting=1)
        await fill(path, "t", ["a"])
        await change(path, lambda c: catalog.delete(c, "s", path))
        with catalog.reading(path) as c:
            assert catalog.keys(c) == ["t"]
            for table in ("follow_ups", "turns"):
                assert c.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)

    async def test_what_a_process_has_open_is_not_deleted(self, path):
        """The refusal names the process; when it is dead, it can be."""
        with owner("endless", path) as process, pytest.raises(SessionOwned) as refusal:
            await change(path, lambda c: catalog.delete(c, "s", path))
        assert refusal.value.pid == process.pid
        await change(path, lambda c: catalog.delete(c, "s", path))
        with catalog.reading(path) as c:
            assert catalog.keys(c) == []
