"""The feed: each line that it put into the session is kept or named, also at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from agent_shell import EchoAgent, Lane, Limits
from agent_shell_cli.exits import Exit
from agent_shell_cli.scripted.feed import Feed
from agent_shell_cli.scripted.lines import Item, Line
from support import ManualJournal, StepAgent, new_session, until


class Run:
    """A feed of three lines into a session whose journal has not answered yet."""

    def __init__(self) -> None:
        self.journal = ManualJournal()
        self.engine, session = new_session(EchoAgent(), journal=self.journal)
        self.refused: list[str] = []
        self.feed = Feed(session, Lane.QUEUE, 100, self._no_pace, self._refuse)
        self.task = asyncio.create_task(self.feed.run(None, self._lines()))

    async def _no_pace(self) -> None:
        pass

    def _refuse(self, reason: str, code: Exit) -> None:
        assert code is Exit.REFUSED
        self.refused.append(reason)

    async def _lines(self) -> AsyncIterator[list[Item]]:
        yield [Line(number, str(number)) for number in (1, 2, 3)]
        await asyncio.Event().wait()

    async def cancelled_before_the_journal_answers(self) -> None:
        await until(lambda: bool(self.journal.pending))
        assert self.feed.progress == "not read to its end"
        self.task.cancel()
        await asyncio.sleep(0)

    async def ends_while(self, answer: Callable[[], None]) -> None:
        """The journal answers whatever it is asked, until the feed has ended as cancelled."""
        async with asyncio.timeout(30):
            while not self.task.done():
                if self.journal.pending:
                    answer()
                await asyncio.sleep(0)
        assert self.task.cancelled()


async def test_a_cancelled_feed_still_names_what_the_journal_refuses() -> None:
    """The end comes between lines and the journal's refusal of them: each is named."""
    run = Run()
    await run.cancelled_before_the_journal_answers()
    await run.ends_while(run.journal.fail)
    assert [text.partition(":")[0] for text in run.refused] == ["line 1", "line 2", "line 3"]
    assert run.feed.progress == "taken up to line 3"


async def test_a_cancelled_feed_still_counts_what_the_journal_keeps() -> None:
    """The end comes between lines and the journal's commit of them: none is said to be refused."""
    run = Run()
    await run.cancelled_before_the_journal_answers()
    await run.ends_while(run.journal.commit)
    assert run.refused == []
    assert run.feed.progress == "taken up to line 3"


async def test_a_second_cancellation_gives_up_what_is_not_decided() -> None:
    """A journal that never answers does not hold the end: its lines are not called taken."""
    run = Run()
    await run.cancelled_before_the_journal_answers()
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    assert run.refused == []
    assert run.feed.progress == "not read to its end"


async def test_the_prompt_waits_for_what_waits_from_before() -> None:
    """Where the queue is full of it, the prompt is not refused, but comes behind."""
    agent = StepAgent()
    _, session = new_session(agent, limits=Limits(queue=100))
    for _ in range(101):  # one of them runs
        await session.submit("from before")
    refused: list[str] = []

    async def no_pace() -> None:
        pass

    feed = Feed(session, Lane.QUEUE, 100, no_pace, lambda reason, _: refused.append(reason))
    observer = session.observe()
    feeding = asyncio.create_task(feed.run("the prompt", None))
    async with asyncio.timeout(30):
        for number in range(1, 102):
            (await agent.step(number)).finish()
            for event in observer.take():
                feed.take(event)
        await feeding
        assert refused == []
        assert (await agent.step(102)).turn.text == "the prompt"
