"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_shell.paths import expanded


def test_a_home_is_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells do; a path without one is as it was."""
    monkeypatch.setenv("HOME", "/home/somebody")
    assert expanded("~/notes") == Path("/home/somebody/notes")
    assert expanded("notes/~") == Path("notes/~")


def test_the_home_of_nobody_is_a_name() -> None:
    """A `~NAME` of whom there is no user stays as it is written, as in shells."""
    assert expanded("~there is no such user/notes") == Path("~there is no such user/notes")
