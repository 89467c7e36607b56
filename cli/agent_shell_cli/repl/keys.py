"""The keys that mean something to the shell, and how a draft is drawn."""

from __future__ import annotations

from typing import Protocol

from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from agent_shell_cli.printable import printable

__all__ = ["Draft", "Listener", "key_bindings"]


class Listener(Protocol):
    """Who decides what the keys do."""

    def on_enter(self, draft: Buffer) -> None:
        """Enter was pressed."""
        ...

    def on_interrupt(self, draft: Buffer) -> None:
        """Ctrl-C was pressed, or the interrupt signal came."""
        ...

    def on_end(self, draft: Buffer, /) -> None:
        """Ctrl-D was pressed, on an empty draft."""
        ...


def key_bindings(listener: Listener) -> KeyBindings:
    """The bindings that stand before prompt_toolkit's own."""
    bindings = KeyBindings()
    # Not while the history is searched: there these keys end the search.
    typing = has_focus(DEFAULT_BUFFER)
    empty = Condition(lambda: not get_app().current_buffer.text)

    @bindings.add("enter", filter=typing)
    def _enter(event: KeyPressEvent) -> None:
        listener.on_enter(event.current_buffer)

    @bindings.add("escape", "enter", filter=typing)
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add("c-c", filter=typing)
    @bindings.add("<sigint>")
    def _interrupt(event: KeyPressEvent) -> None:
        listener.on_interrupt(event.current_buffer)

    @bindings.add("c-d", filter=typing & empty)
    def _end(event: KeyPressEvent) -> None:
        listener.on_end(event.current_buffer)

    _ = (_enter, _new_line, _interrupt, _end)
    return bindings


class Draft(Processor):
    """Draws a draft without what would reorder the line that it stands in.

    prompt_toolkit shows control characters by itself, and nothing else.
    """

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Replaces each character that is not printable, in place."""
        fragments = transformation_input.fragments
        if all(fragment[1].isascii() for fragment in fragments):
            return Transformation(fragments)
        return Transformation([(style, _visible(text)) for style, text, *_ in fragments])


def _visible(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c if c < "\xa0" or printable(c) == c else "\ufffd" for c in text)
