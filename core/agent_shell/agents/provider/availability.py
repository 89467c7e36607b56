"""Whether a model can be used here, and what to do if not; without a network."""

from __future__ import annotations

import os

from agent_shell.agents.provider.keys import find_key
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.agents.provider.table import Provider

__all__ = ["missing", "missing_for", "server_of"]


def server_of(provider: Provider, base_url: str = "") -> str:
    """Where its server is: as given, as the environment says, or as is usual.

    "" where that is the library's to know.
    """
    return base_url or os.environ.get(provider.url_variable, "") or provider.url


def missing(settings: ProviderSettings) -> str:
    """What keeps the model from being used, with the way out; "" for nothing that is known."""
    problem = missing_for(settings.model.provider, settings.base_url)
    return f"{settings.model} can't be used: {problem}" if problem else ""


def missing_for(provider: Provider, base_url: str = "") -> str:
    """As `missing`, for all models of a provider."""
    if not provider.installed:
        return f"its library is not installed: {provider.pip_line}"
    unset = [name for name in provider.needs if not os.environ.get(name)]
    if unset and not base_url:
        return f"it needs {' and '.join(unset)} in the environment"
    if provider.local:
        return "" if server_of(provider, base_url) else _no_url(provider)
    own_server = bool(base_url) or bool(os.environ.get("OPENAI_BASE_URL"))
    if provider.sign_in or find_key(provider) is not None:
        return ""
    if own_server and provider.account in ("openai", "anthropic"):
        return ""
    return _no_key(provider)


def _no_key(provider: Provider) -> str:
    return (
        f"no key for {provider.title}: set {provider.keys[0]}, "
        f"or keep one in the keyring: agent-shell models key {provider.name}"
    )


def _no_url(provider: Provider) -> str:
    variable = provider.url_variable
    return (
        f"it is a server of yours, and nothing says where: "
        f"set {variable}, as in {variable}=http://localhost:8080/v1"
    )
