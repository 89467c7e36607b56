"""Which model answers, and what is set about it."""

from __future__ import annotations

import pytest

from agent_shell.agents.provider.agent import ProviderAgent
from agent_shell_cli.models import open_model
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


def test_a_model_that_makes_no_summaries_says_so() -> None:
    """Nothing is set where there is nothing to set."""
    assert "makes no summaries" in Switch(open_model("echo")).compact("off")
