"""Scripted mode: follow-ups from a pipe, a file or the command line; answers to a pipe."""

from agent_shell_cli.scripted.opening import run

__all__ = ["run"]
