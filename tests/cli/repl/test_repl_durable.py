# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""The live prompt over a journal in a file: leaving, coming back, attaching."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent_shell import EchoAgent, Engine, Lane, State
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell_cli.exits import Exit
from agent_shell_cli.options import OnInterrupted
from agent_shell_cli.repl.questions import Questions
from support_asking import MAKE, Worker, edit
from support_repl import CTRL_C, CTRL_D, ENTER, Puppet, Stage, options, stage

ATTACH = "attach to it, and put inputs into its queue? [Y/n]"


@asynccontextmanager
async def journal_at(path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(path)
    try:
        yield journal
    finally:
        await journal.close()


async def states(path: Path) -> dict[str, State]:
    """The state of each input of the session, by its text."""
    async with journal_at(path) as journal:
        return {entry.text: entry.state for entry in await journal.entries("default")}


async def leave_behind(path: Path, *waiting: str, partial: str = "") -> None:
    """A session whose process died: a turn on "first" with `partial`, and what waited behind."""
    puppet = Puppet()
    journal = SqliteJournal(path)
    session = await Engine(puppet, journal=journal).open("default")
    watching = session.observe()
    await session.submit("first")
    puppet.say(partial)
    for text in waiting:
        await session.submit(text)
    async for event in watching:
        if event.type == "turn.delta":
            break
    session.keep_partial(1, session.running.id if session.running else "", partial)
    await journal.entries("default")
    # The journal is closed under it, which is all that a dead process leaves.
    await journal.close()


async def answered(path: Path, *texts: str) -> None:
    """A session in which these were answered by themselves."""
    async with journal_at(path) as journal, Engine(EchoAgent(), journal=journal) as engine:
        session = await engine.open("default")
        for text in texts:
            await session.submit(text)


async def test_what_waits_is_kept_on_leaving(tmp_path: Path) -> None:
    """Leaving says how to come back to what waits, and it is in the journal."""
    path = tmp_path / "j.sqlite"
    async with stage(tmp_path, options(journal=path)) as shell:
        shell.type(f"one{ENTER}", f"two{ENTER}", f"three{ENTER}")
        await shell.until("❯ 1  one", "  3  three")
        shell.type(CTRL_C)
        await shell.until("✗ interrupted")
        shell.type(CTRL_C, CTRL_C)
        assert await shell.code() == Exit.INCOMPLETE
        text = shell.screen.text
    assert "  2  two\n  3  three\n2 follow-ups are kept in session default; " in text
    assert "brings them back" in text
    assert await states(path) == {
        "one": State.CANCELLED,
        "two": State.QUEUED,
        "three": State.QUEUED,
    }


async def test_restored_queue_is_held_and_runs_on_resume(tmp_path: Path) -> None:
    """What waited is shown with its numbers, runs when the user says so, and not before."""
    path = tmp_path / "j.sqlite"
    await leave_behind(path, "two", "three")
    async with stage(tmp_path, options(journal=path, interrupted=OnInterrupted.SKIP)) as shell:
        await shell.until("✗ interrupted: the turn was cut off — it is skipped", "✗ skipped")
        await shell.until("2 follow-ups from before, held: /resume (or Enter) runs them")
        await shell.until("\n  2  two\n  3  three\n‖ held: the queue was restored")
        assert shell.agent.turns == []
        shell.type(ENTER)
        shell.agent.end("to two")
        await shell.until("❯ 2  two\nto two\n\n❯ 3  three")
        shell.type(f"four{ENTER}")
        await shell.until("\n  4  four")


async def test_restored_queue_can_be_dropped(tmp_path: Path) -> None:
    """`/clear` withdraws what was restored, the turn that was cut off too."""
    path = tmp_path / "j.sqlite"
    await leave_behind(path, "two", "three")
    async with stage(tmp_path, options(journal=path)) as shell:
        await shell.until("2 follow-ups from before behind it: /clear drops all of them")
        shell.type(f"/clear{ENTER}")
        await shell.until("3 follow-ups withdrawn")
        assert shell.agent.turns == []
    assert set((await states(path)).values()) == {State.WITHDRAWN}


async def test_restored_queue_can_be_edited_and_dropped_from(tmp_path: Path) -> None:
    """By the numbers that are shown; what is not there is said not to be."""
    path = tmp_path / "j.sqlite"
    await leave_behind(path, "second", "third")
    async with stage(tmp_path, options(journal=path), EchoAgent()) as shell:
        await shell.until("  3  third")
        shell.type(f"/edit 2 better{ENTER}", f"/drop 3{ENTER}")
        await shell.until("  2  better")
        shell.type(f"/drop 9{ENTER}")
        await shell.until("9 does not wait")
        shell.type(f"/skip{ENTER}", f"/resume{ENTER}")
        await shell.until("❯ 2  better\nbetter")
        shell.type(CTRL_D)
        await shell.code()
    done = State.ANSWERED
    assert await states(path) == {
        "first": State.CANCELLED,
        "better": done,
        "third": State.WITHDRAWN,
    }


async def test_cut_off_turn_is_shown_and_retried(tmp_path: Path) -> None:
    """A turn that was cut off is shown with what it had said; Enter or /retry runs it again."""
    for how in (ENTER, f"/retry{ENTER}"):
        path = tmp_path / f"{len(how)}.sqlite"
        await leave_behind(path, partial="half an ans")
        async with stage(tmp_path, options(journal=path)) as shell:
            await shell.until("❯ 1  first\nhalf an ans\n✗ interrupted: the turn was cut off — ")
            await shell.until("‖ held: a turn was cut off · 1 follow-up · /retry (or Enter) or")
            shell.type(how)
            shell.agent.end("whole")
            await shell.until("❯ 1  first\nwhole\n❯")
        assert await states(path) == {"first": State.ANSWERED}


async def test_cut_off_turn_is_skipped(tmp_path: Path) -> None:
    """`/skip` gives it its receipt; the next input runs at once."""
    path = tmp_path / "j.sqlite"
    await leave_behind(path, partial="half")
    async with stage(tmp_path, options(journal=path)) as shell:
        await shell.until("‖ held: a turn was cut off")
        shell.type(f"/skip{ENTER}")
        await shell.until("✗ skipped")
        shell.type(f"/retry{ENTER}")
        await shell.until("/retry is for a turn that was cut off or not answered")
        shell.type(CTRL_C, f"next{ENTER}")
        await shell.until("❯ 2  next")
        shell.agent.end("yes")
        await shell.until("yes\n❯")
    assert await states(path) == {"first": State.CANCELLED, "next": State.ANSWERED}


async def test_interrupted_retry_runs_it_at_once(tmp_path: Path) -> None:
    """With `--interrupted retry` nobody is asked."""
    path = tmp_path / "j.sqlite"
    await leave_behind(path)
    async with stage(tmp_path, options(journal=path, interrupted=OnInterrupted.RETRY)) as shell:
        shell.agent.end("again")
        await shell.until("it runs again", "❯ 1  first\nagain\n❯")


async def test_last_turns_are_shown(tmp_path: Path) -> None:
    """On coming back the last three turns are shown, each cut to a few lines."""
    path = tmp_path / "j.sqlite"
    await answered(path, "one", "two", "a\nb\nc\nd\ne\nf\x1b[2J", "four")
    async with stage(tmp_path, options(journal=path)) as shell:
        await shell.until("❯ two\ntwo\n\n❯ a b c d e f␛[2J\na\nb\nc\nd\n… 2 more lines\n\n❯ four")
        assert "❯ one" not in shell.screen.text


async def test_inputs_of_other_processes_are_taken_in(tmp_path: Path) -> None:
    """What is sent to the session from elsewhere runs like what was typed."""
    path = tmp_path / "j.sqlite"
    async with stage(tmp_path, options(journal=path)) as owner:
        owner.type(f"one{ENTER}")
        await owner.until("❯ 1  one")
        async with attached(tmp_path, path) as other:
            other.type(f"from elsewhere{ENTER}")
            await owner.until("\n  2  from elsewhere")


@asynccontextmanager
async def attached(tmp_path: Path, path: Path, lane: Lane = Lane.QUEUE) -> AsyncIterator[Stage]:
    """A second shell, attached to the session that the first one owns."""
    chosen = options(journal=path, busy=lane)
    async with stage(tmp_path, chosen, ready=ATTACH) as other:
        assert "session 'default' is owned by process" in other.screen.text
        other.type(ENTER)
        await other.until("attached to process")
        yield other


async def test_attaching_can_be_declined(tmp_path: Path) -> None:
    """`n` leaves with the exit code of a refusal, and the owner is not disturbed."""
    path = tmp_path / "j.sqlite"
    async with (
        stage(tmp_path, options(journal=path)) as owner,
        stage(tmp_path, options(journal=path), ready=ATTACH) as other,
    ):
        other.type(f"n{ENTER}")
        assert await other.code() == Exit.REFUSED
        owner.type(f"one{ENTER}")
        await owner.until("❯ 1  one")


async def test_a_text_is_no_answer_to_whether_to_attach(tmp_path: Path) -> None:
    """What was typed ahead for the session does not send the shell away: it asks again."""
    path = tmp_path / "j.sqlite"
    async with (
        stage(tmp_path, options(journal=path)),
        stage(tmp_path, options(journal=path), ready=ATTACH) as other,
    ):
        other.type(f"hello there{ENTER}")
        await other.until("y attaches, n leaves")
        other.type(f"Y{ENTER}")
        await other.until("attached to process")


async def test_attached_shell_sees_what_the_owner_is_asked(tmp_path: Path) -> None:
    """Exactly, as long as it is asked, and cannot answer it; nothing of it is recorded."""
    path, questions = tmp_path / "j.sqlite", Questions()
    worker = Worker(questions)
    chosen = options(journal=path)
    async with (
        stage(tmp_path, chosen, worker, questions=questions) as owner,
        attached(tmp_path, path) as other,
    ):
        owner.type(f"go{ENTER}")
        worker.ask(replace(MAKE, subject="make test\x1b[2J"), edit(40))
        who = f"(only process {os.getpid()} can answer):"
        await other.until(f"? shell asks to run {who}\n  make test␛[2J\nattached to process")
        other.type(f"/allow{ENTER}", "\x18\x19")
        await other.until("no tool asks for anything")
        await owner.until("Ctrl+X Ctrl+Y yes")
        owner.type("\x18\x19")
        said = f"? write asks to change {who}"
        await other.until(said, "  --- a/app.py\n", "more rows\n  +line 40\n")
        owner.type("\x1b")
        await other.until(lambda: said not in other.screen.text)
        assert not any(file.stat().st_size for file in Path(f"{path}.owners").iterdir())


async def test_attached_shell_sees_the_answers_to_its_own(tmp_path: Path) -> None:
    """What is typed waits in the owner's queue; its answer streams, others' do not show."""
    path = tmp_path / "j.sqlite"
    async with (
        stage(tmp_path, options(journal=path)) as owner,
        attached(tmp_path, path) as other,
    ):
        owner.type(f"mine{ENTER}")
        await owner.until("❯ 1  mine")
        other.type(f"yours{ENTER}", f"more{ENTER}")
        await other.until("accepted as follow-up", ", position 2", "\n  1  yours\n  2  more")
        other.type(f"/queue{ENTER}")
        owner.agent.end("secret")
        await owner.until("❯ 2  yours")
        owner.agent.end("for you")
        await other.until("❯ 1  yours\nfor you")
        assert "secret" not in other.screen.text
        other.type(f"/clear{ENTER}")
        await other.until("/clear works only in process")
        other.type(CTRL_C)
        owner.agent.end("bye")
        other.type(CTRL_D)
        assert await other.code() == Exit.OK
        assert "❯ 2  more\nbye" in other.screen.text


async def test_attached_shell_steers(tmp_path: Path) -> None:
    """An input that the owner's turn takes in is followed by the answer of that turn."""
    path = tmp_path / "j.sqlite"
    async with (
        stage(tmp_path, options(journal=path)) as owner,
        attached(tmp_path, path, Lane.STEER) as other,
    ):
        owner.type(f"mine{ENTER}")
        await owner.until("❯ 1  mine")
        other.type(f"to the left{ENTER}")
        await other.until("accepted as follow-up")
        owner.agent.end("left", " it is")
        await other.until("↳ 1  to the left\nleft it is")


async def test_attached_shell_takes_over(tmp_path: Path) -> None:
    """When the owner has left, the attached shell owns the session, with its draft kept."""
    path = tmp_path / "j.sqlite"
    async with stage(tmp_path, options(journal=path)) as owner:
        owner.type(f"mine{ENTER}")
        await owner.until("❯ 1  mine")
        async with attached(tmp_path, path) as other:
            other.type(f"yours{ENTER}", "my draft")
            await other.until("accepted as follow-up", "❯ my draft")
            owner.type(CTRL_C, CTRL_C, CTRL_C)
            assert await owner.code() == Exit.INCOMPLETE
            await other.until("no longer has the session: this shell does", "❯ my draft")
            await other.until("1 follow-up from before, held")
            other.type(CTRL_C, ENTER)
            other.agent.end("here")
            await other.until("❯ 1  yours\nhere")
    assert await states(path) == {"mine": State.CANCELLED, "yours": State.ANSWERED}


async def test_refused_input_of_an_attached_shell_comes_back(tmp_path: Path) -> None:
    """What the owner can't accept is refused aloud and stays in the draft."""
    path = tmp_path / "j.sqlite"
    async with (
        stage(tmp_path, options(journal=path)),
        attached(tmp_path, path) as other,
    ):
        other.type("half \udcff", ENTER)
        await other.until("not accepted: the text is not Unicode", "❯ half")


async def leave_many(path: Path, n: int) -> None:
    """A session in which `n` inputs wait: more than a shell has in memory."""
    async with journal_at(path) as journal:
        engine = Engine(Puppet(), journal=journal)
        session = await engine.open("default")
        session.put_on_hold()
        await asyncio.gather(*(session.submit(f"input {i}") for i in range(1, n + 1)))
        await engine.close(drain=False)


async def test_long_queue_is_cleared_to_its_end(tmp_path: Path) -> None:
    """`/clear` withdraws what waits in the journal too, and all of it is counted."""
    path = tmp_path / "j.sqlite"
    await leave_many(path, 1500)
    async with stage(tmp_path, options(journal=path)) as shell:
        await shell.until("1,500 follow-ups from before, held", "… 1,49", " more\n‖")
        shell.type(f"/clear{ENTER}")
        await shell.until("1,500 follow-ups withdrawn")
        shell.type(f"next{ENTER}")
        await shell.until("❯ 1501  next")


async def test_nothing_is_promised_that_undo_does_not_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more inputs than it can bring back it says so: `/undo` would take back another change."""
    monkeypatch.setattr("agent_shell_cli.repl.arranger._UNDO_INPUTS", 2)
    path = tmp_path / "j.sqlite"
    await leave_many(path, 3)
    async with stage(tmp_path, options(journal=path)) as shell:
        await shell.until("3 follow-ups from before, held")
        shell.type(f"/clear{ENTER}")
        await shell.until("3 follow-ups withdrawn (for good: too many to bring back)")
        shell.type(f"/undo{ENTER}")
        await shell.until("there is nothing to take back")


async def test_long_queue_keeps_its_numbers(tmp_path: Path) -> None:
    """What comes from the journal later has its number and its text in the heading."""
    path = tmp_path / "j.sqlite"
    await leave_many(path, 50)
    few = SqliteJournal(path, window=4)
    async with stage(tmp_path, options(journal=path), EchoAgent(), journal=few) as shell:
        await shell.until("50 follow-ups from before, held", "  4  input 4\n  … 46 more\n‖")
        shell.type(f"last{ENTER}", ENTER)
        await shell.until("❯ 49  input 49\ninput 49\n\n❯ 50  input 50", "❯ 51  last\nlast")


async def test_what_waits_too_far_behind_is_said_to_wait(tmp_path: Path) -> None:
    """An input that is in the journal alone can't be changed yet, and has not ended."""
    path = tmp_path / "j.sqlite"
    await leave_many(path, 50)
    few = SqliteJournal(path, window=4)
    async with stage(tmp_path, options(journal=path), journal=few) as shell:
        await shell.until("  4  input 4\n  … 46 more\n‖")
        shell.type(f"last{ENTER}", f"/drop 30{ENTER}")
        await shell.until("number 30 waits too far behind: only the next 4 can be changed")
        shell.type(f"/move 51 1{ENTER}")
        await shell.until("number 51 waits too far behind: only the next 4 can be changed")
        shell.type(f"/drop 52{ENTER}")
        await shell.until("number 52 does not wait")


async def test_named_journal_is_named_on_leaving(tmp_path: Path) -> None:
    """The way back names the journal and the session as the command line takes them."""
    path = tmp_path / "my journal.sqlite"
    chosen = replace(options(journal=path), session="a b")
    async with stage(tmp_path, chosen) as shell:
        shell.type(f"/hold{ENTER}", f"one{ENTER}")
        await shell.until("\n  1  one\n‖")
        shell.type(CTRL_D)
        assert await shell.code() == Exit.INCOMPLETE
        said = " ".join(shell.screen.text.split())
        assert f"agent-shell chat --journal '{path}' -s 'a b' brings it back" in said


async def test_a_fork_is_named_as_a_command_line_takes_it(tmp_path: Path) -> None:
    """A key may have blanks; bytes that are no text are refused, and the shell goes on."""
    async with stage(tmp_path, options(journal=tmp_path / "j.sqlite")) as shell:
        shell.type(f"/fork my work{ENTER}")
        await shell.until("copied to session my work: agent-shell chat -s 'my work'")
        shell.type(f"/fork \udcff{ENTER}")
        await shell.until("/fork: what is named is not Unicode", "\n❯")
        shell.type(f"/queue{ENTER}")
        await shell.until("nothing waits")


async def test_a_session_with_a_late_steer_is_written_and_shown(tmp_path: Path) -> None:
    """Its receipt has a reason, though it was answered: that ended the shell."""
    file = tmp_path / "out.md"
    async with stage(tmp_path, options(journal=tmp_path / "j.sqlite")) as shell:
        shell.type(f"/hold{ENTER}", f"late{ENTER}", f"/steer 1{ENTER}")
        await shell.until("  1  steer · late")
        shell.type(f"/resume{ENTER}")
        await shell.until("❯ 1  late")
        shell.agent.end("yes")
        await shell.until("yes\n❯")
        shell.type(f"/export {file}{ENTER}")
        await shell.until("the session is in")
        assert "answered by a turn of its own" in file.read_text()
        shell.type(f"/sessions default{ENTER}")
        await shell.until("answered by a turn of its own")
