"""Which model answers, and how another takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_shell import Agent, AgentError, AgentShellError
from agent_shell_cli.config.settings import Settings
from agent_shell_cli.models import Model, open_model
from agent_shell_cli.repl.dispatch import Dispatch
from agent_shell_cli.workbench import Workbench

__all__ = ["Switch"]

_HOW = {"": True, "on": True, "off": False}


class Switch:
    """Has `dispatch` ask one model at a time, which is loaded and let go of here.

    Each gets the tools of `bench`, which is not let go of, and is used as `settings` say.
    """

    dispatch: Dispatch

    def __init__(
        self, model: Model, bench: Workbench | None = None, settings: Settings | None = None
    ) -> None:
        self._model = model
        self._settings = settings
        self._bench = bench
        self._on_progress: Callable[[str], None] = lambda _: None

    @property
    def name(self) -> str:
        """The name of the model that answers."""
        return self._model.name

    @property
    def note(self) -> str:
        """What a user should know of it before the first turn."""
        return self._model.note

    @property
    def reads_files(self) -> bool:
        """Whether the model that answers reads files itself."""
        return self._model.reads_files

    @property
    def bench(self) -> Workbench | None:
        """The tools of the model that answers, if it uses any."""
        return self._model.bench

    @property
    def agent(self) -> Agent:
        """What answers."""
        return self._model.agent

    def compact(self, how: str) -> str:
        """Sets by `how`, "on", "off" or "", whether older turns are told as a summary."""
        # Imported here: it is not wanted before the prompt stands.
        from agent_shell.agents.provider.agent import ProviderAgent

        agent = self.agent
        if not isinstance(agent, ProviderAgent):
            return f"{self.name} makes no summaries; models of providers do"
        if how not in _HOW:
            return f"/compact takes on or off, not {how!r}"
        agent.compact = _HOW[how] if how else agent.compact
        if agent.compact:
            return "older turns are told as a summary when the model's window is nearly full"
        return "every turn is told to the model again, and no summary is made"

    def start(self, on_progress: Callable[[str], None], after: asyncio.Event) -> None:
        """Loads it in the background, `after` that; `on_progress` gets a line, "" at the end."""
        self._on_progress = on_progress
        self._model.start(on_progress, after)

    async def close(self) -> None:
        """Lets go of it."""
        await self._model.close()

    async def change(self, name: str) -> str:
        """Has the model called `name` answer from here on; what came of it, in words.

        Raises `AgentError` where it can't: what waits behind it was meant for that model,
        and is held as behind any turn that fails.
        """
        if not name:
            return f"{self.name} answers; /model NAME changes it"
        try:
            model = open_model(name, self._bench, self._settings)
        except AgentShellError as error:
            raise AgentError(f"{error}; {self.name} still answers") from error
        before, self._model = self._model, model
        self.dispatch.agent = model.agent
        model.start(self._on_progress)
        await before.close()
        note = f"\n{model.note}" if model.note else ""
        return f"{name} answers from here on{note}"
