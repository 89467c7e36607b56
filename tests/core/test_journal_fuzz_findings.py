"""What fuzzing found in the journal's readers, and what holds since."""

from __future__ import annotations

import math
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest

from agent_shell import HoldReason, JournalError, Lane, State
from agent_shell.events import FollowUpAccepted, Receipt, TurnStarted
from agent_shell.journal.sqlite import SqliteJournal, catalog, reading, recovery, schema
from agent_shell.journal.sqlite.pages import Pages
from agent_shell.journal.sqlite.records import Records

COUNT = 60
PAGE = 4096


def make(path: Path) -> None:
    """A journal with one session and `COUNT` follow-ups, the first of which is withdrawn."""
    c = schema.prepare(path)
    c.execute("INSERT INTO sessions (key, created_at) VALUES ('s', 1)")
    records = Records(c)
    c.execute("BEGIN")
    for number in range(COUNT):
        text = f"text {number:02} " * 30
        fact = FollowUpAccepted("s", 5.0, f"id-{number:02}", text, Lane.QUEUE, "user", 1)
        records.write(1, [fact])
    records.write(1, [Receipt("s", 6.0, "id-00", State.WITHDRAWN, "user", None, "")])
    c.execute("COMMIT")
    c.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "sessions.sqlite"
    make(file)
    return file


def change(path: Path, statement: str) -> None:
    """Puts into the file what the library never would."""
    c = sqlite3.connect(path)
    with c:
        c.execute(statement)
    c.close()


def patch(path: Path, at: int, data: bytes) -> None:
    """Writes bytes into a file."""
    whole = bytearray(path.read_bytes())
    whole[at : at + len(data)] = data
    path.write_bytes(whole)


def texts(path: Path) -> dict[str, str]:
    """The follow-ups of the file, by id."""
    c = sqlite3.connect(path)
    found = dict(c.execute("SELECT id, text FROM follow_ups").fetchall())
    c.close()
    return found


STRANGE = [
    "lane = 'queues'",
    "state = 'queueD'",
    "accepted_at = 9e200",
    "accepted_at = 9e999",
    "text = x'ff'",
    "text = CAST(x'ff' AS TEXT)",
    "ended_at = -1",
]


class TestReading:
    """Rows that nobody wrote, in a file that SQLite finds in order."""

    @pytest.mark.parametrize("what", STRANGE)
    def test_who_reads_them_is_told(self, path, what):
        """By a JournalError, not by whatever trips over them later."""
        change(path, f"UPDATE follow_ups SET {what} WHERE id = 'id-07'")
        with pytest.raises(JournalError), catalog.reading(path) as c:
            reading.entries(c, "s")
        with catalog.reading(path) as c:
            assert reading.entry(c, "s", "id-08") is not None

    @pytest.mark.parametrize("what", STRANGE)
    def test_an_examination_sees_them_and_a_recovery_leaves_them_out(self, path, what):
        """They are reported as lost; all others are there."""
        change(path, f"UPDATE follow_ups SET {what} WHERE id = 'id-07'")
        assert recovery.examine(path).damaged
        done = recovery.recover(path)
        assert recovery.examine(path).problems == []
        # A damaged letter in a text costs the letter alone.
        lost = set() if "CAST" in what else {"id-07"}
        assert set(done.lost_ids) == lost
        assert len(texts(path)) == COUNT - len(lost)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE turns SET number = 'x'",
            "UPDATE turns SET answer = x'ff'",
            "UPDATE follow_ups SET text = x'ff' WHERE state = 'running'",
            "UPDATE follow_ups SET rank = 'x' WHERE rank IS NOT NULL",
        ],
    )
    @pytest.mark.parametrize("found_before", [False, True])
    async def test_who_takes_a_session_is_told(self, path, statement, found_before):
        """Also where what is damaged is the turn that was cut off, or its place."""
        c = schema.prepare(path)
        started = TurnStarted("s", 6.0, 1, "id-01", 1)
        Records(c).write(1, [started])
        c.close()
        if found_before:
            journal = SqliteJournal(path)
            await journal.open("s")
            await journal.close()
            statement = statement.replace("state = 'running'", "id = 'id-01'")
        change(path, statement)
        journal = SqliteJournal(path)
        with pytest.raises(JournalError):
            await journal.open("s")
        await journal.close()

    def test_a_schema_that_is_no_unicode_is_damage(self, path):
        """Also where SQLite says so in no Unicode."""
        at = path.read_bytes().index(b"tableinboxinbox")
        patch(path, at, b"table\xff\xfebox")
        patch(path, path.read_bytes().index(b"CREATE TABLE inbox"), b"CREATE  \xff")
        assert recovery.examine(path).damaged
        with pytest.raises(JournalError), catalog.reading(path) as c:
            reading.sessions(c)
        with pytest.raises(JournalError):
            schema.prepare(path)

    def test_an_unreadable_hold_does_not_outlive_a_recovery(self, path):
        """What is no hold holds nothing."""
        change(path, "UPDATE sessions SET hold = '[1]'")
        recovery.recover(path)
        with catalog.reading(path) as c:
            assert catalog.status(c, path, "s") is not None

    @pytest.mark.parametrize("hold", ["", "no JSON", "[1]", '{"reason": 3}'])
    def test_an_unreadable_hold_holds_nothing(self, path, hold):
        """Who looks is told how the session stands without it."""
        change(path, f"UPDATE sessions SET hold = '{hold}'")
        with catalog.reading(path) as c:
            status = catalog.status(c, path, "s")
        assert status is not None
        assert status.hold is not None
        assert status.hold["reason"] == HoldReason.RESTORED

    @pytest.mark.parametrize("what", ["fence = 'x'", "owner = x'00'", "owner_since = 'long ago'"])
    async def test_a_session_whose_owner_is_unreadable_can_not_be_taken(self, path, what):
        """It is said; a recovery leaves out what nobody wrote."""
        change(path, f"UPDATE sessions SET {what}")
        journal = SqliteJournal(path)
        with pytest.raises(JournalError, match="a row of it is none that was written"):
            await journal.open("s")
        await journal.close()
        assert recovery.examine(path).damaged

    async def test_a_session_that_can_be_neither_found_nor_made_can_not_be_taken(self, path):
        """Where the table says that there is one and its rows say that there is none."""
        change(
            path,
            "CREATE TRIGGER no BEFORE INSERT ON sessions BEGIN SELECT RAISE(IGNORE); END",
        )
        journal = SqliteJournal(path)
        with pytest.raises(JournalError, match="no session 'new', and lets none be made"):
            await journal.open("new")
        await journal.close()

    def test_a_key_that_is_none_is_damage(self, path):
        """A list of the sessions has keys, or says that it can't be made."""
        c = sqlite3.connect(path)
        c.execute("PRAGMA writable_schema = ON")
        c.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'key TEXT NOT NULL', 'key TEXT')"
            " WHERE name = 'sessions'"
        )
        c.commit()
        c.close()
        change(path, "UPDATE sessions SET key = NULL")
        with pytest.raises(JournalError), catalog.reading(path) as c:
            catalog.keys(c)


class TestRecovering:
    """Rows of whole pages are found, whatever the other pages say."""

    def test_a_number_that_is_none_costs_its_row_alone(self, path):
        """SQLite takes it for NULL, which it refuses: the rest is recovered all the same."""
        change(path, "UPDATE follow_ups SET accepted_at = 1.5, ended_at = 2.5 WHERE id = 'id-00'")
        at = path.read_bytes().index(struct.pack(">d", 1.5))
        patch(path, at, struct.pack(">d", math.nan))
        assert recovery.recover(path).lost_ids == ["id-00"]
        assert len(texts(path)) == COUNT - 1

    def test_a_row_that_took_the_name_of_another_does_not_replace_it(self, path):
        """The index knows which of the two is the one."""
        original = texts(path)
        at = path.read_bytes().index(b"id-00text")
        patch(path, at, b"id-30")  # it has ended: as the later version of a row it would win
        done = recovery.recover(path)
        assert texts(path) == {id: text for id, text in original.items() if id != "id-00"}
        assert done.lost_ids == ["id-00"]

    def test_a_damaged_list_of_free_pages_hides_no_row(self, path):
        """A page of rows that it names is looked at all the same."""
        original = texts(path)
        page = 1 + path.read_bytes().index(b"text 30") // PAGE
        patch(path, 32, struct.pack(">I", page))
        recovery.recover(path)
        assert texts(path) == original

    def test_a_list_of_free_pages_that_names_one_in_use_hides_no_row(self, path):
        """It adds up, but the table points to one of its pages: it is not believed."""
        change(path, "CREATE TABLE big AS SELECT zeroblob(40000)")
        change(path, "DROP TABLE big")
        original, file = texts(path), path.read_bytes()
        (trunk,) = struct.unpack_from(">I", file, 32)
        assert trunk
        page = 1 + file.index(b"text 30") // PAGE
        patch(path, (trunk - 1) * PAGE + 8, struct.pack(">I", page))
        assert recovery.recover(path).lost_ids == []
        assert texts(path) == original

    def test_the_size_of_a_page_is_that_of_the_log(self, tmp_path, path):
        """The log has a checksum; the header of the file has none."""
        c = sqlite3.connect(path)
        c.execute("PRAGMA wal_autocheckpoint = 0")
        with c:
            c.execute("INSERT INTO sessions (key, created_at) VALUES ('new', 1)")
        left = tmp_path / "left.sqlite"
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{left}{end}")
        c.close()
        patch(left, 16, struct.pack(">H", 2 * PAGE))
        done = recovery.recover(left)
        assert (done.sessions, done.follow_ups) == (2, COUNT)

    def test_a_log_that_names_a_page_far_away_is_read_at_once(self, path):
        """Only the pages that are there are looked at, not all that there could be."""
        log = bytearray(struct.pack(">8I", 0x377F0682, 3007000, PAGE, 0, 1, 2, 0, 0))
        log[24:32] = struct.pack(">2I", *_checksum(log[:24], (0, 0)))
        head, page = struct.pack(">2I", 0xFFFFFFF0, 1), bytes(PAGE)
        total = _checksum(page, _checksum(head, _checksum(log[:24], (0, 0))))
        log += head + struct.pack(">4I", 1, 2, *total) + page
        path.with_name(path.name + "-wal").write_bytes(log)
        pages = Pages(path)
        assert sum(1 for cell in pages.cells() if len(cell.values) == 12) == COUNT
        pages.close()

    @pytest.mark.parametrize("size", [513, 520])
    def test_a_log_with_pages_of_no_size_is_no_log(self, path, size):
        """Whatever its checksum says."""
        log = bytearray(struct.pack(">8I", 0x377F0682, 3007000, size, 0, 1, 2, 0, 0))
        log[24:32] = struct.pack(">2I", *_checksum(log[:24], (0, 0)))
        path.with_name(path.name + "-wal").write_bytes(log + bytes(4 * size))
        pages = Pages(path)
        assert pages.size == PAGE
        pages.close()


def _checksum(data: bytes | bytearray, total: tuple[int, int]) -> tuple[int, int]:
    first, second = total
    words = struct.unpack(f"<{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
