"""A model that is ready to be asked."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from agent_shell.agents.provider.keys import Secrets
from agent_shell.agents.provider.library.bounding import http_of
from agent_shell.agents.provider.settings import ProviderSettings

__all__ = ["Connection", "Window"]


@dataclass(slots=True)
class Window:
    """How much a model reads at once, in tokens; `None` if unknown.

    One for all copies of a connection: what a refusal has shown is known from then on.
    """

    tokens: int | None

    def learn(self, tokens: int) -> None:
        """The model has refused to read more than this."""
        self.tokens = tokens if self.tokens is None else min(tokens, self.tokens)


@dataclass(frozen=True, slots=True)
class Connection:
    """The library's model with how it is asked."""

    model: Model
    settings: ProviderSettings
    secrets: Secrets
    window: Window
    request_settings: ModelSettings

    def compacting(self, compact: bool) -> Connection:
        """The same, with or without summaries of older turns."""
        if compact == self.settings.compact:
            return self
        return replace(self, settings=replace(self.settings, compact=compact))

    def writing(self, most: int) -> Connection:
        """The same, for answers of at most so many tokens."""
        asked: dict[str, Any] = {**self.request_settings}
        asked["max_tokens"] = min(most, self.settings.max_tokens or most)
        return replace(self, request_settings=cast("ModelSettings", asked))

    async def close(self) -> None:
        """Closes what it holds open."""
        if (http := http_of(self.model)) is not None:
            with contextlib.suppress(Exception):  # It may belong to a loop that is gone.
                await http.aclose()
