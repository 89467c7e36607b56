"""Schedules that once broke an invariant: each was found by a search, and is played again.

The last two broke it in engines that a fault was built into.
"""

from __future__ import annotations

__all__ = ["STORIES", "scene_of"]


def scene_of(story: str) -> str:
    """The name of its scene."""
    return next(line for line in story.splitlines() if "scene: " in line).split(": ")[1]


STORIES = {
    "a release that the journal refused is not told when it can be recorded": """
        scene: breaking journal
        ann submits "a"
        the turn's task takes a step
        turn 1 goes on: say
        the turn's task takes a step
        bob steers with "c"
        the turn's task takes a step
        turn 2 goes on: say
        the journal breaks
        the turn's task takes a step
        bob releases the session
        the journal is mended
        ann submits "b"
        """,
    "of a refused input whose turn was stopped, no end and no receipt is recorded": """
        scene: a day
        ann submits "a"
        cleo stops the turn
        the turn's task takes a step
        the journal refuses
        """,
    "a steer that is refused together with its turn leaves no move": """
        scene: a day
        ann submits "a"
        ann submits "b"
        ann steers with "c"
        the journal refuses
        """,
    "what is edited when its refusal has come, but was not yet heard of, leaves no edit": """
        scene: a day
        ann submits "a"
        ann submits "b"
        the journal refuses
        bob submits "g"
        bob edits "b"
        """,
    "an interrupt that comes when a refusal was not yet heard of stops no refused turn": """
        scene: a long queue
        ann submits "a0"
        bob interrupts with "b"
        the turn's task takes a step
        the journal refuses
        """,
    "starts that are refused and released anew within a step leave no tasks": """
        scene: a bad day
        ann submits "a"
        ann submits "b"
        ann submits "c"
        bob steers with "f"
        bob joins "g" to the last one
        ann interrupts with "d"
        bob stops the turn
        bob releases the session
        bob moves "c" to place 1
        the journal records
        the turn's task takes a step
        the journal records
        bob submits "h"
        the journal refuses
        bob releases the session
        ann submits "e"
        the journal refuses
        ann releases the session
        """,
    "what a closed session leaves is recorded in its order, though a place was refused": """
        scene: a full queue
        ann submits "a0"
        bob steers with "b"
        ann submits "a1"
        the journal breaks
        cleo has "a1" interrupt the turn
        cleo stops the turn
        cleo releases the session
        cleo closes the session soon
        the turn's task takes a step
        """,
    "a closed session has told anew what was moved when the journal refused it": """
        scene: breaking journal, closed
        ann holds the session
        ann submits "a"
        ann submits "b"
        the journal breaks
        bob moves "b" to place 1
        cleo closes the session
        """,
    "what a process wants recorded when it was overtaken counts for no other": """
        scene: two processes
        ann submits "a"
        all that goes on by itself does
        process 1 is stopped
        another process takes the session up
        all that goes on by itself does
        ann releases the session
        the journal of process 2 records
        a callback of process 2 takes a step
        the turn's task of process 2 takes a step
        turn 2 of process 2 goes on: say
        process 1 goes on
        the turn's task of process 2 takes a step
        turn 1 of process 1 goes on: say
        the turn's task of process 1 takes a step
        turn 2 of process 2 goes on: say
        the turn's task of process 2 takes a step
        turn 1 of process 1 goes on: say
        """,
    "what rests on a batch that is refused is undone together with it": """
        scene: a day
        ann submits "a"
        the journal records
        ann submits "b"
        bob submits "g"
        bob edits "b"
        the journal refuses
        """,
    "a process that was overtaken acknowledges nothing more": """
        scene: two processes, late
        ann submits "a"
        the turn's task takes a step
        turn 1 goes on: say
        process 1 is stopped
        another process takes the session up
        the journal of process 2 opens the session
        process 1 goes on
        the turn's task of process 1 takes a step
        ann submits "b" of process 1
        """,
}
