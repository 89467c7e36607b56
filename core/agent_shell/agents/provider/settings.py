"""What can be set about a provider's agent: plain data."""

from __future__ import annotations

from dataclasses import field

from agent_shell.agents.provider.table import ModelName
from agent_shell.agents.provider.toolset import NoTools, Toolset
from agent_shell.records import frozen

__all__ = ["ProviderSettings"]


@frozen
class ProviderSettings:
    """A model and how it is used.

    `base_url` is where its server is, "" for the usual place. `window` (tokens) is how much
    the model reads at once, `None` for what is known of it; `compact` says that older turns
    are summarised when `compact_at` of it (a share) is full. `stall_s` without a byte from
    the server are an outage; a request is tried `tries` times, the pause before the second
    one is `pause_s` and doubles. `instructions` stand before every conversation.
    """

    model: ModelName
    base_url: str = ""
    toolset: Toolset = field(default_factory=NoTools)
    instructions: str = "You are a helpful assistant in a terminal. Answer briefly and correctly."
    window: int | None = None
    compact: bool = True
    compact_at: float = 0.8
    max_tokens: int | None = None
    stall_s: float = 120.0
    tries: int = 3
    pause_s: float = 1.0
    rate_limit_s: float = 30.0  # where the provider does not say how long
