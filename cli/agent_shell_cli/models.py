"""From the name of a model to an agent that is ready, or getting ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agent_shell import Agent
from agent_shell.agents import Loadable, Progress, make_agent
from agent_shell.records import record
from agent_shell_cli.config.settings import Settings
from agent_shell_cli.workbench import Workbench

__all__ = ["Model", "known_models", "open_model"]


# The local model is too small for tools, and echo is no model.
_WITHOUT_TOOLS = ("embedded", "echo")


@record
class Model:
    """An agent with its name, and a note that a user should see before the first turn.

    One that `reads_files` by tools of its own is given none with an input that mentions it;
    `bench` has its tools.
    """

    agent: Agent
    name: str
    note: str
    reads_files: bool = False
    bench: Workbench | None = None
    _loading: asyncio.Task[None] | None = None

    def start(self, on_progress: Callable[[str], None], after: asyncio.Event | None = None) -> None:
        """Loads it in the background, `after` that; `on_progress` gets a line, "" at the end.

        A failure shows in the first turn, which raises it.
        """
        if isinstance(self.agent, Loadable):
            self.agent.on_progress = lambda progress: on_progress(_line(progress))
            self._loading = asyncio.create_task(_load(self.agent, after), name="load the model")
            self._loading.add_done_callback(lambda task: _loaded(task, on_progress))

    async def close(self) -> None:
        """Lets go of what was loaded, or is loading."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        if isinstance(self.agent, Loadable):
            await self.agent.close()


async def _load(agent: Loadable, after: asyncio.Event | None) -> None:
    if after is not None:
        await after.wait()
    await agent.load()


def _loaded(task: asyncio.Task[None], on_progress: Callable[[str], None]) -> None:
    on_progress("")
    if not task.cancelled():
        task.exception()  # looked at: the first turn will raise it again, for the user


def _line(progress: Progress) -> str:
    if not progress.total_bytes:
        return f"{progress.stage} the model …"
    return f"{progress.stage} the model {100 * progress.done_bytes // progress.total_bytes} %"


def known_models() -> list[tuple[str, str]]:
    """Names that a user may want, and what each stands for; loads no provider's library."""
    # Imported here: only who looks for a name needs the table.
    from agent_shell.agents.provider.table import PROVIDERS

    ours = [("embedded", "the local model"), ("echo", "repeats what you type")]
    return [*ours, *((f"{name}:", f"a model of {one.title}") for name, one in PROVIDERS.items())]


def open_model(
    name: str, bench: Workbench | None = None, settings: Settings | None = None
) -> Model:
    """The model called `name`, not loaded yet, with the tools of `bench`; `UnknownModel`."""
    kind = name.partition(":")[0]
    note = "echo repeats what you type: no model is behind it" if kind == "echo" else ""
    agent = make_agent(name, bench, **_asked_for(kind, settings or Settings()))
    if kind in _WITHOUT_TOOLS or bench is None:
        return Model(agent, name, note)
    return Model(agent, name, note, reads_files=True, bench=bench)


def _asked_for(provider: str, settings: Settings) -> dict[str, Any]:
    """What the configuration says of the models of a provider."""
    return {
        "base_url": settings.base_urls.get(provider, ""),
        "compact": settings.compact,
        "window": settings.window,
    }
