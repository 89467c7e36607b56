"""Completing a command, on Tab."""

from __future__ import annotations

from collections.abc import Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from agent_shell_cli.verbs import COMMANDS

__all__ = ["Commands"]


class Commands(Completer):
    """The names of the commands, at the beginning of a draft."""

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Those that begin with what stands before the cursor."""
        del complete_event
        typed = document.text_before_cursor
        if typed.startswith("/") and not any(character.isspace() for character in typed):
            for command in COMMANDS:
                if command.verb.startswith(typed[1:].lower()):
                    yield Completion(f"/{command.verb}", -len(typed), display_meta=command.help)
