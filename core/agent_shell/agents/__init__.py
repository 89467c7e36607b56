"""The agents that come with the library, by the names that users give them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agent_shell.agents.base import Agent, Loadable, Progress
from agent_shell.agents.echo import EchoAgent
from agent_shell.errors import UnknownModel

if TYPE_CHECKING:
    from agent_shell.agents.provider.toolset import Toolset

__all__ = ["Loadable", "Progress", "make_agent"]


def make_agent(name: str, toolset: Toolset | None = None, **settings: Any) -> Agent:
    """The agent called `name`: `embedded`, `echo[:WORDS_PER_SECOND]` or `PROVIDER:MODEL`.

    A provider's model gets the tools of `toolset`, and `settings` as `ProviderSettings` has
    them; the local ones use none.
    Raises `UnknownModel`, with the nearest name. Heavy libraries are not loaded before the
    agent's `load`, or its first turn.
    """
    kind, colon, setting = name.partition(":")
    make = _MAKERS.get(kind)
    if make is not None:
        return make(setting)
    if colon:
        return _provider(name, toolset, settings)
    near = difflib.get_close_matches(kind, _MAKERS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UnknownModel(
        f"no model is called {name!r}{hint}; there are: embedded (the local model), "
        "echo and echo:WORDS_PER_SECOND (repeat the input), and PROVIDER:MODEL, "
        "as 'agent-shell models' lists them"
    )


def _embedded(setting: str) -> Agent:
    # Imported here, for `echo` has no need of it.
    from agent_shell.agents.embedded import EmbeddedAgent

    if setting:
        raise UnknownModel(f"the embedded model takes no setting, so not {setting!r}")
    return EmbeddedAgent()


def _echo(setting: str) -> Agent:
    try:
        return EchoAgent(float(setting) if setting else None)
    except ValueError:
        raise UnknownModel(
            f"echo:{setting} is not echo:WORDS_PER_SECOND: {setting!r} is no number above 0"
        ) from None


def _provider(name: str, toolset: Toolset | None, settings: Mapping[str, Any]) -> Agent:
    # Imported here, for the others have no need of it.
    from agent_shell.agents.provider.agent import ProviderAgent
    from agent_shell.agents.provider.settings import ProviderSettings
    from agent_shell.agents.provider.table import parse

    given: dict[str, Any] = dict(settings)
    if toolset is not None:
        given["toolset"] = toolset
    return ProviderAgent(ProviderSettings(parse(name), **given))


_MAKERS: dict[str, Callable[[str], Agent]] = {"embedded": _embedded, "echo": _echo}
