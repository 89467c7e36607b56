"""The loaded model, as the event loop sees it: count tokens, generate, stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
import weakref
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_shell.agents.embedded.child import Child
from agent_shell.errors import AgentError, ModelUnreachable

__all__ = ["Ended", "Runtime", "require_xllamacpp"]

# A model that is so slow to stop is killed: to load it again takes half as long.
_STOP_S = 1.0


@dataclass(slots=True)
class Ended:
    """The end of an answer: tokens, and `stop`, `length` (the limit) or `cancelled`."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    finish: str


def require_xllamacpp() -> None:
    """Raises `ModelUnreachable` if xllamacpp is not installed; imports nothing."""
    if importlib.util.find_spec("xllamacpp") is None or not sys.executable:
        raise ModelUnreachable(
            "The local model needs the package xllamacpp, which is not installed "
            "(it may have no wheel for this platform). Ways out: `pip install xllamacpp`, "
            "or another model, as in `--model echo`."
        )


class Runtime:
    """One model in a process of its own, which serves one request at a time.

    `window` is the length of the model's context in tokens: what was wished,
    and once started what the model has.
    """

    def __init__(self, path: Path, window: int) -> None:
        self.window = window
        self._path = path
        self._child: Child | None = None
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._requests = 0

    @property
    def alive(self) -> bool:
        """Whether it takes requests."""
        return self._child is not None and self._child.alive

    async def start(self) -> None:
        """Loads the model. Raises `ModelUnreachable` if that fails."""
        try:
            self._child = Child(self._messages)
            weakref.finalize(self, self._child.end)  # At the latest at the program's exit.
            self._child.send({"path": str(self._path), "window": self.window})
            self.window = (await self._end_of(0))["window"]
        except (AgentError, OSError) as error:
            await self.close()
            size = self._path.stat().st_size / 1e6 if self._path.exists() else 0
            raise ModelUnreachable(
                f"The model {self._path} ({size:.0f} MB) could not be loaded: {error} "
                "It may be damaged, no chat model, or larger than the free memory."
            ) from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def count(self, messages: list[dict[str, str]]) -> int:
        """The tokens of the prompt that the model's template makes of `messages`."""
        number = self._ask(op="count", messages=messages)
        return int((await self._end_of(number))["tokens"])

    async def generate(
        self, messages: list[dict[str, str]], max_tokens: int
    ) -> AsyncGenerator[str | Ended, None]:
        """Streams the answer, then how it ended.

        Cancelled or closed early, it returns only after the model has stopped.
        Raises `AgentError` if the model refuses the prompt and
        `ModelUnreachable` if its process ends.
        """
        number = self._ask(op="generate", messages=messages, max_tokens=max_tokens)
        end: dict[str, Any] | None = None
        try:
            while end is None:
                text, end = await self._take(number)
                if text:
                    yield text
            yield _ended(end)
        except AgentError:
            end = {}
            raise
        finally:
            if end is None:
                await self._stop(number)

    async def close(self) -> None:
        """Ends the process; a request that still runs fails."""
        if self._child:
            self._child.kill()
            await asyncio.get_running_loop().run_in_executor(None, self._child.end)

    def _ask(self, **request: object) -> int:
        if not self._child or not self._child.alive:
            raise ModelUnreachable("The local model is not loaded.")
        self._requests += 1
        self._child.send({"id": self._requests, **request})
        return self._requests

    async def _end_of(self, number: int) -> dict[str, Any]:
        end: dict[str, Any] | None = None
        while end is None:
            _, end = await self._take(number)
        return end

    async def _take(self, number: int) -> tuple[str, dict[str, Any] | None]:
        """All that has come of the request by now: its text, and its end if that came."""
        texts: list[str] = []
        while True:
            message = await self._messages.get()
            if "exit" in message:
                raise ModelUnreachable(f"The local model is gone: {message['exit']}")
            if message["id"] == number:  # Else it is what a cancelled request left behind.
                if "error" in message:
                    raise AgentError(f"The local model says: {message['error'].rstrip('.')}.")
                if "end" in message:
                    return "".join(texts), message["end"]
                texts.append(message["text"])
            if self._messages.empty():
                return "".join(texts), None

    async def _stop(self, number: int) -> None:
        """Cancels the request and waits until the model has stopped, come what may.

        A model that does not stop is killed; the next turn loads it again.
        """
        if not self._child or not self._child.alive:
            return
        self._child.send({"op": "cancel", "id": number})
        stopping = asyncio.ensure_future(self._end_of(number))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _STOP_S
        while not stopping.done() and loop.time() < deadline:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({stopping}, timeout=deadline - loop.time())
        if not stopping.done():
            stopping.cancel()
            self._child.kill()
        elif not stopping.cancelled():
            stopping.exception()


def _ended(end: dict[str, Any]) -> Ended:
    return Ended(
        end.get("input_tokens", 0),
        end.get("output_tokens", 0),
        end.get("cached_tokens", 0),
        end["finish"],
    )
