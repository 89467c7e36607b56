"""What the model is shown of a session: pure functions, and one search that counts tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from agent_shell.agents.base import Exchange
from agent_shell.state import State

__all__ = ["SYSTEM_PROMPT", "fitting", "messages_for"]

SYSTEM_PROMPT = "You are a helpful assistant. Always answer in English, briefly and correctly."

# Said by the user: a small model repeats what stands in its own answers.
_CUT_OFF = "(I cut off your last answer.)\n\n"
# Far more than a text of any language has.
_CHARS_PER_TOKEN = 16


def messages_for(history: Sequence[Exchange], text: str) -> list[dict[str, str]]:
    """The chat that ends with the user's `text`.

    User and assistant alternate strictly, as many chat templates demand: a turn
    without an answer is joined to the next input, and the input after an answer
    that is a part only says so.
    """
    messages = [{"role": "system", "content": SYSTEM_PROMPT}]
    note = ""
    for exchange in history:
        _add_user(messages, note + exchange.text)
        note = ""
        if exchange.answer:
            messages.append({"role": "assistant", "content": exchange.answer})
            note = "" if exchange.state is State.ANSWERED else _CUT_OFF
    _add_user(messages, note + text)
    return messages


async def fitting(
    history: Sequence[Exchange],
    text: str,
    count: Callable[[list[dict[str, str]]], Awaitable[int]],
    room: int,
) -> tuple[list[Exchange], int]:
    """The newest turns that go into `room` tokens with `text`, and the tokens of it all.

    Without any turn the tokens can still be more than `room`. If not all turns
    fit, only half of the room that `text` leaves is filled again: a cut changes
    the beginning of the prompt, so all of it is read anew, and to cut one turn
    before each answer would pay for that each time. `count` gives the tokens of
    a chat.
    """
    history = _recent(history, room * _CHARS_PER_TOKEN)
    total = await count(messages_for(history, text))
    if total <= room or not history:
        return history, total

    async def tokens(turns: int) -> int:
        return await count(messages_for(history[len(history) - turns :], text))

    alone = await tokens(0)
    target = alone + (room - alone) // 2
    fits, too_many = 0, 1
    while too_many < len(history) and await tokens(too_many) <= target:
        fits, too_many = too_many, 2 * too_many
    too_many = min(too_many, len(history))
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if await tokens(middle) <= target:
            fits = middle
        else:
            too_many = middle
    return history[len(history) - fits :], await tokens(fits)


def _recent(history: Sequence[Exchange], chars: int) -> list[Exchange]:
    """The newest turns of at most so many characters: what needs no counting is not counted."""
    recent: list[Exchange] = []
    for exchange in reversed(history):
        chars -= len(exchange.text) + len(exchange.answer)
        if chars < 0:
            break
        recent.append(exchange)
    return recent[::-1]


def _add_user(messages: list[dict[str, str]], text: str) -> None:
    last = messages[-1]
    if last["role"] != "user":
        messages.append({"role": "user", "content": text})
    elif last["content"] != text:  # Else the same input was tried again.
        last["content"] += f"\n\n{text}"
