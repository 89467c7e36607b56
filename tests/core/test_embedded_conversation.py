"""What the embedded model is shown of a session."""

from __future__ import annotations

import pytest

from agent_shell.agents.base import Exchange
from agent_shell.agents.embedded.conversation import SYSTEM_PROMPT, fitting, messages_for
from agent_shell.state import State


def past(*pairs: tuple[str, str]) -> list[Exchange]:
    return [
        Exchange(f"f{turn}", turn, text, answer, State.ANSWERED)
        for turn, (text, answer) in enumerate(pairs, 1)
    ]


def roles(history: list[Exchange], text: str) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages_for(history, text)]


def test_a_chat_is_the_system_prompt_the_turns_and_the_input() -> None:
    """Questions and answers alternate, oldest first."""
    assert roles(past(("Hi", "Hello.")), "How are you?") == [
        ("system", SYSTEM_PROMPT),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "How are you?"),
    ]


def test_a_part_of_an_answer_is_said_to_be_one() -> None:
    """The model is not led to believe that it meant to stop there."""
    history = [Exchange("f1", 1, "Count to 9", "1, 2,", State.CANCELLED)]
    assert roles(history, "Go on")[2:] == [
        ("assistant", "1, 2,"),
        ("user", "(I cut off your last answer.)\n\nGo on"),
    ]


def test_a_turn_without_an_answer_is_joined_to_the_next_input() -> None:
    """Two messages of the user in a row would break many chat templates."""
    history = [Exchange("f1", 1, "A poem", "", State.CANCELLED)]
    assert roles(history, "But a short one")[1:] == [("user", "A poem\n\nBut a short one")]


def test_an_input_that_is_tried_again_is_shown_once() -> None:
    """A failed turn and its repetition are one question."""
    history = [Exchange("f1", 1, "A poem", "", State.FAILED)]
    assert roles(history, "A poem")[1:] == [("user", "A poem")]


# What fits into its window


async def count_words(messages: list[dict[str, str]]) -> int:
    return sum(len(message["content"].split()) for message in messages[1:])


TEN_TURNS = past(*[("one two three four five", "six seven eight nine ten")] * 10)


async def test_a_history_that_fits_is_shown_whole() -> None:
    """To the last token."""
    assert await fitting(TEN_TURNS, "input", count_words, 101) == (TEN_TURNS, 101)


@pytest.mark.parametrize(("room", "turns"), [(100, 4), (61, 3), (21, 1), (20, 0), (1, 0)])
async def test_a_cut_leaves_the_newest_turns_and_half_of_the_room(room: int, turns: int) -> None:
    """The oldest turns go; free room spares the next answers the reading of a new beginning."""
    kept, tokens = await fitting(TEN_TURNS, "input", count_words, room)
    assert kept == TEN_TURNS[len(TEN_TURNS) - turns :]
    assert tokens == 10 * turns + 1


async def test_a_huge_history_is_not_counted() -> None:
    """Far too many characters are left out unseen."""
    counted: list[int] = []

    async def count(messages: list[dict[str, str]]) -> int:
        counted.append(sum(len(message["content"]) for message in messages))
        return await count_words(messages)

    await fitting(past(*[("x" * 1000, "y")] * 1000), "input", count, 100)
    assert max(counted) < 5000
