"""Watching: bounded, honest about what was missed, never in the way."""

from __future__ import annotations

import asyncio

from agent_shell import EchoAgent, Engine
from agent_shell.events import Event, Missed, SessionOpened, TurnDelta
from agent_shell.observer import Observer
from support import StepAgent, new_session, until


def delta(turn: int, text: str) -> TurnDelta:
    return TurnDelta("s", 1.0, turn, f"f{turn}", text)


def forgotten(observer: Observer) -> None:
    """Stands for the engine that forgets a closed observer."""


async def test_a_slow_observer_is_told_what_it_missed():
    """Beyond its capacity events are counted, and the count comes where they would have."""
    observer = Observer(2, forgotten)
    events = [SessionOpened(f"s{i}", float(i)) for i in range(6)]
    for event in events[:5]:
        observer.tell(event)
    seen: list[Event] = [await anext(observer), await anext(observer), await anext(observer)]
    observer.tell(events[5])
    seen.append(await anext(observer))
    assert seen == [events[0], events[1], Missed("s2", 2.0, 3), events[5]]


async def test_what_is_missed_is_told_before_what_comes_after_it():
    """The count stands in the stream at its place."""
    observer = Observer(2, forgotten)
    events = [SessionOpened(f"s{i}", float(i)) for i in range(5)]
    for event in events[:3]:
        observer.tell(event)
    first = await anext(observer)
    observer.tell(events[3])
    rest = observer.take()
    assert [first, *rest] == [events[0], events[1], Missed("s2", 2.0, 1), events[3]]


async def test_pieces_of_one_answer_that_wait_are_joined():
    """Joining loses nothing and keeps turns apart."""
    observer = Observer(10, forgotten)
    for event in (delta(1, "a"), delta(1, "b"), delta(2, "c"), delta(2, "d")):
        observer.tell(event)
    assert [(e.turn, e.text) for e in observer.take() if isinstance(e, TurnDelta)] == [
        (1, "ab"),
        (2, "cd"),
    ]


async def test_joining_does_not_change_what_another_observer_holds():
    """Observers share events, so a joined one is a new one."""
    one, two = Observer(10, forgotten), Observer(10, forgotten)
    piece = delta(1, "a")
    one.tell(piece)
    two.tell(piece)
    one.tell(delta(1, "b"))
    assert piece.text == "a"
    assert two.take() == [piece]


async def test_a_slow_observer_never_stalls_a_turn():
    """Nobody reads, and the turns go on."""
    engine, session = new_session(EchoAgent())
    observer = engine.observe(capacity=1)
    for i in range(100):
        await session.submit(str(i))
    await session.settled()
    events = observer.take()
    assert isinstance(events[-1], Missed)
    assert events[-1].count == 100 * 5 - 1


async def test_an_observer_that_is_closed_ends():
    """Closing wakes its reader, and the engine forgets it."""
    engine, _ = new_session(StepAgent())
    observer = engine.observe()

    async def read() -> list[Event]:
        return [event async for event in observer]

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    observer.close()
    observer.close()
    assert await reading == []
    assert engine.observers == []


async def test_an_observer_of_one_session_sees_only_that_one():
    """`Session.observe` watches one, `Engine.observe` all."""
    engine = Engine(EchoAgent())
    with engine.session("a").observe() as one, engine.observe() as everything:
        await engine.session("a").submit("x")
        await engine.session("b").submit("y")
        await until(lambda: engine.session("b").guard is None)
        assert {event.session for event in one.take()} == {"a"}
        assert {event.session for event in everything.take()} == {"a", "b"}
