"""The configuration: one table of keys, files in TOML, and where each value comes from."""

from __future__ import annotations

from agent_shell_cli.config.loading import ConfigError, Configuration, configuration, load
from agent_shell_cli.config.places import CONFIG_VARIABLE, Places, places
from agent_shell_cli.config.settings import KEYS, Key, Settings
from agent_shell_cli.config.showing import documentation, listing

__all__ = [
    "CONFIG_VARIABLE",
    "KEYS",
    "ConfigError",
    "Configuration",
    "Key",
    "Places",
    "Settings",
    "configuration",
    "documentation",
    "listing",
    "load",
    "places",
]
