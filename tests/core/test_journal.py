"""What the engine asks of a journal, and what it does when the journal fails."""

from __future__ import annotations

import asyncio

import pytest

from agent_shell import EchoAgent, HoldReason, JournalError, Lane, MemoryJournal, Phase, State
from agent_shell.events import (
    FollowUpAccepted,
    FollowUpEdited,
    FollowUpMoved,
    Receipt,
    SessionHeld,
    TurnDelta,
    TurnEnded,
    TurnPartial,
    TurnStarted,
)
from agent_shell.journal import Entry
from support import BrokenJournal, ManualJournal, StepAgent, Watch, new_session, until


class TestLateCommits:
    """A journal whose commits come later than the call."""

    async def test_accepting_returns_when_the_follow_up_is_committed(self):
        """Until then nobody is told."""
        journal = ManualJournal()
        engine, session = new_session(StepAgent(), journal=journal)
        watch = Watch(engine.observe())
        submitting = asyncio.create_task(session.submit("a"))
        await until(lambda: bool(journal.pending))
        assert not submitting.done()
        assert watch.types() == []
        journal.commit()
        assert (await submitting).text == "a"
        assert watch.types() == ["follow_up.accepted", "turn.started"]

    async def test_the_agent_sees_a_turn_when_its_start_is_committed(self):
        """Not before."""
        journal, agent = ManualJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        submitting = asyncio.create_task(session.submit("a"))
        await until(lambda: bool(journal.pending))
        for _ in range(5):
            await asyncio.sleep(0)
        assert agent.steps == []
        journal.commit()
        await agent.step(1)
        await submitting

    async def test_a_receipt_and_the_next_start_are_one_batch(self):
        """The hand-off is recorded whole or not at all, in one commit."""
        journal, agent = ManualJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        submits = [asyncio.create_task(session.submit(text)) for text in "ab"]
        await until(lambda: len(journal.pending) == 2)
        journal.commit()
        journal.commit()
        await asyncio.gather(*submits)
        (await agent.step(1)).finish()
        await until(lambda: bool(journal.pending))
        (batch,) = journal.pending
        assert [type(fact) for fact in batch[1]] == [TurnEnded, Receipt, TurnStarted]

    async def test_a_turn_is_steered_by_what_is_committed(self):
        """An input that the journal may still refuse is not given to the agent."""
        journal, agent = ManualJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        first = asyncio.create_task(session.submit("a"))
        await until(lambda: bool(journal.pending))
        journal.commit()
        step = await agent.step(1)
        steers = [asyncio.create_task(session.submit(text, lane=Lane.STEER)) for text in "bc"]
        await until(lambda: len(journal.pending) == 2)
        journal.commit()
        assert [steer.text for steer in step.turn.take_steers()] == ["b"]
        journal.commit()
        assert [steer.text for steer in step.turn.take_steers()] == ["c"]
        await asyncio.gather(first, *steers)

    async def test_a_submit_that_is_not_recorded_leaves_nothing(self):
        """The caller gets the error; the input is in no queue; the session says why it holds."""
        journal, agent = ManualJournal(), StepAgent()
        engine, session = new_session(agent, journal=journal)
        watch = Watch(engine.observe())
        submitting = asyncio.create_task(session.submit("a"))
        await until(lambda: bool(journal.pending))
        journal.fail()
        with pytest.raises(JournalError, match="disk full"):
            await submitting
        assert list(session.waiting) == []
        assert session.phase is Phase.HELD
        assert session.hold is not None
        assert session.hold.reason is HoldReason.JOURNAL
        assert agent.steps == []
        assert watch.types() == ["session.held", "follow_up.rejected"]

    async def test_places_that_counted_a_refused_input_are_told_anew(self):
        """What the record is given after a refusal leads to the order that the session has."""
        journal = ManualJournal()
        _, session = new_session(StepAgent(), journal=journal)
        session.put_on_hold()
        submits = [asyncio.create_task(session.submit(text)) for text in "abg"]
        await until(lambda: len(journal.pending) == 4)
        for _ in range(4):
            journal.commit()
        a, b, g = [accepted.id for accepted in await asyncio.gather(*submits)]
        late = asyncio.create_task(session.submit("x", lane=Lane.INTERRUPT))
        await until(lambda: bool(journal.pending))
        session.move(g, 2)
        journal.fail()
        journal.fail()
        with pytest.raises(JournalError):
            await late
        assert [f.id for f in session.waiting] == [g, a, b]
        session.edit(a, "other")
        recorded = [a, b, g]
        for fact in journal.pending[-1][1]:
            if type(fact) is FollowUpMoved:
                recorded.remove(fact.id)
                recorded.insert(fact.position - 1, fact.id)
        assert recorded == [g, a, b]

    async def test_a_refusal_that_comes_at_once_is_told_behind_what_came_before_it(self):
        """Who watches sees the hold for the journal last, as the session has it."""
        journal = ManualJournal()
        engine, session = new_session(StepAgent(), journal=journal)
        watch = Watch(engine.observe())
        session.put_on_hold()
        session.release()
        journal.broken = True
        with pytest.raises(JournalError):
            await session.submit("a")
        journal.commit()
        journal.commit()
        await until(lambda: len(watch.types()) >= 4)
        assert watch.of(SessionHeld)[-1].reason is HoldReason.JOURNAL
        assert watch.types().index("session.released") < len(watch.types()) - 1
        assert session.hold is not None
        assert session.hold.reason is HoldReason.JOURNAL

    async def test_a_receipt_that_was_refused_is_recorded_with_the_next_batch(self):
        """What has happened is kept until the journal takes it; the queue is held meanwhile."""
        journal, agent = ManualJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        submits = [asyncio.create_task(session.submit(text)) for text in "ab"]
        await until(lambda: len(journal.pending) == 2)
        journal.commit()
        journal.commit()
        first, _ = await asyncio.gather(*submits)
        (await agent.step(1)).finish()
        await until(lambda: bool(journal.pending))
        journal.fail()
        await until(lambda: session.phase is Phase.HELD)
        assert [f.text for f in session.waiting] == ["b"]
        assert len(agent.steps) == 1
        session.release()
        await until(lambda: bool(journal.pending))
        journal.commit()
        assert (await session.receipt(first.id)).state is State.ANSWERED
        await agent.step(2)

    async def test_an_interrupt_does_not_wait_for_the_journal(self):
        """A turn whose start is not recorded yet can be stopped."""
        journal, agent = ManualJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        submitting = asyncio.create_task(session.submit("a"))
        await until(lambda: bool(journal.pending))
        session.interrupt()
        for _ in range(5):
            await asyncio.sleep(0)
        while journal.pending:
            journal.commit()
            await asyncio.sleep(0)
        accepted = await submitting
        assert (await session.receipt(accepted.id)).state is State.CANCELLED
        assert agent.steps == []


class TestARaisingJournal:
    """live: a journal that raises does not stop the session."""

    async def test_the_queue_is_held_and_goes_on_when_the_journal_does(self):
        """Nothing is lost, nothing runs twice, and every receipt is in the journal in the end."""
        journal, agent = BrokenJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        ids = [(await session.submit(text)).id for text in "ab"]
        step = await agent.step(1)
        journal.broken = True
        with pytest.raises(JournalError, match="No space left"):
            await session.submit("c")
        step.finish()
        await session.settled()
        assert session.hold is not None
        assert session.hold.reason is HoldReason.JOURNAL
        journal.broken = False
        session.release()
        (await agent.step(2)).finish()
        await session.settled()
        receipts = [fact.id for fact in journal.committed if isinstance(fact, Receipt)]
        assert receipts == ids
        assert len(agent.steps) == 2

    async def test_a_first_input_can_be_sent_again(self):
        """After a refused first input the session is held, empty and usable."""
        journal = BrokenJournal()
        journal.broken = True
        _, session = new_session(EchoAgent(), journal=journal)
        with pytest.raises(JournalError):
            await session.submit("a")
        journal.broken = False
        session.release()
        accepted = await session.submit("a")
        assert (await session.receipt(accepted.id)).state is State.ANSWERED

    async def test_of_a_merge_that_was_refused_nothing_remains(self):
        """Its text leaves the one that it was joined to, here, on screen and in the journal."""
        journal, agent = BrokenJournal(), StepAgent()
        engine, session = new_session(agent, journal=journal)
        watch = Watch(engine.observe())
        for text in "ab":
            await session.submit(text)
        journal.broken = True
        with pytest.raises(JournalError):
            await session.submit("joined", lane=Lane.MERGE)
        assert [f.text for f in session.waiting] == ["b"]
        journal.broken = False
        session.release()
        (await agent.step(1)).finish()
        assert (await agent.step(2)).turn.text == "b"
        assert [edit.text for edit in watch.of(FollowUpEdited)] == ["b"]
        assert [f.text for f in journal.committed if isinstance(f, FollowUpEdited)] == ["b"]
        await session.close(drain=False)

    async def test_a_close_ends_although_nothing_can_be_recorded(self):
        """A session whose journal is broken can still be left."""
        journal, agent = BrokenJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        await session.submit("a")
        await session.submit("b")
        await agent.step(1)
        journal.broken = True
        assert [f.text for f in await session.close(drain=False)] == ["b"]
        assert session.phase is Phase.CLOSED

    async def test_a_close_tries_once_more_to_record_what_was_refused(self):
        """A receipt that the journal refused is not forgotten at the end."""
        journal, agent = BrokenJournal(), StepAgent()
        _, session = new_session(agent, journal=journal)
        accepted = await session.submit("a")
        step = await agent.step(1)
        journal.broken = True
        step.finish()
        await session.settled()
        assert [f for f in journal.committed if isinstance(f, Receipt)] == []
        journal.broken = False
        await session.close()
        assert [f.id for f in journal.committed if isinstance(f, Receipt)] == [accepted.id]


async def test_what_is_said_is_recorded_also_where_the_clock_is_put_back():
    """What a turn produces is kept for the case of a crash, whatever time it is."""
    times = [1000.0]
    journal, agent = BrokenJournal(), StepAgent()
    engine, session = new_session(agent, journal=journal, clock=lambda: times[0])
    watch = Watch(engine.observe())
    await session.submit("a")
    step = await agent.step(1)
    times[0] = 500.0
    step.say("part")
    await until(lambda: bool(watch.of(TurnDelta)))
    assert [f.text for f in journal.committed if isinstance(f, TurnPartial)] == ["part"]


class TestMemoryJournal:
    """What the journal in memory keeps."""

    async def test_an_entry_tells_the_whole_story_of_a_follow_up(self):
        """Text, lane, sender, state, turn, answer and times."""
        journal = MemoryJournal()
        times = iter(range(100, 200))
        _, session = new_session(EchoAgent(), journal=journal, clock=lambda: float(next(times)))
        await session.submit("a", id="x", sender="ann", lane=Lane.QUEUE)
        await session.settled()
        entry = await journal.entry("s", "x")
        assert entry is not None
        assert entry.ended_at is not None
        assert entry.accepted_at < entry.ended_at
        told = Entry("x", "a", Lane.QUEUE, "ann", entry.accepted_at, State.ANSWERED, "", 1, "a")
        told.ended_at = entry.ended_at
        assert entry == told
        assert await journal.entries("s") == [entry]
        assert await journal.entry("s", "y") is None
        assert await journal.entries("t") == []

    async def test_history_has_the_turns_that_ran_in_the_order_in_which_they_ran(self):
        """A withdrawn input is no part of it; a cancelled turn is."""
        agent = StepAgent()
        journal = MemoryJournal()
        _, session = new_session(agent, journal=journal)
        await session.submit("a")
        await session.submit("b")
        gone = await session.submit("gone")
        await session.submit("c", lane=Lane.INTERRUPT)
        session.remove(gone.id)
        for number in (1, 2):
            (await agent.step(number)).finish()
        await session.settled()
        # `a` was stopped before its first step, so the agent never saw it.
        ran = [(e.text, e.state) for e in await journal.history("s", 10)]
        assert ran == [
            ("a", State.CANCELLED),
            ("c", State.ANSWERED),
            ("b", State.ANSWERED),
        ]
        assert [e.text for e in await journal.history("s", 1)] == ["b"]
        assert await journal.history("s", 0) == []

    async def test_an_edit_is_kept(self):
        """The entry has the text that will run."""
        agent = StepAgent()
        journal = MemoryJournal()
        _, session = new_session(agent, journal=journal)
        await session.submit("a")
        await session.submit("b", id="b")
        session.edit("b", "B")
        entry = await journal.entry("s", "b")
        assert entry is not None
        assert entry.text == "B"
        await session.close(drain=False)


async def test_a_receipt_that_was_given_long_ago_can_still_be_asked_for():
    """`receipt` reads the journal, so it does not matter when it is called."""
    _, session = new_session(EchoAgent())
    accepted = await session.submit("a")
    await session.settled()
    first = await session.receipt(accepted.id)
    assert first == await session.receipt(accepted.id)


async def test_acceptance_is_recorded_before_it_is_told():
    """An observer never hears of a follow-up that the journal does not have."""
    journal = BrokenJournal()
    engine, session = new_session(EchoAgent(), journal=journal)
    watch = Watch(engine.observe())
    await session.submit("a")
    assert watch.of(FollowUpAccepted) == [
        fact for fact in journal.committed if isinstance(fact, FollowUpAccepted)
    ]
    await session.settled()
