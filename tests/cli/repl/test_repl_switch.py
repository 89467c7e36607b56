"""Which model answers, and what is set about it."""

from __future__ import annotations

import pytest

from agent_shell import AgentError
from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell_cli.models import open_model
from agent_shell_cli.repl.dispatch import Dispatch
from agent_shell_cli.repl.switch import Switch


@pytest.mark.parametrize(
    ("how", "compacts", "said"),
    [
        ("", True, "as a summary"),
        ("off", False, "told to the model again"),
        ("on", True, "as a summary"),
        ("maybe", True, "on or off, not 'maybe'"),
    ],
)
def test_summaries_are_switched_off_and_on(how: str, compacts: bool, said: str) -> None:
    """`/compact` sets what the model that answers does, and says it."""
    switch = Switch(open_model("ollama:m"))
    assert said in switch.compact(how)
    assert isinstance(switch.agent, ProviderAgent)
    assert switch.agent.compact is compacts


async def test_a_model_that_there_is_not_takes_no_place() -> None:
    """The one that answered goes on, and the turn that asked for it fails."""
    switch = Switch(open_model("echo"))
    switch.dispatch = Dispatch(switch.agent, switch.change)
    before = switch.agent
    with pytest.raises(AgentError, match=r"no model is called 'nope'.*; echo still answers"):
        await switch.change("nope")
    assert (switch.name, switch.agent, switch.dispatch.agent) == ("echo", before, before)


def test_a_model_that_makes_no_summaries_says_so() -> None:
    """Nothing is set where there is nothing to set."""
    assert "makes no summaries" in Switch(open_model("echo")).compact("off")
