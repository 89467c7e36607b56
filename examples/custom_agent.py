"""An agent of one's own: history, steering, notices, usage, clean-up, failure by kind.

python examples/custom_agent.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from agent_shell import AgentEvent, Delta, Engine, Lane, Notice, RateLimited, Turn, Usage


class Counter:
    """Counts the words of the conversation, a word at a time; `open_files` is 0 in the end."""

    def __init__(self) -> None:
        self.open_files = 0
        self._busy = True

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers one turn; whatever is yielded is shown, and recorded for a crash."""
        if turn.text == "ask the busy one" and self._busy:
            self._busy = False
            # Nothing was said yet: the input stays at the head of the queue, and runs
            # again by itself when that time has come.
            raise RateLimited("the provider is busy", retry_after_s=0.05)
        self.open_files += 1
        try:
            past = await turn.history()
            yield Notice(f"{len(past)} turns before this one")
            words = turn.text.split()
            for word in words:
                yield Delta(f"{word} ")
                await asyncio.sleep(0.01)  # a cancellation comes here, and passes
                for steer in turn.take_steers():  # a safe point
                    yield Delta(f"({steer.text}) ")
            yield Delta(f"= {len(words)}")
            yield Usage(input_tokens=len(words), output_tokens=len(words))
        finally:
            # The next turn starts when this is done, and not before.
            self.open_files -= 1


async def main() -> None:
    """Lets the agent answer, be steered, be interrupted and be refused by its provider."""
    agent = Counter()
    async with Engine(agent) as engine:
        session = engine.session("demo")
        first = await session.submit("one two three four five six")
        steer = await session.submit("faster", lane=Lane.STEER)
        print(await session.receipt(steer.id))
        print((await session.receipt(first.id)).answer)
        long = await session.submit("word " * 1000)
        session.interrupt()
        print(await session.receipt(long.id))
        session.release()
        busy = await session.submit("ask the busy one")
        print((await session.receipt(busy.id)).answer)
    print(f"{agent.open_files} open files")


if __name__ == "__main__":
    asyncio.run(main())
