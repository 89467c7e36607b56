"""Which files are not read, or not written, without a question, by their names alone."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Sequence

__all__ = ["decides_what_runs", "may_hold_secrets"]

_SECRET_FILES = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "*.tfstate",
    "*.tfstate.backup",
    "*.tfvars",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "credentials",
    "credentials.*",
    "*credentials*.json",
    "service-account*.json",
    "service_account*.json",
    "secret",
    "secret.*",
    "secrets",
    "secrets.*",
    "token",
    "token.*",
    "*.token",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    ".dockerconfigjson",
    ".vault-token",
    "*_history",
)
# Of these the names look like secrets, and the contents are code or meant for everybody.
_HARMLESS_FILES = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "*.pub",
    "secret*.py",
    "token*.py",
    "credentials*.py",
    "secret*.md",
    "token*.md",
    "credentials*.md",
)
_SECRET_FOLDERS = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".secrets",
    ".password-store",
    "gcloud",
    "keyrings",
)
_GIT_SECRETS = ("config", "credentials")  # an URL in it may have a password
_RUNS_FOLDERS = (".git", ".agent-shell", ".githooks", ".husky")
_RUNS_FILES = ("AGENTS.md",)


@functools.cache
def _one_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """All of them as one expression, made when first needed: a search asks for each file."""
    return re.compile("|".join(map(fnmatch.translate, patterns)))


def may_hold_secrets(parts: Sequence[str]) -> bool:
    """Whether the file or folder at this path, in parts, is read only after a question."""
    parts = [part.casefold() for part in parts]
    if any(part in _SECRET_FOLDERS for part in parts):
        return True
    if not parts:
        return False
    name = parts[-1]
    if ".git" in parts[:-1] and name in _GIT_SECRETS:
        return True
    return bool(_one_of(_SECRET_FILES).match(name)) and not _one_of(_HARMLESS_FILES).match(name)


def decides_what_runs(parts: Sequence[str]) -> bool:
    """Whether a change there has something run or heeded later: a hook, our configuration."""
    folded = [part.casefold() for part in parts]
    names = [name.casefold() for name in _RUNS_FILES]
    return any(part in _RUNS_FOLDERS for part in folded) or folded[-1:] in [[n] for n in names]
