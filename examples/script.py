"""The library alone: two sessions, follow-ups during a turn, and a receipt for each.

python examples/script.py
"""

from __future__ import annotations

import asyncio

from agent_shell import EchoAgent, Engine, Lane


async def main() -> None:
    """Types ahead in two sessions, changes what waits, and prints what became of all."""
    async with Engine(EchoAgent(words_per_second=50)) as engine:
        ann, bob = engine.session("ann"), engine.session("bob")
        # The first runs at once; the others wait in line while it is answered.
        texts = ("one two three", "and then this", "never mind", "the last word")
        ids = [(await ann.submit(text)).id for text in texts]
        ids.append((await bob.submit("meanwhile, in another session")).id)
        ann.edit(ids[1], "and then that")
        ann.remove(ids[2])
        ann.move(ids[3], 1)
        # It cancels the running turn and runs next.
        ids.append((await ann.submit("stop, this first", lane=Lane.INTERRUPT)).id)
        for id in ids:
            session = bob if id == ids[4] else ann
            receipt = await session.receipt(id)
            print(f"{session.key}: {receipt}{f': {receipt.answer}' if receipt.answer else ''}")


if __name__ == "__main__":
    asyncio.run(main())
