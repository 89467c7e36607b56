"""The providers' keys: where they are kept, and how they stay out of every text.

A key comes from the environment or from the keyring, where `agent-shell models key` puts it.
The library `keyring` is loaded here alone, and only when the environment has no key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from agent_shell.agents.provider.table import Provider
from agent_shell.errors import AgentShellError

__all__ = ["SERVICE", "Key", "KeyringFailed", "Secrets", "delete_key", "find_key", "set_key"]

SERVICE = "agent-shell"
"""The name that our keys have in the keyring; the account is the provider's."""

# A shorter one would blot out innocent words.
_SHORTEST = 6


class KeyringFailed(AgentShellError):
    """The keyring could not be used."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and where it was found: an environment variable's name, or "the keyring"."""

    secret: str = field(repr=False)
    source: str
    kind: Literal["environment", "keyring"]


def find_key(provider: Provider) -> Key | None:
    """The provider's key, from the environment or else the keyring; `None` without one."""
    for variable in provider.keys:
        if secret := os.environ.get(variable, "").strip():
            return Key(secret, variable, "environment")
    if not provider.account:
        return None
    try:
        secret = _keyring_get(provider.account)
    except KeyringFailed:
        return None  # No keyring on this machine is as good as one without our key.
    return Key(secret, "the keyring", "keyring") if secret else None


def set_key(provider: Provider, secret: str) -> None:
    """Keeps the key in the keyring; raises `KeyringFailed`."""
    import keyring

    try:
        keyring.set_password(SERVICE, provider.account, secret)
    except Exception as error:
        # Backends raise what they like; its text might hold what was to be kept.
        raise KeyringFailed(_failure(error, provider)) from None


def delete_key(provider: Provider) -> bool:
    """Removes the key from the keyring; false where there was none. Raises `KeyringFailed`."""
    import keyring

    if not _keyring_get(provider.account):
        return False
    try:
        keyring.delete_password(SERVICE, provider.account)
    except Exception as error:
        raise KeyringFailed(_failure(error, provider)) from None
    return True


def _keyring_get(account: str) -> str:
    try:
        import keyring

        return (keyring.get_password(SERVICE, account) or "").strip()
    except Exception as error:
        raise KeyringFailed(f"the keyring can't be read: {type(error).__name__}") from None


def _failure(error: Exception, provider: Provider) -> str:
    variable = provider.keys[0] if provider.keys else "the provider's variable"
    return (
        f"the keyring can't keep the key ({type(error).__name__}); "
        f"set {variable} in the environment instead"
    )


class Secrets:
    """The texts that must not be seen; `redact` takes them out of another."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first, for one may be the beginning of another.
        self._secrets = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """The text with each of them replaced by `[key]`."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return text
