"""What the tests of the providers have in common."""

from __future__ import annotations

import pytest

from support_provider import KEY


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    """The keys that the scripted server knows, and no keyring of the user's."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", KEY)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
