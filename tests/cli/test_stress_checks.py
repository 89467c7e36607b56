"""What the flood's own bookkeeping holds against the engine, fed by hand: each check can fail."""

from __future__ import annotations

import asyncio

import pytest

from agent_shell import Lane, State
from agent_shell.events import Receipt
from agent_shell_cli.options import StressOptions
from agent_shell_cli.stress.flood import Flood
from agent_shell_cli.stress.ledger import Ledger
from agent_shell_cli.stress.meter import Meter, Watch
from agent_shell_cli.stress.order import AckOrder, Slot
from agent_shell_cli.stress.result import Result, result_of
from agent_shell_cli.stress.samples import Thinned


def options(n: int) -> StressOptions:
    return StressOptions(
        n=n,
        sessions=1,
        journal="memory",
        producers=1,
        queue_limit=None,
        chaos=False,
        seed=None,
        json=True,
        color=None,
        debug=False,
    )


def receipt(id: str, state: State = State.ANSWERED, answer: str | None = None) -> Receipt:
    return Receipt("s", 0.0, id, state, "", 1, id if answer is None else answer)


class Feed:
    """Stands for an engine: tells the bookkeeping of a flood what a test wants it to see."""

    def __init__(self, *ids: str) -> None:
        self.flood = Flood(options(len(ids)))
        self.order = AckOrder()
        self.watch = Watch(self.order)
        self.flood.meter.watches.append(self.watch)
        for id in ids:
            self.accept(id)

    def accept(self, id: str) -> None:
        self.flood.books.ledger.acknowledged(id, id)
        self.order.acknowledged(Slot(Lane.QUEUE, id), id)

    def begin(self, id: str, guard: int | None = 1) -> None:
        self.watch.started(id, guard)

    def end(self, id: str, answer: str | None = None) -> None:
        self.watch.ended()
        self.flood.books.ledger.receipt(receipt(id, answer=answer))

    def turn(self, id: str, guard: int | None = 1, answer: str | None = None) -> None:
        self.begin(id, guard)
        self.end(id, answer)

    @property
    def result(self) -> Result:
        return result_of(self.flood)


def test_every_follow_up_once_and_in_order_is_right():
    """Nothing is held against an engine that keeps its word."""
    feed = Feed("a", "b", "c")
    for id in "abc":
        feed.turn(id)
    assert feed.result.ok
    assert feed.result.faults == []
    assert feed.result.answered == 3


def test_a_follow_up_without_a_receipt_is_lost():
    """A turn that never tells its end loses its follow-up."""
    feed = Feed("a", "b")
    feed.turn("a")
    feed.begin("b")
    feed.watch.ended()
    assert feed.result.faults == ["lost=1"]


def test_a_follow_up_that_never_ran_is_missed_even_with_a_receipt():
    """A receipt without a turn does not pass for an answer."""
    feed = Feed("a", "b")
    feed.turn("a")
    feed.flood.books.ledger.receipt(receipt("b"))
    assert feed.result.faults == ["unstarted=1"]


def test_a_second_receipt_is_a_duplicate():
    """Exactly one receipt, not at least one."""
    feed = Feed("a")
    feed.turn("a")
    feed.flood.books.ledger.receipt(receipt("a"))
    assert feed.result.faults == ["duplicated=1"]


def test_a_receipt_that_nobody_asked_for_is_a_duplicate():
    """An id that no producer was told of has no business here."""
    feed = Feed("a")
    feed.turn("a")
    feed.flood.books.ledger.receipt(receipt("z"))
    assert feed.result.faults == ["duplicated=1"]


def test_a_turn_that_comes_late_is_one_fault_and_not_one_for_each_that_passed_it():
    """The overtaken turn counts, those that overtook it do not."""
    feed = Feed("a", "b", "c", "d")
    for id in "bcda":
        feed.turn(id)
    assert feed.result.faults == ["out_of_order=1"]


def test_a_queue_run_backwards_is_all_faults_but_one():
    """Every turn but the first one comes after its time."""
    feed = Feed("a", "b", "c", "d")
    for id in "dcba":
        feed.turn(id)
    assert feed.result.out_of_order == 3


def test_a_second_turn_on_one_follow_up_is_out_of_order():
    """A follow-up runs once."""
    feed = Feed("a", "b")
    feed.turn("a")
    feed.begin("a")
    feed.watch.ended()
    feed.turn("b")
    assert feed.result.faults == ["out_of_order=1"]


def test_two_turns_at_once_are_seen():
    """A turn that starts while another cleans up breaks one-owner."""
    feed = Feed("a", "b")
    feed.begin("a")
    feed.begin("b")
    feed.end("a")
    feed.end("b")
    assert feed.result.faults == ["max_concurrent_turns_per_session=2"]


def test_another_guard_while_something_waits_is_a_fault():
    """The guard's identity is the same at every turn of a chain."""
    feed = Feed("a", "b")
    feed.turn("a", guard=1)
    feed.turn("b", guard=2)
    assert feed.result.faults == ["guard_changes=1"]


def test_a_turn_without_a_guard_is_a_fault():
    """Nobody may see a running session as idle."""
    feed = Feed("a")
    feed.turn("a", guard=None)
    assert feed.result.faults == ["guard_changes=1"]


def test_a_new_guard_after_the_queue_ran_empty_is_right():
    """An idle session has no guard to keep."""
    feed = Feed("a")
    feed.turn("a", guard=1)
    feed.accept("b")
    feed.turn("b", guard=2)
    assert feed.watch.guards == 2
    assert feed.watch.guard_changes == 0


def test_an_answer_to_another_follow_up_is_misattributed():
    """Each answer belongs to the id that it carries."""
    feed = Feed("a", "b")
    feed.turn("a", answer="b")
    feed.turn("b", answer="a")
    assert feed.result.faults == ["misattributed=2"]


def test_events_that_were_missed_are_not_hidden():
    """Where the observer fell behind, its counts prove nothing."""
    feed = Feed("a")
    feed.turn("a")
    feed.flood.books.missed = 7
    assert feed.result.faults == ["missed_events=7"]


def test_what_was_never_accepted_is_not_made_up_for():
    """All of the flood must have been accepted."""
    feed = Feed("a", "b")
    feed.flood.options.n = 3
    feed.turn("a")
    feed.turn("b")
    assert feed.result.faults == ["accepted=2"]


def test_what_a_cut_off_run_left_in_the_queue_is_not_lost():
    """A run that was interrupted is not right, but its queue is accounted for."""
    feed = Feed("a", "b", "c")
    feed.turn("a")
    feed.flood.cut_off, feed.flood.left = "interrupted", ["b", "c"]
    assert feed.result.faults == ["cut_off=interrupted"]
    assert feed.result.left == 2


async def test_a_stack_that_grows_is_not_flat():
    """One frame more at a later turn is one too many."""
    meter = Meter(10, 1, 1)
    meter.not_theirs(*asyncio.all_tasks())
    meter.lay_ground()

    async def turn(recursion: int) -> None:
        if recursion:
            await turn(recursion - 1)
        else:
            meter.turn_started()

    await asyncio.create_task(turn(0))
    assert meter.flat
    await asyncio.create_task(turn(1))
    assert meter.max_depth == meter.min_depth + 1
    assert not meter.flat


async def test_a_drain_by_recursion_is_measured_frame_by_frame():
    """The fault that all of this replaces: one frame a follow-up."""
    meter = Meter(10, 1, 1)

    async def turn(left: int) -> None:
        meter.turn_started()
        if left:
            await turn(left - 1)

    await asyncio.create_task(turn(50))
    assert meter.max_depth == meter.min_depth + 50


async def test_tasks_that_pile_up_are_not_flat():
    """A chain of tasks that wait for each other is a stack in another place."""
    meter = Meter(10, 1, 1)
    meter.not_theirs(*asyncio.all_tasks())

    async def turn(left: int) -> None:
        meter.turn_started()
        if left:
            await asyncio.create_task(turn(left - 1))

    await asyncio.create_task(turn(4))
    assert meter.max_tasks == 5
    assert not meter.flat


async def test_a_context_that_is_handed_on_is_not_flat():
    """A turn that sees what its predecessor set inherits from all turns before it."""
    meter = Meter(10, 1, 1)

    async def turns() -> None:
        meter.turn_started()
        meter.turn_started()

    await asyncio.create_task(turns())
    assert meter.leaks == 1
    assert not meter.flat


async def test_an_exception_that_is_handed_on_is_not_flat():
    """A turn that runs inside the handler of an earlier exception inherits it."""
    meter = Meter(10, 1, 1)

    async def turn() -> None:
        try:
            raise ValueError("the turn before")
        except ValueError:
            meter.turn_started()

    await asyncio.create_task(turn())
    assert meter.leaks == 1


def test_a_receipt_may_come_before_its_producer_is_told():
    """The order of the two says nothing: both are counted, once."""
    ledger = Ledger()
    ledger.receipt(receipt("a"))
    assert ledger.duplicated == 1
    ledger.acknowledged("a", "a")
    assert (ledger.lost(), ledger.duplicated) == (0, 0)


def test_a_turn_may_start_before_its_producer_is_told():
    """A journal may acknowledge late: the orders are compared as they come."""
    order = AckOrder()
    order.started("a")
    order.started("b")
    order.acknowledged(Slot(Lane.QUEUE, ""), "a")
    order.acknowledged(Slot(Lane.QUEUE, ""), "x")
    assert (order.out_of_order, order.unstarted) == (1, 0)


def test_figures_are_thinned_and_their_quantiles_stay():
    """However many figures there are, a bounded number is kept."""
    figures = Thinned(room=64)
    for figure in range(100_000):
        figures.add(float(figure))
    assert figures.quantile(0.5) == pytest.approx(50_000, rel=0.1)
    assert figures.quantile(0.99) == pytest.approx(99_000, rel=0.1)
    assert Thinned().quantile(0.5) == 0.0
