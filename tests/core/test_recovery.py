"""Damaged journals: told as such, kept aside, and read as far as can be."""

from __future__ import annotations

import functools
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_shell import EchoAgent, Engine, JournalError, State
from agent_shell.journal.sqlite import SqliteJournal, recovery, schema
from agent_shell.journal.sqlite.pages import Pages
from support_sessions import fill, owner

FOLLOW_UPS, TURNS = 3000, 2400
NAMES = ("sessions", "follow_ups", "turns", "inbox")


def make(path: Path, *, close: bool = True) -> sqlite3.Connection:
    """Two sessions with thousands of rows, some longer than a page; `close` folds the log in."""
    c = schema.prepare(path)
    c.execute("BEGIN")
    c.executemany("INSERT INTO sessions (key, created_at) VALUES (?, 1)", [("a",), ("b",)])
    for n in range(FOLLOW_UPS):
        c.execute(
            "INSERT INTO follow_ups (session, id, text, lane, sender, accepted_at, rank, state)"
            " VALUES (?, ?, ?, 'queue', 'user', ?, ?, 'queued')",
            (1 + n % 2, f"id-{n}", f"text {n} ⚠️ " * (2000 if n % 500 == 7 else 5), n, n),
        )
    for n in range(TURNS):
        answer = f"answer {n} " * (3000 if n % 500 == 9 else 3)
        row = (1 + n % 2, n // 2 + 1, f"id-{n}", answer)
        c.execute("INSERT INTO turns VALUES (?, ?, ?, 'answered', ?, 1.5, 2.5, 1, NULL)", row)
        c.execute(
            "UPDATE follow_ups SET state = 'answered', ended_at = 2, turn = ?"
            " WHERE session = ? AND id = ?",
            (row[1], row[0], row[2]),
        )
    c.execute("COMMIT")
    if close:
        c.close()
    return c


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that is in a journal."""
    c = sqlite3.connect(path)
    try:
        return {t: c.execute(f"SELECT * FROM {t} ORDER BY 1, 2").fetchall() for t in NAMES}
    finally:
        c.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal in order; not to be written to."""
    path = tmp_path_factory.mktemp("whole") / "sessions.sqlite"
    make(path)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(whole, tmp_path / "sessions.sqlite"))


def damage(path: Path, how: Callable[[bytes], bytes]) -> bytes:
    path.write_bytes(how(path.read_bytes()))
    return path.read_bytes()


def flipped(data: bytes, seed: int = 1, pages: int = 20) -> bytes:
    """`data` with a hundred bytes of some pages turned over, but for the first page."""
    chance, changed = random.Random(seed), bytearray(data)
    for _ in range(pages):
        page = chance.randrange(1, len(data) // 4096)
        for _ in range(100):
            changed[4096 * page + chance.randrange(4096)] ^= 0xFF
    return bytes(changed)


class TestExamining:
    """What is said of a file."""

    def test_a_journal_in_order_is_said_to_be(self, path):
        """No problem, and its version."""
        found = recovery.examine(path)
        assert (found.version, found.problems, found.damaged) == (schema.VERSION, [], False)

    @pytest.mark.parametrize(
        "how",
        [
            flipped,
            lambda data: data[: len(data) // 2 + 100],
            lambda data: b"\x55" * 100 + data[100:],
            lambda data: b"\x55" * 4096 + data[4096:],
        ],
        ids=["flipped bytes", "half of it", "no header", "no first page"],
    )
    def test_damage_is_seen_and_nothing_is_written(self, path, how):
        """Whatever it is."""
        before = damage(path, how)
        assert recovery.examine(path).damaged
        assert path.read_bytes() == before

    def test_an_empty_file_is_a_journal_that_is_not_made_yet(self, path):
        """It is in order; beside a log it is not, for SQLite would throw the log away."""
        path.write_bytes(b"")
        assert not recovery.examine(path).damaged
        path.with_name(path.name + "-wal").write_bytes(b"x" * 100)
        assert recovery.examine(path).damaged

    def test_another_programs_or_a_newer_file_is_not_damaged(self, tmp_path, path):
        """Nothing is to be recovered there."""
        other = tmp_path / "other.sqlite"
        c = sqlite3.connect(other)
        c.execute("CREATE TABLE t (x)")
        c.close()
        newer = schema.connect(path)
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        newer.close()
        for file, said in ((other, "another program"), (path, "newer agent-shell")):
            found = recovery.examine(file)
            assert not found.damaged
            assert said in found.problems[0]


class TestReadingPages:
    """The rows of a file without SQLite are those that SQLite finds."""

    def test_every_row_of_a_file_in_order_is_recovered(self, path, whole):
        """Not one more, not one less, to the letter."""
        done = recovery.recover(path)
        assert (done.sessions, done.follow_ups, done.turns) == (2, FOLLOW_UPS, TURNS)
        assert (done.lost_ids, done.lost_texts, done.lost_answers) == ([], 0, 0)
        assert rows(path) == rows(whole)

    def test_what_is_only_in_the_log_is_recovered(self, tmp_path, whole):
        """A process that died had committed to the log alone."""
        live = tmp_path / "live.sqlite"
        connection = make(live, close=False)
        left = tmp_path / "left.sqlite"
        for end in ("", "-wal"):
            shutil.copy(f"{live}{end}", f"{left}{end}")
        connection.close()
        left.write_bytes(b"")  # and the file itself is empty
        recovery.recover(left)
        assert rows(left) == rows(whole)

    def test_a_torn_end_of_the_log_is_no_commit(self, tmp_path):
        """What was not committed whole is not recovered, and all before it is."""
        live = tmp_path / "live.sqlite"
        connection = make(live, close=False)
        connection.execute("INSERT INTO sessions (key, created_at) VALUES ('last', 1)")
        left = tmp_path / "left.sqlite"
        shutil.copy(live, left)
        Path(f"{left}-wal").write_bytes(Path(f"{live}-wal").read_bytes()[:-10])
        connection.close()
        assert recovery.recover(left).sessions == 2

    def test_what_was_deleted_stays_deleted(self, path):
        """Free pages still hold the rows; they are not brought back."""
        c = schema.connect(path)
        c.execute("DELETE FROM sessions WHERE key = 'a'")
        assert c.execute("PRAGMA freelist_count").fetchone()[0] > 0
        c.close()
        expected = rows(path)
        recovery.recover(path)
        assert rows(path) == expected

    def test_the_recovery_knows_every_table(self, whole):
        """Each with its columns in their order: a migration has to be told to it."""
        c = sqlite3.connect(whole)
        tables = {
            name: [row[1] for row in c.execute(f"PRAGMA table_info({name})")]
            for (name,) in c.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
        }
        c.close()
        assert {table.name: list(table.columns) for table in recovery.TABLES} == tables

    @given(st.data())
    @settings(
        max_examples=40,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_no_damage_raises(self, whole, tmp_path, data):
        """Any bytes in any places: the rows that remain are read."""
        changed = bytearray(whole.read_bytes()[: 4096 * 60])
        for _ in range(data.draw(st.integers(1, 30))):
            at = data.draw(st.integers(0, len(changed) - 8))
            changed[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
        file = tmp_path / "any.sqlite"
        file.write_bytes(changed)
        pages = Pages(file)
        assert sum(1 for _ in pages.cells()) > 0
        pages.close()


class TestRecovering:
    """A damaged file, what is saved of it, and where it is then."""

    def test_flipped_bytes_cost_the_rows_they_hit(self, path):
        """All other rows are recovered as they were, and the result is in order."""
        before = rows(path)
        damage(path, flipped)
        done = recovery.recover(path)
        assert recovery.examine(path).problems == []
        kept = set(rows(path)["follow_ups"]) & set(before["follow_ups"])
        assert len(kept) > 0.8 * FOLLOW_UPS
        assert done.lost_ids

    def test_half_a_file_gives_its_half(self, path):
        """Also where SQLite finds no row any more, for the inner pages are gone."""
        damage(path, lambda data: data[: len(data) // 2 + 100])
        done = recovery.recover(path)
        assert done.follow_ups > FOLLOW_UPS / 3
        assert done.lost_ids
        assert recovery.examine(path).problems == []

    @pytest.mark.parametrize("size", [100, 4096])
    def test_without_a_header_everything_is_there(self, path, whole, size):
        """The first page is not needed."""
        damage(path, lambda data: b"\x55" * size + data[size:])
        recovery.recover(path)
        assert rows(path) == rows(whole)

    def test_the_damaged_file_is_kept_as_it_was(self, path):
        """With its log, beside the new one, and only its user can read the new one."""
        before = damage(path, flipped)
        log = path.with_name(path.name + "-wal")
        log.write_bytes(b"a log that is none")
        done = recovery.recover(path, now=0)
        assert done.aside.name == "sessions.sqlite.damaged-19700101T000000Z"
        assert done.aside.read_bytes() == before
        assert Path(f"{done.aside}-wal").read_bytes() == b"a log that is none"
        assert path.stat().st_mode & 0o777 == 0o600
        assert not log.exists()
        names = {done.aside.name, f"{done.aside.name}-wal", path.name}
        assert {file.name for file in path.parent.iterdir()} == names

    def test_an_earlier_file_that_was_kept_is_not_overwritten(self, path):
        """Two recoveries in one second keep two files."""
        kept = []
        for seed in (1, 2):
            damage(path, functools.partial(flipped, seed=seed))
            kept.append(recovery.recover(path, now=0).aside)
        assert len(set(kept)) == 2
        assert all(file.exists() for file in kept)

    def test_what_is_no_journal_is_left_alone(self, tmp_path):
        """Somebody's notes are neither moved nor replaced."""
        notes = tmp_path / "notes"
        notes.write_text("these are my notes\n" * 1000)
        with pytest.raises(JournalError, match="left as it was"):
            recovery.recover(notes)
        assert [file.name for file in tmp_path.iterdir()] == ["notes"]

    def test_what_a_process_has_open_is_not_recovered(self, tmp_path):
        """It would go on writing to the file that was put aside."""
        path = tmp_path / "sessions.sqlite"
        with owner("deaf", path), pytest.raises(JournalError, match="end every agent-shell"):
            recovery.recover(path)

    async def test_a_lost_turn_leaves_no_follow_up_without_an_end(self, tmp_path):
        """What ran is next again, where the row of its turn is lost."""
        path = tmp_path / "sessions.sqlite"
        with owner("endless", path):
            pass
        c = schema.connect(path)
        c.execute("DELETE FROM turns")
        c.close()
        recovery.recover(path)
        journal = SqliteJournal(path)
        engine = Engine(EchoAgent(), journal=journal)
        session = await engine.open("s")
        assert [f.id for f in session.waiting] == ["first"]
        session.release()
        assert (await session.receipt("first")).state is State.ANSWERED
        await engine.close()
        await journal.close()

    async def test_lost_sessions_and_questions_get_a_stand_in(self, tmp_path):
        """What was answered can still be read, under another name."""
        path = tmp_path / "sessions.sqlite"
        await fill(path, "s", ["a", "b"])
        c = schema.connect(path)
        c.execute("PRAGMA foreign_keys = OFF")
        c.execute("DELETE FROM sessions")
        c.execute("DELETE FROM follow_ups WHERE id = 's-1'")
        c.close()
        assert recovery.recover(path).lost_texts == 1
        journal = SqliteJournal(path)
        (summary,) = await journal.sessions()
        assert summary.key == "recovered-1"
        answers = {e.id: e.answer for e in await journal.entries("recovered-1")}
        assert answers == {"s-1": "a", "s-2": "b"}
        await journal.close()
