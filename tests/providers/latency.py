"""How long an interrupt takes to reach what it stops: the server's stream, a tool's processes.

    python tests/providers/latency.py [TIMES]

Measured in one process and one event loop with the server, from the call of `interrupt` to
the moment at which the server sees its client go, or the last process is no more.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agent_shell.tools import Mode
from providers.house import MODELS, House, Talk, open_engine
from providers.mending import TASK, project
from providers.story import Asked, Forever, Part, Stall, call, say
from providers.wire_server import WireServer

STREAM: list[Part] = [say("Begun."), Forever("word word word word ")]
STALL: list[Part] = [say("Begun."), Stall()]
SLEEP = f"{sys.executable} -c 'import time; time.sleep(601)' & sleep 602"


async def stream_ms(format: str, answer: Sequence[Part], times: int) -> list[float]:
    """Milliseconds until the server sees it, for an answer that is under way."""
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with WireServer(lambda asked: answer) as server:
            house = House(server, format, project(Path(folder)))
            async with open_engine(house) as engine:
                for number in range(times):
                    talk = Talk(engine.session(f"s{number}"))
                    await talk.submit(TASK)
                    asked = await server.request(number + 1)
                    while not talk.told() or not any(e.type == "turn.delta" for e in talk.events):
                        await asyncio.sleep(0)
                    begun = asyncio.get_running_loop().time()
                    talk.session.interrupt()
                    await server.until(lambda asked=asked: asked.gone_at is not None)  # type: ignore[misc]
                    assert asked.gone_at is not None
                    took.append((asked.gone_at - begun) * 1000)
                    await talk.session.settled()
            await house.close()
    return took


async def tool_ms(times: int) -> list[float]:
    """Milliseconds until the turn is over, which ends when its command's processes have."""

    def brain(asked: Asked) -> Sequence[Part]:
        return [call("shell", command=SLEEP)]

    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with WireServer(brain) as server:
            house = House(server, "chat", project(Path(folder)), mode=Mode.ALL)
            async with open_engine(house) as engine:
                for number in range(times):
                    talk = Talk(engine.session(f"s{number}"))
                    await talk.submit(TASK)
                    while len(processes()) < 2:
                        await asyncio.sleep(0.01)
                    begun = time.perf_counter()
                    talk.session.interrupt()
                    await talk.session.settled()
                    took.append((time.perf_counter() - begun) * 1000)
                    assert processes() == [], "none outlives the turn"
            await house.close()
    return took


def processes() -> list[str]:
    """The sleepers that run, by their command lines."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if line in (b"sleep\x00602\x00", f"{sys.executable}\0-c\0{SCRIPT}\0".encode()):
            found.append(path.parent.name)
    return found


SCRIPT = "import time; time.sleep(601)"


def _said(what: str, took: Sequence[float]) -> None:
    print(
        f"{what}: n {len(took)}, p50 {statistics.median(took):.1f} ms, max {max(took):.1f} ms",
        flush=True,
    )


async def main(times: int) -> None:
    """All of them, each `times` times."""
    for format in MODELS:
        _said(f"{format}, streaming", await stream_ms(format, STREAM, times))
        _said(f"{format}, stalled", await stream_ms(format, STALL, times))
    _said("a command with two processes", await tool_ms(times))


if __name__ == "__main__":
    os.environ["OPENAI_API_KEY"] = os.environ["ANTHROPIC_API_KEY"] = "sk-test-0123456789abcdefghij"
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 20))
