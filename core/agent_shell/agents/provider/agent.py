"""The agent behind `PROVIDER:MODEL`. Light to import: the library loads in `load`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from agent_shell.agents.base import AgentEvent, Progress, Turn
from agent_shell.agents.provider.loading import connect, converse
from agent_shell.agents.provider.settings import ProviderSettings

if TYPE_CHECKING:
    from agent_shell.agents.provider.library.connected import Connection

__all__ = ["ProviderAgent"]


class ProviderAgent:
    """Answers with a model of a provider, for any number of sessions at once.

    `sleep` is what the pauses between two tries of a request are spent in. `compact`, which
    can be changed at any time, is whether older turns are told as a summary: without it no
    summary is made or heeded, and the model is told every turn again.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        on_progress: Callable[[Progress], None] = lambda _: None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = str(settings.model)
        self.settings = settings
        self.on_progress = on_progress
        self.compact = settings.compact
        self._sleep = sleep
        self._loading: asyncio.Future[Connection] | None = None

    async def load(self) -> None:
        """Loads the library and makes the client; sends nothing.

        Raises `ModelUnusable` where a key or a library is missing, and says what to do.
        """
        await self._connected()

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answers the turn."""
        connection = (await self._connected()).compacting(self.compact)
        async with contextlib.aclosing(converse(connection, turn, self._sleep)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Closes the client."""
        loading = self._loading
        if loading is not None and loading.done() and not loading.exception():
            await loading.result().close()
        self._loading = None

    async def _connected(self) -> Connection:
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self.on_progress(Progress("loading"))
            # In a thread for all of it: a keyring may take its time, and ask the user.
            self._loading = asyncio.ensure_future(asyncio.to_thread(connect, self.settings))
            self._loading.add_done_callback(_looked_at)
        return await asyncio.shield(self._loading)


def _looked_at(loading: asyncio.Future[Connection]) -> None:
    if not loading.cancelled():
        loading.exception()  # Its callers may all have been cancelled.
