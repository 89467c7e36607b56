"""The model that comes with the installation: small, local, without a network or a key."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from agent_shell.agents.base import AgentEvent, Delta, Notice, Turn, Usage
from agent_shell.agents.embedded.conversation import fitting, messages_for
from agent_shell.agents.embedded.runtime import Runtime, require_xllamacpp
from agent_shell.agents.embedded.weights import (
    Progress,
    ensure_weights,
    ensure_weights_async,
    find_weights,
)
from agent_shell.errors import AgentError

__all__ = [
    "EmbeddedAgent",
    "Progress",
    "ensure_weights",
    "ensure_weights_async",
    "find_weights",
    "require_xllamacpp",
]

# Left free for the answer where the window is long enough; else a quarter of it.
_ANSWER_TOKENS = 512


class EmbeddedAgent:
    """Answers with the local model, which all sessions of this agent share, in order.

    `on_progress` is called on the event loop while the model is fetched and
    loaded. `window` (tokens) bounds the model's context, which is shorter if it
    was trained on less; `max_tokens` bounds one answer.
    """

    name = "embedded"

    def __init__(
        self,
        on_progress: Callable[[Progress], None] = lambda _: None,
        *,
        window: int = 4096,
        max_tokens: int = 1024,
    ) -> None:
        self.on_progress = on_progress
        self._window = window
        self._max_tokens = max_tokens
        self._runtime: Runtime | None = None
        self._loading: asyncio.Task[Runtime] | None = None
        self._one_at_a_time = asyncio.Lock()  # Its waiters are served in order.
        # By session: the first turn that its prompts still show.
        self._first_turn: dict[str, int] = {}

    def _report(self, progress: Progress) -> None:
        # Looked up at each call: a front end may set it while the fetch is under way.
        self.on_progress(progress)

    async def load(self) -> None:
        """Fetches the model if it is not here, and loads it; once for all callers.

        A cancelled caller leaves the loading to the others. Raises
        `ModelUnreachable` with the ways out; the next call tries again.
        """
        await self._loaded()

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers the turn; raises `ModelUnreachable`, or `AgentError` if it is too long."""
        await self._loaded()
        async with self._one_at_a_time:
            runtime = await self._loaded()
            prompt = await self._prompt(runtime, turn)
            if prompt.left_out:
                yield _left_out(prompt.left_out, runtime.window)
            max_tokens = min(self._max_tokens, runtime.window - prompt.tokens)
            generation = runtime.generate(prompt.messages, max_tokens)
            async with contextlib.aclosing(generation) as answer:
                async for piece in answer:
                    if isinstance(piece, str):
                        yield Delta(piece)
                        continue
                    if piece.finish == "length":
                        yield Notice(f"The answer was cut off at {max_tokens:,} tokens.")
                    extra = {"cached_tokens": piece.cached_tokens}
                    yield Usage(piece.input_tokens, piece.output_tokens, extra)

    async def close(self) -> None:
        """Ends the loading or the model's process; a turn that still runs fails."""
        if self._loading:
            self._loading.cancel()
            await asyncio.wait({self._loading})
        if self._runtime:
            await self._runtime.close()

    async def _loaded(self) -> Runtime:
        if self._runtime and self._runtime.alive:
            return self._runtime
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(self._load_is_over)
        return await asyncio.shield(self._loading)

    async def _load(self) -> Runtime:
        require_xllamacpp()
        path = await ensure_weights_async(self._report)
        self.on_progress(Progress("loading"))
        runtime = Runtime(path, self._window)
        await runtime.start()
        self._runtime = runtime
        return runtime

    def _load_is_over(self, loading: asyncio.Task[Runtime]) -> None:
        self._loading = None
        if not loading.cancelled():
            loading.exception()  # Its callers may all have been cancelled.

    async def _prompt(self, runtime: Runtime, turn: Turn) -> _Prompt:
        key, first = turn.session_key, self._first_turn.get(turn.session_key, 1)
        history = [exchange for exchange in await turn.history() if exchange.turn >= first]
        # The one safe point: the model can't be steered once it generates.
        text = "\n\n".join([turn.text, *(steer.text for steer in turn.take_steers())])
        room = runtime.window - min(_ANSWER_TOKENS, runtime.window // 4)
        kept, tokens = await fitting(history, text, runtime.count, room)
        if tokens > room:
            raise AgentError(
                f"The input is too long for the local model: it and its prompt have {tokens:,} "
                f"tokens, and {room:,} fit into its {runtime.window:,}-token window. "
                "Shorten it, send it in parts, or use a model with a longer window."
            )
        left_out = 0
        if len(kept) < len(history):
            first = self._first_turn[key] = kept[0].turn if kept else turn.number
            left_out = first - 1
        return _Prompt(messages_for(kept, text), tokens, left_out)


class _Prompt(NamedTuple):
    """A chat and its tokens; `left_out` says how many turns are not in it, if that is new."""

    messages: list[dict[str, str]]
    tokens: int
    left_out: int


def _left_out(turns: int, window: int) -> Notice:
    what = "turn no longer fits" if turns == 1 else f"{turns:,} turns no longer fit"
    were = "was" if turns == 1 else "were"
    return Notice(f"The oldest {what} the model's {window:,}-token window and {were} left out.")
