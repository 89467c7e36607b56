"""Models of the providers, by `PROVIDER:MODEL`."""

from __future__ import annotations

from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell.agents.provider.availability import missing_for, server_of
from agent_shell.agents.provider.keys import delete_key, find_key, set_key
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import PROVIDERS, ModelName, Provider, find_provider, parse

__all__ = [
    "PROVIDERS",
    "ModelName",
    "Provider",
    "ProviderAgent",
    "ProviderSettings",
    "delete_key",
    "find_key",
    "find_provider",
    "missing_for",
    "parse",
    "server_of",
    "set_key",
]
