"""The order that chaos expects: it follows the commands as they are sent, by the contract."""

from __future__ import annotations

from agent_shell import Lane
from agent_shell_cli.stress.arranged import ArrangedOrder
from agent_shell_cli.stress.order import Slot


class Arranged:
    """An `ArrangedOrder` whose inputs are acknowledged at once, by their text."""

    def __init__(self, *texts: str, hold_failed: bool = False, limit: int = 100) -> None:
        self.order = ArrangedOrder(limit, hold_failed=hold_failed)
        self.slots: dict[str, Slot] = {}
        for text in texts:
            self.send(text)

    def send(self, text: str, lane: Lane = Lane.QUEUE) -> None:
        self.slots[text] = self.order.submit(lane, text)
        self.order.acknowledged(self.slots[text], text)

    def run(self, *texts: str) -> int:
        """Starts and ends these turns; returns how many came out of order."""
        for text in texts:
            self.order.started(text)
            self.order.over()
        return self.order.out_of_order


def test_an_input_that_interrupts_runs_next():
    """The interrupt lane goes to the front and stops what runs."""
    arranged = Arranged("a", "b")
    arranged.order.started("a")
    arranged.send("now", Lane.INTERRUPT)
    arranged.order.over()
    assert arranged.run("now", "b") == 0


def test_an_interrupt_in_the_handoff_ends_a_turn_that_the_agent_never_sees():
    """Between the handoff and the first step the stopped turn shows only by its receipt."""
    arranged = Arranged("a", "b", "c")
    arranged.run("a")
    arranged.send("now", Lane.INTERRUPT)
    assert arranged.order.unclear
    arranged.order.settled("b")
    assert not arranged.order.unclear
    assert arranged.run("now", "c") == 0


def test_a_receipt_may_come_before_the_acknowledgement():
    """A journal that takes its time tells both at once: the stopped turn is over all the same."""
    arranged = Arranged("a", "b")
    arranged.run("a", "b")
    slot = arranged.order.submit(Lane.QUEUE, "c")
    arranged.order.interrupt()
    arranged.order.settled("c")
    assert arranged.order.unclear
    arranged.order.acknowledged(slot, "c")
    assert not arranged.order.running


def test_steers_that_come_too_late_run_as_they_were_typed():
    """Behind the interrupt that stopped the turn, and before the queue."""
    arranged = Arranged("a", "b")
    arranged.order.started("a")
    arranged.send("steer", Lane.STEER)
    arranged.send("now", Lane.INTERRUPT)
    arranged.send("late", Lane.STEER)
    arranged.send("later", Lane.STEER)
    arranged.order.over()
    assert arranged.run("now", "steer", "late", "later", "b") == 0


def test_an_input_is_refused_if_and_only_if_there_is_no_room():
    """A refusal while there is room counts, and so does an acceptance while there is none."""
    arranged = Arranged("a", limit=1)
    arranged.order.turned_away()
    assert arranged.order.out_of_order == 1
    arranged.send("b")
    arranged.order.turned_away()
    assert arranged.order.out_of_order == 1
    arranged.send("c")
    assert arranged.order.out_of_order == 2


def test_a_steer_that_the_turn_did_not_take_runs_next():
    """Steered into nothing, it becomes the next turn."""
    arranged = Arranged("a", "b")
    arranged.order.started("a")
    arranged.send("steer", Lane.STEER)
    arranged.order.over()
    assert arranged.run("steer", "b") == 0


def test_a_steer_that_the_turn_took_runs_no_more():
    """Taken in, and never run twice."""
    arranged = Arranged("a", "b")
    arranged.order.started("a")
    arranged.send("steer", Lane.STEER)
    arranged.order.steered(["steer"])
    arranged.order.over()
    assert arranged.run("b") == 0
    arranged.order.started("steer")
    assert arranged.order.out_of_order == 1


def test_a_steer_that_vanishes_is_seen():
    """A turn must take what was accepted for it."""
    arranged = Arranged("a")
    arranged.order.started("a")
    arranged.send("steer", Lane.STEER)
    arranged.order.steered([])
    assert arranged.order.out_of_order == 1


def test_moved_and_withdrawn_follow_ups_are_expected_where_the_user_put_them():
    """The order is as last arranged."""
    arranged = Arranged("a", "b", "c", "d")
    arranged.order.started("a")
    arranged.order.move(arranged.slots["d"], 1)
    arranged.order.remove(arranged.slots["b"])
    arranged.order.over()
    assert arranged.run("d", "c") == 0


def test_a_turn_during_a_hold_is_out_of_order():
    """A held session starts nothing: after a failure, an interrupt or a hold."""
    arranged = Arranged("a", "b", hold_failed=True)
    arranged.order.started("a")
    arranged.order.over(failed=True)
    assert arranged.run("b") == 1


def test_after_the_release_the_queue_goes_on_as_it_stands():
    """A hold keeps the order."""
    arranged = Arranged("a", "b", "c")
    arranged.order.started("a")
    arranged.order.interrupt()
    arranged.order.over()
    assert arranged.order.held
    arranged.order.release()
    assert arranged.run("b", "c") == 0


def test_a_joined_input_has_no_turn_of_its_own():
    """What was merged is part of the last one."""
    arranged = Arranged("a", "b")
    arranged.send("more", Lane.MERGE)
    assert arranged.run("a", "b") == 0
    assert arranged.order.unstarted == 0
