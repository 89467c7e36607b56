"""Where configuration lies: the user's folder, and that of the project one works in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent_shell.paths import expanded
from agent_shell.records import frozen

__all__ = ["CONFIG_VARIABLE", "Places", "places"]

CONFIG_VARIABLE = "AGENT_SHELL_CONFIG_DIR"
_FILE = "config.toml"
_PROJECT = ".agent-shell"


@frozen
class Places:
    """The folders: the user's, and the project's, where there is one."""

    user: Path
    project: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The configuration files that are looked for; a later one counts more."""
        return tuple(folder / _FILE for folder in self._folders)

    @property
    def commands(self) -> tuple[Path, ...]:
        """The folders of custom commands."""
        return tuple(folder / "commands" for folder in self._folders)

    @property
    def _folders(self) -> tuple[Path, ...]:
        return (self.user,) if self.project is None else (self.user, self.project)


def places(folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> Places:
    """The places for work in `folder`, by default the working directory.

    `AGENT_SHELL_CONFIG_DIR` overrides the user's folder. The project's is the
    nearest `.agent-shell` upwards, as far as the repository goes, or the home
    folder, which is no project; elsewhere only the folder itself is looked at.
    """
    try:
        here = folder or Path.cwd()
    except OSError:  # it was removed
        return Places(_user(environment), None)
    found = (parent / _PROJECT for parent in _upwards(here))
    return Places(_user(environment), next((path for path in found if path.is_dir()), None))


def _user(environment: Mapping[str, str]) -> Path:
    named = environment.get(CONFIG_VARIABLE)
    if named:
        return expanded(named)
    import platformdirs  # looks for the folder in files and a registry, on some platforms

    return Path(platformdirs.user_config_dir("agent-shell"))


def _upwards(here: Path) -> Iterator[Path]:
    """The folders that may hold a project's configuration, the nearest first.

    Not those above a repository, nor /tmp: there anybody could put one.
    """
    home = _home()
    chain = [here, *here.parents]
    if home in chain:
        chain = chain[: chain.index(home)]
        inside_home = True
    else:
        inside_home = False
    top = next((i for i, folder in enumerate(chain) if (folder / ".git").exists()), None)
    if top is not None:
        yield from chain[: top + 1]
    else:
        yield from chain if inside_home else chain[:1]


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
