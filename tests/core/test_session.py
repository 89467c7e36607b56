"""What a session promises, one rule a test."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest

from agent_shell import (
    AgentError,
    Budget,
    BudgetSpent,
    EchoAgent,
    Engine,
    HoldReason,
    IdConflict,
    InvalidText,
    Lane,
    Limits,
    Messages,
    Misbehaviour,
    ModelUnreachable,
    NotWaiting,
    OnFailure,
    Phase,
    QueueFull,
    RateLimited,
    State,
    TooLarge,
    ToolCall,
    ToolResult,
    Usage,
)
from agent_shell.audience import Audience
from agent_shell.errors import SessionClosed, SessionLost
from agent_shell.events import (
    FollowUpAccepted,
    FollowUpRejected,
    Receipt,
    SessionHeld,
    ToolCalled,
    ToolReturned,
    TurnDelta,
    TurnEnded,
    TurnStarted,
)
from support import StepAgent, Watch, new_session, until


async def test_a_follow_up_is_answered_and_gets_its_receipt():
    """An accepted input is answered, and its receipt carries the answer."""
    _, session = new_session(EchoAgent())
    accepted = await session.submit("hello")
    receipt = await session.receipt(accepted.id)
    assert (receipt.state, receipt.answer, receipt.turn) == (State.ANSWERED, "hello", 1)
    assert str(receipt) == "answered"


async def test_repr_shows_the_state():
    """`repr(session)` says what runs, what waits and why."""
    agent = StepAgent()
    _, session = new_session(agent)
    assert repr(session) == "<Session 's' [idle | 0 queued]>"
    await session.submit("a", id="a")
    await session.submit("b", id="b")
    await session.submit("c", id="c", lane=Lane.STEER)
    assert repr(session) == ("<Session 's' [running turn 1: a | 1 steering | 1 queued | guard 1]>")
    await agent.step(1)
    session.interrupt()
    assert repr(session) == (
        "<Session 's' [stopping turn 1: a | 2 queued | hold: interrupted | guard 1]>"
    )
    await session.settled()
    assert repr(session) == "<Session 's' [held | 2 queued | hold: interrupted | guard 1]>"
    assert await session.close() != []
    assert repr(session) == "<Session 's' [closed | 2 queued | hold: interrupted]>"


async def test_in_order():
    """Turns start in the order of acceptance, one at a time."""
    agent = StepAgent()
    engine, session = new_session(agent)
    watch = Watch(engine.observe())
    ids = [(await session.submit(f"{i}")).id for i in range(5)]
    for i in range(5):
        step = await agent.step(i + 1)
        assert step.turn.id == ids[i]
        step.finish()
    await session.settled()
    assert [e.id for e in watch.of(TurnStarted)] == ids
    assert agent.most_at_once == 1


async def test_positions_and_queue_lengths_are_told():
    """An acceptance says its position, a start says how many wait behind it."""
    agent = StepAgent()
    engine, session = new_session(agent)
    watch = Watch(engine.observe())
    positions = [(await session.submit(text)).position for text in "abc"]
    assert positions == [0, 1, 2]
    (await agent.step(1)).finish()
    await agent.step(2)
    assert [e.queued for e in watch.of(TurnStarted)] == [0, 1]


async def test_guard_continuous():
    """From the first follow-up to the last the session is guarded by one guard."""
    agent = StepAgent()
    _, session = new_session(agent)
    seen = []
    for text in "abc":
        await session.submit(text)
    for number in (1, 2, 3):
        step = await agent.step(number)
        seen.append(session.guard)
        step.finish()
        await step.over.wait()
        seen.append(session.guard)
    await session.settled()
    assert set(seen[:-1]) == {1}
    assert session.guard is None
    await session.submit("d")
    assert session.guard == 2


async def test_attributed():
    """Each piece of an answer carries the id of the follow-up that it answers."""
    engine, session = new_session(EchoAgent())
    watch = Watch(engine.observe())
    texts = {(await session.submit(text)).id: text for text in ("one", "two", "three")}
    await session.settled()
    assert {e.id: e.text for e in watch.of(TurnDelta)} == texts


async def test_events_of_a_turn_come_in_their_order():
    """Accepted, started, delta, ended, receipt: in this order, then the next start."""
    engine, session = new_session(EchoAgent())
    watch = Watch(engine.observe())
    await session.submit("a")
    await session.submit("b")
    await session.settled()
    turn = ["turn.started", "turn.delta", "turn.ended", "receipt"]
    assert watch.types() == [
        "follow_up.accepted",
        turn[0],
        "follow_up.accepted",
        *turn[1:],
        *turn,
    ]


async def test_says_no():
    """A full queue refuses aloud, and nothing of the refused input remains."""
    agent = StepAgent()
    engine, session = new_session(agent, limits=Limits(queue=2))
    watch = Watch(engine.observe())
    for text in "abc":
        await session.submit(text)
    with pytest.raises(QueueFull, match="2 follow-ups waiting"):
        await session.submit("d")
    assert [f.text for f in session.waiting] == ["b", "c"]
    (rejected,) = watch.of(FollowUpRejected)
    assert rejected.error == "QueueFull"


async def test_steers_count_against_the_bound_too():
    """What waits to steer has its place in the bound of the queue."""
    agent = StepAgent()
    _, session = new_session(agent, limits=Limits(queue=1))
    await session.submit("a")
    await session.submit("b", lane=Lane.STEER)
    with pytest.raises(QueueFull):
        await session.submit("c")


@pytest.mark.parametrize(("text", "fits"), [("x" * 8, True), ("x" * 9, False), ("é" * 5, False)])
async def test_the_size_of_a_text_is_bounded_in_bytes(text: str, fits: bool):
    """A text is measured in bytes of UTF-8."""
    _, session = new_session(EchoAgent(), limits=Limits(text_bytes=8))
    if fits:
        await session.submit(text)
    else:
        with pytest.raises(TooLarge, match="limit is 8"):
            await session.submit(text)
    await session.close()


async def test_a_text_that_is_not_unicode_is_refused():
    """Half of a surrogate pair cannot be kept, so it is not accepted."""
    _, session = new_session(EchoAgent())
    with pytest.raises(InvalidText, match="character 3"):
        await session.submit("ab\udc80")


async def test_the_same_id_and_text_again_is_acknowledged_and_not_run_twice():
    """A submit with an id of the caller's can be repeated safely."""
    agent = StepAgent()
    _, session = new_session(agent)
    await session.submit("first")
    once = await session.submit("hello", id="mine")
    again = await session.submit("hello", id="mine")
    assert (once.id, again.id, again.position) == ("mine", "mine", 1)
    with pytest.raises(IdConflict, match="mine"):
        await session.submit("other", id="mine")
    (await agent.step(1)).finish()
    (await agent.step(2)).finish()
    await session.settled()
    await session.submit("hello", id="mine")
    assert len(agent.steps) == 2


class TestInterrupt:
    """The user stops the running turn."""

    async def test_it_cancels_the_turn_and_holds_the_queue(self):
        """The turn's receipt says by whom, the partial answer stays, the queue is held."""
        agent = StepAgent()
        engine, session = new_session(agent)
        watch = Watch(engine.observe())
        first = await session.submit("a")
        await session.submit("b")
        step = await agent.step(1)
        step.say("half an")
        await until(lambda: bool(watch.of(TurnDelta)))
        assert session.interrupt()
        receipt = await session.receipt(first.id)
        assert str(receipt) == "cancelled by user"
        assert receipt.answer == "half an"
        assert step.cancelled
        assert session.phase is Phase.HELD
        assert session.hold is not None
        assert session.hold.reason is HoldReason.INTERRUPTED
        assert [f.text for f in session.waiting] == ["b"]
        session.release()
        (await agent.step(2)).finish()
        await session.settled()

    async def test_with_nothing_running_it_does_nothing(self):
        """An interrupt of an idle session leaves it idle."""
        _, session = new_session(EchoAgent())
        assert not session.interrupt()
        assert session.phase is Phase.IDLE

    async def test_no_ghost_output(self):
        """What an agent says after its turn was cancelled does not appear."""
        agent = StepAgent(stubborn=True)
        engine, session = new_session(agent)
        watch = Watch(engine.observe())
        first = await session.submit("a")
        step = await agent.step(1)
        step.say("before")
        await until(lambda: bool(watch.of(TurnDelta)))
        session.interrupt()
        step.say("after")
        receipt = await session.receipt(first.id)
        assert receipt.answer == "before"
        assert [e.text for e in watch.of(TurnDelta)] == ["before"]

    async def test_a_turn_that_is_cancelled_before_its_first_step_ends_too(self):
        """An interrupt right after the acceptance leaves nothing stuck."""
        agent = StepAgent()
        _, session = new_session(agent)
        first = await session.submit("a")
        await session.submit("b")
        session.interrupt()
        assert (await session.receipt(first.id)).state is State.CANCELLED
        assert agent.steps == []
        session.release()
        (await agent.step(1)).finish()
        await session.settled()

    async def test_a_task_that_others_cancel_holds_the_session(self):
        """Who cancels a turn's task from outside gets a receipt and a hold, not a dead session."""
        agent = StepAgent()
        _, session = new_session(agent)
        for begun in (True, False):
            first = await session.submit("a")
            await session.submit("b")
            if begun:
                await agent.step(1)
            (task,) = asyncio.all_tasks() - {asyncio.current_task()}
            task.cancel()
            assert str(await session.receipt(first.id)) == "cancelled by a cancelled task"
            assert session.phase is Phase.HELD
            session.remove(session.waiting[0].id)
            session.release()
            assert session.phase is Phase.IDLE


class TestLanes:
    """What an input typed during a turn means."""

    async def test_interrupt_cancels_the_turn_and_runs_next(self):
        """An input in the interrupt lane goes before all that waits, without a hold."""
        agent = StepAgent()
        _, session = new_session(agent)
        first = await session.submit("a")
        await session.submit("b")
        await agent.step(1)
        now = await session.submit("now", lane=Lane.INTERRUPT)
        assert now.position == 1
        step = await agent.step(2)
        assert step.turn.text == "now"
        assert str(await session.receipt(first.id)) == "cancelled by a newer input"
        step.finish()
        (await agent.step(3)).finish()
        await session.settled()

    async def test_a_steer_is_given_to_the_running_turn(self):
        """The turn takes it in at a safe point; the receipt says which turn it was."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a")
        step = await agent.step(1)
        steer = await session.submit("b", lane=Lane.STEER)
        assert [f.text for f in step.turn.take_steers()] == ["b"]
        assert step.turn.take_steers() == []
        assert str(await session.receipt(steer.id)) == "steered into turn 1"
        step.finish()
        await session.settled()
        assert len(agent.steps) == 1

    async def test_a_steer_that_comes_too_late_is_the_next_turn(self):
        """Where the turn ends first, a steer runs next and its receipt says so."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a")
        await session.submit("b")
        steer = await session.submit("c", lane=Lane.STEER)
        (await agent.step(1)).finish()
        step = await agent.step(2)
        assert step.turn.text == "c"
        step.finish()
        receipt = await session.receipt(steer.id)
        assert receipt.state is State.ANSWERED
        assert "turn of its own" in receipt.reason
        (await agent.step(3)).finish()
        await session.settled()

    async def test_a_merge_joins_the_last_waiting_input_of_the_same_sender(self):
        """The joined input's receipt names the one that it was merged into."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a", sender="ann")
        into = await session.submit("b", sender="ann")
        await session.submit("c", sender="bob")
        joined = await session.submit("d", sender="ann", lane=Lane.MERGE)
        assert str(await session.receipt(joined.id)) == f"merged into {into.id}"
        assert [f.text for f in session.waiting] == ["b\n\nd", "c"]
        await session.close(drain=False)

    async def test_a_merge_with_nothing_to_join_is_queued(self):
        """Without a waiting input of its sender a merge is an input of its own."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a")
        await session.submit("b", lane=Lane.MERGE)
        assert [f.text for f in session.waiting] == ["b"]
        await session.close(drain=False)

    async def test_the_echo_agent_heeds_steers_between_words(self):
        """A steered input shows in the same answer."""
        _, session = new_session(EchoAgent(1000))
        first = await session.submit("one two three")
        steer = await session.submit("STEER", lane=Lane.STEER)
        assert "STEER" in (await session.receipt(first.id)).answer
        assert (await session.receipt(steer.id)).state is State.STEERED


class TestHolds:
    """The session keeps its queue and says why."""

    async def test_a_failed_turn_holds_the_queue(self):
        """The failure is in the receipt and in the hold; nothing else is burnt."""
        agent = StepAgent()
        engine, session = new_session(agent)
        watch = Watch(engine.observe())
        first = await session.submit("a")
        await session.submit("b")
        (await agent.step(1)).fail(AgentError("no credit"))
        assert str(await session.receipt(first.id)) == "failed: no credit"
        assert session.hold is not None
        assert (session.hold.reason, session.hold.detail) == (HoldReason.FAILED, "no credit")
        assert [e.queued for e in watch.of(SessionHeld)] == [1]
        await session.close()

    async def test_a_failed_turn_may_go_on(self):
        """With `continue` the next follow-up runs after a failure."""
        wrong = {"a": Misbehaviour(fail="boom")}
        agent = EchoAgent(misbehave=lambda turn: wrong.get(turn.text))
        _, session = new_session(agent, on_failure=OnFailure.CONTINUE)
        first, second = await session.submit("a"), await session.submit("b")
        assert str(await session.receipt(first.id)) == "failed: boom"
        assert (await session.receipt(second.id)).state is State.ANSWERED

    async def test_any_exception_of_an_agent_fails_the_turn(self):
        """live: an agent that raises, or yields nonsense, does not stop the session."""

        class Nonsense:
            async def run(self, turn):
                yield "text"

        _, session = new_session(Nonsense(), on_failure=OnFailure.CONTINUE)
        first, second = await session.submit("a"), await session.submit("b")
        for accepted in (first, second):
            assert "agent events, not str" in (await session.receipt(accepted.id)).reason

    async def test_an_agent_that_is_no_iterator_fails_the_turn(self):
        """live: so does one whose `run` is not what it should be."""

        class Broken:
            def run(self, turn):
                raise KeyError("run")

        _, session = new_session(Broken())
        first = await session.submit("a")
        assert "KeyError" in (await session.receipt(first.id)).reason

    async def test_an_unreachable_model_consumes_nothing(self):
        """The follow-up goes back to the head of the queue and the session holds."""
        agent = StepAgent()
        engine, session = new_session(agent)
        watch = Watch(engine.observe())
        await session.submit("a")
        await session.submit("b")
        (await agent.step(1)).fail(ModelUnreachable("no route"))
        await session.settled()
        assert [f.text for f in session.waiting] == ["a", "b"]
        assert session.hold is not None
        assert session.hold.reason is HoldReason.UNREACHABLE
        assert [e.state for e in watch.of(TurnEnded)] == [State.QUEUED]
        session.release()
        (await agent.step(2)).finish()
        (await agent.step(3)).finish()
        await session.settled()
        assert [s.turn.text for s in agent.steps] == ["a", "a", "b"]

    async def test_a_rate_limit_ends_by_itself(self):
        """The session goes on when the provider's time has come."""
        agent = StepAgent()
        engine, session = new_session(agent)
        watch = Watch(engine.observe())
        first = await session.submit("a")
        (await agent.step(1)).fail(RateLimited("slow down", retry_after_s=0.01))
        (await agent.step(2)).finish("done")
        assert (await session.receipt(first.id)).answer == "done"
        (held,) = watch.of(SessionHeld)
        assert held.until is not None
        assert "session.released" in watch.types()

    async def test_a_turn_that_is_cut_in_the_middle_comes_before_the_next_and_knows_its_part(self):
        """A model that is cut off after some words holds; the turn runs again and sees them."""
        agent = StepAgent()
        _, session = new_session(agent)
        first = await session.submit("a")
        await session.submit("b")
        step = await agent.step(1)
        step.say("some words")
        step.fail(ModelUnreachable("cut"))
        await session.settled()
        assert [f.text for f in session.waiting] == ["a", "b"]
        session.release()
        again = await agent.step(2)
        (part,) = await again.turn.history()
        assert (part.id, part.answer, part.state) == (first.id, "some words", State.QUEUED)
        again.finish("all of it")
        assert (await session.receipt(first.id)).answer == "all of it"
        (await agent.step(3)).finish()

    async def test_what_an_agent_keeps_of_a_turn_comes_back_with_its_history(self):
        """`Messages` are kept in order, of a turn that was cut off too."""

        class Keeper:
            async def run(self, turn):
                yield Messages([{"said": turn.text}])
                if turn.text == "cut" and turn.number == 1:
                    raise RateLimited("slow down", retry_after_s=0.01)
                yield Messages([{"done": True}])

        _, session = new_session(Keeper())
        cut = await session.submit("cut")
        await session.receipt(cut.id)
        first, second = await session.history(10)
        assert (first.id, first.messages, first.state) == (cut.id, [{"said": "cut"}], State.QUEUED)
        assert second.messages == [{"said": "cut"}, {"done": True}]

    async def test_the_use_of_a_tool_is_told(self):
        """Observers see a call and its result, with the turn that they belong to."""

        class Caller:
            async def run(self, turn):
                yield ToolCall("c1", "read", {"path": "a"})
                yield ToolResult("c1", "read", True, "text")

        engine, session = new_session(Caller())
        watch = Watch(engine.observe())
        accepted = await session.submit("a")
        await session.receipt(accepted.id)
        (called,) = watch.of(ToolCalled)
        (returned,) = watch.of(ToolReturned)
        assert (called.id, called.turn, called.arguments) == (accepted.id, 1, {"path": "a"})
        assert (returned.call, returned.ok, returned.text) == ("c1", True, "text")

    async def test_a_spent_budget_holds(self):
        """No turn starts beyond the budget; who releases the session grants as much again."""
        engine = Engine(EchoAgent(), budget=Budget(turns=2))
        session = engine.session("s")
        sent = [await session.submit(text) for text in "abc"]
        await session.settled()
        assert session.hold is not None
        assert (session.hold.reason, session.hold.detail) == (
            HoldReason.BUDGET,
            "2 of 2 turns have run",
        )
        assert [f.text for f in session.waiting] == ["c"]
        session.release()
        assert (await session.receipt(sent[2].id)).state is State.ANSWERED
        assert session.allowance == Budget(turns=1)

    async def test_a_session_that_finishes_its_queue_closes_at_its_budget(self):
        """As at any hold that does not end by itself: what is left is said, and it is closed."""
        engine = Engine(EchoAgent(), budget=Budget(turns=1))
        session = engine.session("s")
        watch = Watch(engine.observe())
        for text in "ab":
            await session.submit(text)
        assert [f.text for f in await session.close()] == ["b"]
        assert session.phase is Phase.CLOSED
        assert watch.types()[-2:] == ["session.held", "session.closed"]

    @pytest.mark.parametrize(
        ("budget", "detail"),
        [
            (Budget(tokens=10), "12 of 10 tokens are used"),
            (Budget(cost_usd=0.5), "$0.6000 of $0.5000 are spent"),
        ],
    )
    async def test_tokens_and_dollars_are_counted_as_the_agent_says(self, budget, detail):
        """What a turn used counts when it is over, however it ended."""

        class Dear:
            async def run(self, turn):
                yield Usage(5, 7, {"cost_usd": 0.6})
                raise ValueError("after all")

        engine = Engine(Dear(), budget=budget, on_failure=OnFailure.CONTINUE)
        session = engine.session("s")
        await session.submit("a")
        await session.submit("b")
        await session.settled()
        assert session.hold is not None
        assert session.hold.detail == detail

    async def test_a_turn_that_would_go_beyond_the_budget_is_put_back(self):
        """`BudgetSpent` holds the session, and the turn comes first when it goes on."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a")
        (await agent.step(1)).fail(BudgetSpent("a request more would pass it"))
        await session.settled()
        assert session.hold is not None
        assert session.hold.reason is HoldReason.BUDGET
        assert [f.text for f in session.waiting] == ["a"]

    async def test_the_users_hold_lets_the_running_turn_end(self):
        """After `put_on_hold` the turn goes on, and none starts until `release`."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a")
        await session.submit("b")
        step = await agent.step(1)
        session.put_on_hold()
        step.finish()
        await session.settled()
        assert session.phase is Phase.HELD
        session.release()
        (await agent.step(2)).finish()
        await session.settled()
        assert session.phase is Phase.IDLE

    async def test_a_held_session_accepts(self):
        """A hold keeps what comes, in order."""
        _, session = new_session(EchoAgent())
        session.put_on_hold()
        for text in "ab":
            await session.submit(text)
        assert [f.text for f in session.waiting] == ["a", "b"]
        session.release()
        await session.settled()


class TestTheQueue:
    """What waits can be changed without stopping anything."""

    async def test_an_agent_sees_who_a_text_came_from(self):
        """The sender of a follow-up is its turn's, and stands in the history."""
        agent = StepAgent()
        _, session = new_session(agent)
        accepted = await session.submit("a", sender="ann")
        step = await agent.step(1)
        assert step.turn.sender == "ann"
        step.finish()
        await session.receipt(accepted.id)
        assert [exchange.sender for exchange in await step.turn.history()] == ["ann"]

    async def test_edit_remove_and_move(self):
        """Edits, removals and moves act on the follow-up with the id."""
        agent = StepAgent()
        _, session = new_session(agent)
        ids = [(await session.submit(text)).id for text in "abcd"]
        session.edit(ids[1], "B")
        session.move(ids[3], 1)
        session.remove(ids[2])
        assert [f.text for f in session.waiting] == ["d", "B"]
        assert str(await session.receipt(ids[2])) == "withdrawn by user"
        await session.close(drain=False)

    async def test_what_came_too_late_to_steer_has_a_receipt_that_says_so(self):
        """It was to steer a turn, and was answered by one of its own: the receipt can be said."""
        _, session = new_session(EchoAgent())
        session.put_on_hold()
        accepted = await session.submit("a")
        session.promote(accepted.id, Lane.STEER)
        session.release()
        receipt = await session.receipt(accepted.id)
        assert str(receipt) == "answered by a turn of its own, the steered one had ended"

    async def test_what_is_held_back_waits_for_its_editor(self):
        """It does not run while it is edited, the others do, and then it runs with its new text."""
        _, session = new_session(EchoAgent())
        session.put_on_hold()
        ids = [(await session.submit(text)).id for text in "ab"]
        session.hold_back(ids[0])
        session.release()
        assert (await session.receipt(ids[1])).answer == "b"
        assert [f.text for f in session.waiting] == ["a"]
        session.edit(ids[0], "A")
        session.let_go(ids[0])
        assert (await session.receipt(ids[0])).answer == "A"
        await session.settled()

    async def test_a_close_waits_for_what_is_edited(self):
        """`close(drain=True)` ends when what was held back is let go and has run."""
        agent = StepAgent()
        _, session = new_session(agent)
        ids = [(await session.submit(text)).id for text in "ab"]
        session.hold_back(ids[1])
        closing = asyncio.ensure_future(session.close())
        (await agent.step(1)).finish()
        await session.receipt(ids[0])
        assert not closing.done()
        session.let_go(ids[1])
        (await agent.step(2)).finish()
        assert await closing == []

    async def test_what_waits_can_steer_the_running_turn(self):
        """Promoted to steer, it is in the turn's inbox, and its receipt says where it went."""
        agent = StepAgent()
        _, session = new_session(agent)
        ids = [(await session.submit(text)).id for text in "ab"]
        step = await agent.step(1)
        session.promote(ids[1], Lane.STEER)
        assert [f.text for f in step.turn.take_steers()] == ["b"]
        assert str(await session.receipt(ids[1])) == "steered into turn 1"
        step.finish()
        await session.settled()

    async def test_what_waits_can_interrupt_the_running_turn(self):
        """Promoted to interrupt, it cancels the turn and runs next; nothing is held."""
        agent = StepAgent()
        _, session = new_session(agent)
        ids = [(await session.submit(text)).id for text in "abc"]
        await agent.step(1)
        session.promote(ids[2], Lane.INTERRUPT)
        assert str(await session.receipt(ids[0])) == "cancelled by a newer input"
        step = await agent.step(2)
        assert (step.turn.text, session.hold) == ("c", None)
        await session.close(drain=False)

    @pytest.mark.parametrize("which", ["running", "unknown"])
    async def test_what_does_not_wait_cannot_be_changed(self, which: str):
        """A follow-up that runs, or never was, is refused by name."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a", id="running")
        for change in (
            lambda: session.edit(which, "x"),
            lambda: session.remove(which),
            lambda: session.move(which, 1),
            lambda: session.hold_back(which),
            lambda: session.promote(which, Lane.INTERRUPT),
        ):
            with pytest.raises(NotWaiting, match=which):
                change()
        await session.close(drain=False)


class TestClose:
    """The end of a session."""

    async def test_with_drain_the_queue_is_finished(self):
        """`close(drain=True)` refuses new input, finishes the queue and returns."""
        agent = StepAgent()
        _, session = new_session(agent)
        await session.submit("a")
        await session.submit("b")
        closing = asyncio.create_task(session.close())
        step = await agent.step(1)
        await asyncio.sleep(0)
        with pytest.raises(SessionClosed):
            await session.submit("c")
        step.finish()
        (await agent.step(2)).finish()
        assert await closing == []
        assert session.phase is Phase.CLOSED

    async def test_without_drain_the_queue_is_left(self):
        """`close(drain=False)` cancels the turn, starts none and returns what it left."""
        agent = StepAgent()
        _, session = new_session(agent)
        first = await session.submit("a")
        await session.submit("b")
        await agent.step(1)
        left = await session.close(drain=False)
        assert [f.text for f in left] == ["b"]
        assert str(await session.receipt(first.id)) == "cancelled by close"
        assert len(agent.steps) == 1

    async def test_a_turn_that_ignores_its_cancellation_is_given_up(self):
        """After the bound the session is closed all the same, and hears no more of the turn."""
        agent = StepAgent(stubborn=True)
        engine, session = new_session(agent)
        watch = Watch(engine.observe())
        first = await session.submit("a")
        step = await agent.step(1)
        step.say("a part")
        await until(lambda: len(watch.of(TurnDelta)) == 1)
        await session.close(drain=False, timeout=0.01)
        assert session.phase is Phase.CLOSED
        receipt = await session.receipt(first.id)
        assert (receipt.state, receipt.answer) == (State.CANCELLED, "a part")
        step.say("ghost")
        step.finish()
        await step.over.wait()
        assert len(watch.of(TurnDelta)) == 1
        assert len(watch.of(Receipt)) == 1

    async def test_a_held_queue_is_left_by_a_drain(self):
        """A drain does not wait for a release that nobody will give."""
        _, session = new_session(EchoAgent())
        session.put_on_hold()
        await session.submit("a")
        assert [f.text for f in await session.close()] == ["a"]

    async def test_an_engine_closes_all_its_sessions(self):
        """`Engine.close` says what is left, by key; later sessions are closed from the start."""
        engine = Engine(EchoAgent())
        await engine.session("a").submit("x")
        engine.session("b").put_on_hold()
        await engine.session("b").submit("y")
        left = await engine.close()
        assert {key: [f.text for f in rest] for key, rest in left.items()} == {"b": ["y"]}
        for key in ("a", "c"):
            with pytest.raises(SessionClosed):
                await engine.session(key).submit("z")


async def test_history_is_what_was_said_before():
    """A turn is offered the past turns, oldest first, and not itself."""
    seen = []

    class Historian:
        async def run(self, turn):
            seen.append([(e.text, e.answer, e.state) for e in await turn.history()])
            async for event in EchoAgent().run(turn):
                yield event

    _, session = new_session(Historian())
    for text in ("a", "b", "c"):
        await session.submit(text)
    await session.settled()
    done = State.ANSWERED
    assert seen == [[], [("a", "a", done)], [("a", "a", done), ("b", "b", done)]]


async def test_fair():
    """With many busy sessions none waits for another's whole queue."""
    engine = Engine(EchoAgent())
    watch = Watch(engine.observe())
    for _ in range(10):
        for key in "abc":
            await engine.session(key).submit("x")
    await asyncio.gather(*(engine.session(key).settled() for key in "abc"))
    order = [e.session for e in watch.of(TurnStarted)]
    assert all(set(order[i : i + 3]) == set("abc") for i in range(0, 30, 3))


async def test_an_accepted_follow_up_is_told_with_its_text():
    """The acceptance carries all that the journal needs."""
    engine, session = new_session(EchoAgent())
    watch = Watch(engine.observe())
    await session.submit("hello", id="x", sender="ann")
    (accepted,) = watch.of(FollowUpAccepted)
    assert (accepted.id, accepted.text, accepted.sender) == ("x", "hello", "ann")
    await session.close()


THROWN_AWAY = """
import asyncio, gc
from agent_shell import Engine

class Waits:
    def run(self, turn):
        return self

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.Event().wait()

    async def aclose(self):
        await asyncio.sleep(0)

async def begin():
    session = Engine(Waits()).session("s")
    observer = session.observe()
    await session.submit("a")
    await asyncio.sleep(0)
    return observer

observer = asyncio.new_event_loop().run_until_complete(begin())
observer.take()
gc.collect()
print([event.type for event in observer.take()])
"""


def test_a_turn_that_is_thrown_away_with_its_loop_says_nothing():
    """A loop that ends without its tasks makes no receipts: nobody decided anything."""
    run = subprocess.run(
        [sys.executable, "-c", THROWN_AWAY], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
    assert "GeneratorExit" not in run.stderr  # nor does it wait for anything


async def test_who_is_told_otherwise_leaves_nothing_that_nobody_has_looked_at() -> None:
    """A session can be lost while the receipt is looked up: who waits is told of it once."""
    unseen: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
    audience = Audience([])
    waiter = audience.expect("a")
    audience.disappoint(SessionLost("another process has it"))
    audience.forget("a", waiter)
    del waiter
    gc.collect()
    assert unseen == []
