"""Whether a model can be used here, and what to do if not; without a network."""

from __future__ import annotations

import os

from agent_shell.agents.provider.keys import find_key
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import Provider

__all__ = ["missing", "missing_for"]


def missing(settings: ProviderSettings) -> str:
    """What keeps the model from being used, with the way out; "" for nothing that is known."""
    return missing_for(settings.model.provider, settings.base_url)


def missing_for(provider: Provider, base_url: str = "") -> str:
    """As `missing`, for all models of a provider."""
    if not provider.installed:
        return f"the library for {provider.title} is not installed: {provider.pip_line}"
    unset = [name for name in provider.needs if not os.environ.get(name)]
    if unset and not base_url:
        return f"{provider.title} needs {' and '.join(unset)} in the environment"
    url = base_url or os.environ.get(provider.url_variable, "") or provider.url
    if provider.local:
        return "" if url else _no_url(provider)
    own_server = bool(base_url) or bool(os.environ.get("OPENAI_BASE_URL"))
    if provider.sign_in or find_key(provider) is not None:
        return ""
    if own_server and provider.account in ("openai", "anthropic"):
        return ""
    return _no_key(provider)


def _no_key(provider: Provider) -> str:
    return (
        f"there is no key for {provider.title}: set {provider.keys[0]}, "
        f"or keep one in the keyring with: agent-shell models key {provider.name}"
    )


def _no_url(provider: Provider) -> str:
    variable = provider.url_variable
    return (
        f"{provider.name} is a server of yours, and nothing says where: "
        f"set {variable}, as in {variable}=http://localhost:8080/v1"
    )
