"""The inbox: inputs that get into a session which another process owns."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_shell import (
    EchoAgent,
    Engine,
    FollowUp,
    IdConflict,
    Lane,
    Limits,
    Phase,
    Refused,
    Session,
    State,
    TooLarge,
)
from agent_shell.errors import SessionOwned
from agent_shell.inbox import Delivery, adopt_inbox, deliver
from agent_shell.journal import Restored
from agent_shell.journal.sqlite import SqliteJournal
from support import StepAgent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


@pytest.fixture
async def sender(path: Path) -> AsyncIterator[SqliteJournal]:
    """The journal as another process has it open."""
    journal = SqliteJournal(path)
    yield journal
    await journal.close()


@contextlib.asynccontextmanager
async def owning(path: Path, agent: object = None, limits: Limits | None = None):
    """The session `s`, open and taking in what is sent."""
    journal = SqliteJournal(path)
    engine = Engine(agent or EchoAgent(), journal=journal, limits=limits)  # type: ignore[arg-type]
    session = await engine.open("s")
    adopting = asyncio.create_task(adopt_inbox(session, journal))
    yield session
    adopting.cancel()
    await asyncio.wait({adopting})
    await engine.close(drain=False)
    await journal.close()


class Contended(SqliteJournal):
    """A journal of which, each of the first three times, another process takes the session first.

    It lets go of it at once.
    """

    faster = 3

    async def open(self, session_key: str) -> Restored:
        if self.faster:
            self.faster -= 1
            raise SessionOwned(session_key, 1, 1.0)
        return await super().open(session_key)


async def send(journal: SqliteJournal, text: str, **how: object) -> Delivery:
    async with asyncio.timeout(60):
        return await deliver(journal, "s", text, timeout=50, **how)  # type: ignore[arg-type]


async def answer(session: Session, id: str) -> str:
    async with asyncio.timeout(60):
        return (await session.receipt(id)).answer


class TestAnOwnerThatListens:
    async def test_it_answers_what_is_sent(self, path, sender):
        """An input from elsewhere is accepted and answered like one of its own."""
        async with owning(path) as session:
            delivery = await send(sender, "hello", id="x")
            assert delivery.entry is not None
            assert delivery.entry.sender == "send"
            assert await answer(session, "x") == "hello"
        assert await sender.inbox("s") == []

    async def test_the_place_in_the_queue_is_told(self, path, sender):
        """Behind a running turn and two that wait, the third is number 3."""
        agent = StepAgent()
        async with owning(path, agent) as session:
            for text in "abc":
                await session.submit(text)
            await agent.step(1)
            assert (await send(sender, "d")).position == 3
            assert (await send(sender, "e", lane=Lane.INTERRUPT)).position in (0, 1)

    async def test_a_steer_reaches_the_running_turn(self, path, sender):
        """The lane goes with the input."""
        agent = StepAgent()
        async with owning(path, agent) as session:
            await session.submit("a")
            step = await agent.step(1)
            delivery = await send(sender, "left!", lane=Lane.STEER)
            assert delivery.position == 0
            assert [f.text for f in step.turn.take_steers()] == ["left!"]
            assert str(await session.receipt(delivery.id)) == "steered into turn 1"

    async def test_a_refusal_is_told_and_nothing_remains(self, path, sender):
        """A full queue refuses what was sent, and goes on with the next."""
        agent = StepAgent()
        async with owning(path, agent, Limits(queue=1, text_bytes=10)) as session:
            await session.submit("a", id="a")
            step = await agent.step(1)
            await session.submit("b", id="b")
            with pytest.raises(Refused, match="which is its limit"):
                await send(sender, "c", id="c")
            assert await sender.sent("s", "c") is None
            assert await sender.entry("s", "c") is None
            step.finish()
            await agent.step(2)
            with pytest.raises(Refused, match="10"):
                await send(sender, "longer than it may be")
            delivery = await send(sender, "c", id="c")
            assert delivery.entry is not None

    async def test_the_same_id_and_text_is_acknowledged_again(self, path, sender):
        """Sent twice it runs once; with another text it is refused."""
        async with owning(path) as session:
            await send(sender, "hello", id="x")
            await answer(session, "x")
            again = await send(sender, "hello", id="x")
            assert again.entry is not None
            assert again.entry.state is State.ANSWERED
            with pytest.raises(IdConflict):
                await send(sender, "other", id="x")
            assert len(await sender.entries("s")) == 1

    async def test_an_id_that_the_owner_used_meanwhile_is_refused(self, path, sender):
        """Who sent another text under it is not told that this one was accepted."""
        journal = SqliteJournal(path)
        session = await Engine(EchoAgent(), journal=journal).open("s")
        sending = asyncio.create_task(send(sender, "what was sent", id="x"))
        while await sender.sent("s", "x") is None:
            await asyncio.sleep(0)
        await session.submit("what the owner has", id="x")
        adopting = asyncio.create_task(adopt_inbox(session, journal))
        with pytest.raises(Refused, match="with another text"):
            await sending
        assert [e.text for e in await sender.entries("s")] == ["what the owner has"]
        assert await sender.sent("s", "x") is None
        adopting.cancel()
        await asyncio.wait({adopting})
        await journal.close()

    async def test_what_is_known_already_leaves_the_inbox(self, path, sender):
        """An input that was accepted on another way does not stay in the inbox."""
        async with owning(path) as session:
            await session.submit("hello", id="x")
            await sender.send("s", FollowUp("x", "hello", Lane.QUEUE, "ann", 1.0))
            await send(sender, "behind it")
            assert await sender.sent("s", "x") is None
            assert [e.text for e in await sender.entries("s")] == ["hello", "behind it"]


class TestNobodyListens:
    async def test_without_an_owner_it_waits(self, path, sender):
        """The session is made, the input accepted, and no turn is run."""
        delivery = await send(sender, "hello", id="x")
        assert (delivery.position, delivery.owner) == (1, None)
        assert (await send(sender, "more")).position == 2
        agent = StepAgent()
        async with owning(path, agent) as session:
            assert [f.text for f in session.waiting] == ["hello", "more"]
            assert session.phase is Phase.HELD
            assert agent.steps == []
            session.release()
            assert (await agent.step(1)).turn.text == "hello"

    async def test_without_an_owner_limits_hold_too(self, sender):
        """What no session takes is refused at once."""
        with pytest.raises(TooLarge):
            await send(sender, "x" * (Limits().text_bytes + 1))
        with pytest.raises(IdConflict):
            for text in ("a", "b"):
                await send(sender, text, id="x")

    async def test_what_a_dead_owner_left_is_taken_in(self, path, sender):
        """The next owner begins with what was sent to the last one, in order."""
        await send(sender, "a")
        for text in "bc":
            await sender.send("s", FollowUp(text, text, Lane.QUEUE, "ann", 1.0))
        async with owning(path) as session, asyncio.timeout(60):
            while await sender.inbox("s"):
                await asyncio.sleep(0)
            assert [f.text for f in session.waiting] == ["a", "b", "c"]

    async def test_the_next_sender_takes_in_what_was_left(self, sender):
        """In the order in which it was sent."""
        await send(sender, "a")
        await sender.send("s", FollowUp("b", "b", Lane.QUEUE, "ann", 1.0))
        assert (await send(sender, "c")).position == 3
        assert await sender.inbox("s") == []

    async def test_an_owner_that_does_not_listen_leaves_it_in_the_inbox(self, path, sender):
        """After the time that was given the sender is told so, and nothing is lost."""
        owner = SqliteJournal(path)
        await Engine(EchoAgent(), journal=owner).open("s")
        delivery = await deliver(sender, "s", "hello", id="x", timeout=0)
        assert delivery.entry is None
        assert delivery.owner is not None
        assert [f.id for f in await sender.inbox("s")] == ["x"]
        await owner.close()
        assert (await send(sender, "hello", id="x")).position == 1

    async def test_what_is_said_to_be_left_is_in_the_inbox(self, path):
        """Others may take the session first until the time is over: it is then tried again."""
        journal = Contended(path)
        delivery = await deliver(journal, "s", "hello", id="x", timeout=0)
        assert (delivery.position, await journal.inbox("s")) == (1, [])
        await journal.close()

    async def test_who_waits_for_an_owner_that_ends_takes_over(self, path, sender):
        """The sender itself has the input accepted when the owner is gone."""
        owner = SqliteJournal(path)
        await Engine(EchoAgent(), journal=owner).open("s")
        sending = asyncio.create_task(send(sender, "hello", id="x"))
        while await sender.sent("s", "x") is None:
            await asyncio.sleep(0)
        await owner.close()
        assert (await sending).position == 1

    async def test_a_session_that_closes_leaves_it_to_the_next(self, path, sender):
        """No refusal: the next owner takes it in."""
        journal = SqliteJournal(path)
        engine = Engine(EchoAgent(), journal=journal)
        session = await engine.open("s")
        await session.close()
        await sender.send("s", FollowUp("x", "hello", Lane.QUEUE, "ann", 1.0))
        await adopt_inbox(session, journal)  # it ends with the session
        assert await sender.sent("s", "x") == ""
        await journal.close()
