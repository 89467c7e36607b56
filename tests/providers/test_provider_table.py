"""The names of models, the table of the providers, and their keys."""

from __future__ import annotations

import subprocess
import sys

import keyring
import pytest
from keyring.backend import KeyringBackend

from agent_shell import UnknownModel
from agent_shell.agents import make_agent
from agent_shell.agents.provider.availability import missing_for
from agent_shell.agents.provider.keys import Secrets, delete_key, find_key, set_key
from agent_shell.agents.provider.table import PROVIDERS, parse


def test_a_model_is_named_by_its_provider_and_its_own_name():
    """The first colon parts them: a model's own name may have more."""
    name = parse("ollama:llama3.2:1b")
    assert (name.provider.title, name.model) == ("Ollama", "llama3.2:1b")
    assert str(name) == "ollama:llama3.2:1b"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("antropic:claude", "did you mean 'anthropic'"),
        ("nonsense:x", "no provider is called 'nonsense'"),
        ("openai:", "openai:MODEL"),
        ("openai: ", "openai:MODEL"),
        ("embeded", "did you mean 'embedded'"),
    ],
)
def test_a_name_that_is_none_is_refused_with_the_nearest(name: str, said: str):
    """What is not known is said, with what comes next to it."""
    with pytest.raises(UnknownModel) as caught:
        make_agent(name)
    assert said in str(caught.value)


def test_every_provider_of_the_library_is_in_the_table():
    """The library's list of models names no provider that answers in text and is not here."""
    models = pytest.importorskip("pydantic_ai.models")
    known = {name.partition(":")[0] for name in models.known_model_names() if ":" in name}
    no_text = {"openai-decisions", "google-decisions", "typesafe"}  # they choose, they don't write
    assert known - no_text <= set(PROVIDERS)


def test_every_provider_says_what_it_needs():
    """Each has a key, a sign-in or a server of the user's, and an extra exists for its library."""
    for provider in PROVIDERS.values():
        assert provider.keys or provider.sign_in or provider.local, provider.name
        assert provider.module in ("openai", "anthropic", "groq") or provider.extra


def test_the_table_loads_no_library():
    """Naming a model is free: neither the library nor a provider's own is loaded for it."""
    code = (
        "import sys; from agent_shell.agents import make_agent; make_agent('openai:gpt-4o');"
        "heavy = {'pydantic_ai', 'pydantic', 'openai', 'anthropic', 'keyring', 'httpx2'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_key_comes_from_the_first_variable_that_is_set(monkeypatch):
    """The environment goes before the keyring, and its variables in their order."""
    monkeypatch.setenv("GEMINI_API_KEY", "second-key")
    key = find_key(PROVIDERS["google"])
    assert key is not None
    assert (key.secret, key.source) == ("second-key", "GEMINI_API_KEY")
    monkeypatch.setenv("GOOGLE_API_KEY", "first-key")
    key = find_key(PROVIDERS["google"])
    assert key is not None
    assert key.source == "GOOGLE_API_KEY"
    assert "first-key" not in repr(key)


def test_what_is_missing_is_said_with_the_way_out(monkeypatch):
    """A key by its variable and the keyring, a server by its URL."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "set OPENAI_API_KEY" in missing_for(PROVIDERS["openai"])
    assert "agent-shell models key openai" in missing_for(PROVIDERS["openai"])
    assert missing_for(PROVIDERS["ollama"]) == ""
    assert "OPENAI_COMPATIBLE_BASE_URL" in missing_for(PROVIDERS["openai-compatible"])
    assert missing_for(PROVIDERS["openai"], base_url="http://localhost:1/v1") == ""


def test_a_library_that_is_not_there_names_its_pip_line(monkeypatch):
    """What must be installed is one line to copy."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "pip install 'agent-shell[groq]'" in missing_for(PROVIDERS["groq"])


def test_secrets_are_taken_out_of_a_text_longest_first():
    """One key may be the beginning of another; short ones would blot out words."""
    secrets = Secrets(["sk-abcdef", "sk-abcdef-ghi", "abc"])
    assert secrets.redact("sk-abcdef-ghi and sk-abcdef, abc") == "[key] and [key], abc"


def test_a_key_in_the_keyring_is_found_and_deleted(monkeypatch):
    """What was kept under our service and the provider's account is used, until it is deleted."""
    kept: dict[tuple[str, str], str] = {}

    class InMemory(KeyringBackend):
        priority = 1.0  # pyright: ignore[reportAssignmentType]

        def get_password(self, service: str, username: str) -> str | None:
            return kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    try:
        set_key(PROVIDERS["openai-chat"], "sk-in-the-ring")
        assert kept == {("agent-shell", "openai"): "sk-in-the-ring"}
        key = find_key(PROVIDERS["openai"])
        assert key is not None
        assert (key.secret, key.source) == ("sk-in-the-ring", "the keyring")
        assert missing_for(PROVIDERS["openai"]) == ""
        assert delete_key(PROVIDERS["openai"])
        assert not delete_key(PROVIDERS["openai"])
        assert find_key(PROVIDERS["openai"]) is None
    finally:
        keyring.set_keyring(before)
