"""From a model's name to the library's model, ready to be asked: client, key and settings."""

from __future__ import annotations

import inspect
import os
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic_ai import exceptions
from pydantic_ai.models import Model, infer_model
from pydantic_ai.providers import Provider as LibraryProvider
from pydantic_ai.providers import infer_provider, infer_provider_class
from pydantic_ai.settings import ModelSettings

# What a turn needs is loaded with the connection, so that its first request waits for nothing.
from agent_shell.agents.provider.availability import server_of
from agent_shell.agents.provider.keys import Key, Secrets, find_key
from agent_shell.agents.provider.library import conversation
from agent_shell.agents.provider.library.bounding import bound_answers
from agent_shell.agents.provider.library.connected import Connection, Window
from agent_shell.agents.provider.settings import ProviderSettings
from agent_shell.errors import ModelUnusable, reason_of

__all__ = ["Connection", "connect", "conversation"]


def connect(settings: ProviderSettings) -> Connection:
    """Makes the client; no request is sent. Raises `ModelUnusable`, whose text holds no key."""
    provider = settings.model.provider
    key = find_key(provider)
    if key is not None and not (key.secret.isascii() and key.secret.isprintable()):
        # Whoever complains of it later would show it, and in letters that are not looked for.
        raise ModelUnusable(
            f"{provider.title} can't be used: the key from {key.source} has a line end in it, or "
            "another letter that no key has; set it again"
        )
    secrets = Secrets(_all_secrets(settings, key))
    try:
        model = _model(settings, key)
    except ModelUnusable:
        raise
    except (exceptions.UserError, ImportError, ValueError) as error:
        raise ModelUnusable(secrets.redact(f"{provider.title} can't be used: {error}")) from None
    except Exception as error:  # a provider's library raises what it likes
        said = f"{provider.title} can't be used: {reason_of(error)}"
        raise ModelUnusable(secrets.redact(said)) from None
    bound_answers(model)
    window = settings.window or model.profile.get("context_window")
    return Connection(model, settings, secrets, Window(window), _request_settings(model, settings))


def _all_secrets(settings: ProviderSettings, key: Key | None) -> list[str]:
    """The key, those that a library may take from the environment, and a URL's password."""
    provider = settings.model.provider
    found = [os.environ.get(variable, "") for variable in provider.keys]
    password = urlsplit(server_of(provider, settings.base_url)).password or ""
    return [*found, password, key.secret if key else ""]


def _model(settings: ProviderSettings, key: Key | None) -> Model:
    provider = settings.model.provider
    if provider.local and provider.name not in ("ollama", "vllm", "litellm"):
        return _compatible(settings, key)
    return infer_model(str(settings.model), lambda _: _provider(settings, key))


def _compatible(settings: ProviderSettings, key: Key | None) -> Model:
    # Imported here, for Anthropic's models have no need of it.
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    name, url = settings.model.provider.name, server_of(settings.model.provider, settings.base_url)
    secret = key.secret if key else None
    server = OpenAICompatibleProvider(name, base_url=url, api_key=secret)
    return OpenAIChatModel(settings.model.model, provider=server)


def _provider(settings: ProviderSettings, key: Key | None) -> LibraryProvider[Any]:
    provider = settings.model.provider
    if provider.name.startswith("gateway/"):
        return infer_provider(provider.name)
    make = infer_provider_class(provider.name)
    takes = inspect.signature(make.__init__).parameters
    given: dict[str, str] = {}
    if key is not None:
        given["token" if "token" in takes else "api_key"] = key.secret
    if url := server_of(provider, settings.base_url):
        name = next((n for n in ("base_url", "api_base", "azure_endpoint") if n in takes), None)
        if name is None:
            raise ModelUnusable(f"{provider.title} has one server only: it takes no base URL")
        given[name] = url
    return make(**given)


def _request_settings(model: Model, settings: ProviderSettings) -> ModelSettings:
    # Requests are tried again by us, where the user can see it, and only what is worth it.
    # `timeout` bounds every wait for a byte. `cache` is heeded where the provider has one.
    wanted = ModelSettings(timeout=settings.stall_s, cache=True, max_retries=0)
    if settings.max_tokens is not None:
        wanted["max_tokens"] = settings.max_tokens
    if "timeout" in model.unsupported_settings:
        # The best there is: what comes after the first event is left to the provider's library.
        wanted["first_event_timeout"] = settings.stall_s
    # What a model's library does not take would be complained of on the terminal.
    kept = {name: value for name, value in wanted.items() if name not in model.unsupported_settings}
    return cast("ModelSettings", kept)
