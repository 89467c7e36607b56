"""The agents that come with the library, by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable

from agent_shell.agents.base import Agent, Loadable, Progress
from agent_shell.agents.echo import EchoAgent
from agent_shell.errors import UnknownModel

__all__ = ["Loadable", "Progress", "make_agent"]


def make_agent(name: str) -> Agent:
    """The agent called `name`: `embedded` or `echo[:WORDS_PER_SECOND]`.

    Raises `UnknownModel`. Heavy libraries are not loaded before the agent's
    `load`, or its first turn.
    """
    kind, _, setting = name.partition(":")
    make = _MAKERS.get(kind)
    if make is None:
        raise UnknownModel(
            f"no model is called {name!r}; there are: embedded (the local model), "
            "echo and echo:WORDS_PER_SECOND (repeat the input)"
        )
    return make(setting)


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


_MAKERS: dict[str, Callable[[str], Agent]] = {"embedded": _embedded, "echo": _echo}
