"""Models of the providers, by `PROVIDER:MODEL`."""

from __future__ import annotations

from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import PROVIDERS, ModelName, Provider, find_provider, parse

__all__ = [
    "PROVIDERS",
    "ModelName",
    "Provider",
    "ProviderAgent",
    "ProviderSettings",
    "find_provider",
    "parse",
]
