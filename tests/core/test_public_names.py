"""The names that the package gives: each is there when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import agent_shell


@pytest.mark.parametrize("name", agent_shell.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Whatever `__all__` says can be imported, and `dir` lists it."""
    assert hasattr(agent_shell, name)
    assert name in dir(agent_shell)


def test_a_name_that_is_not_there_is_refused() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'Enigne'"):
        agent_shell.Enigne  # noqa: B018 (asking is the point)


def test_what_is_not_asked_for_is_not_loaded() -> None:
    """The state of a session is known without the engine that keeps it."""
    script = (
        "import sys; from agent_shell import Budget, Lane; "
        "print('agent_shell.engine' in sys.modules, 'asyncio' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"
