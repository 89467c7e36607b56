"""How the prompt is made, and how it completes, with a menu or in lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    get_common_complete_suffix,
)
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, Window
from prompt_toolkit.layout.processors import Processor

from agent_shell_cli.repl.frames import Measured
from agent_shell_cli.repl.keys import set_pace
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.mentions import typed_path
from agent_shell_cli.repl.renderer import Renderer
from agent_shell_cli.repl.speaker import Speaker
from agent_shell_cli.repl.terminal import Terminal

__all__ = ["Later", "complete", "complete_in_lines", "make_prompt"]

_LISTED = 20


class Later(Completer):
    """What `make` makes when it is first asked for, or by `load`, which may run in a thread."""

    def __init__(self, make: Callable[[], Completer]) -> None:
        self._make = make
        self._made: Completer | None = None

    def load(self) -> Completer:
        """Makes it, once."""
        self._made = self._made or self._make()
        return self._made

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """As it does."""
        return self.load().get_completions(document, complete_event)

    def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """As it does."""
        return self.load().get_completions_async(document, complete_event)


def make_prompt(
    renderer: Renderer,
    terminal: Terminal,
    look: Look,
    history: History,
    completer: Completer,
    bindings: KeyBindings,
    drawing: Processor,
    *,
    vi: bool,
) -> PromptSession[None]:
    """The one prompt of a shell, which stands below what `renderer` shows."""

    def mentions() -> bool:
        """Whether a file is being mentioned: only then a menu comes that nobody asked for."""
        return not terminal.linear and typed_path(prompt.default_buffer.document) is not None

    prompt: PromptSession[None] = PromptSession(
        renderer.sign,
        multiline=True,
        style=look.style,
        color_depth=renderer.color_depth,
        history=history,
        completer=completer,
        vi_mode=vi,
        key_bindings=bindings,
        input_processors=[drawing],
        erase_when_done=True,
        complete_while_typing=Condition(mentions),
        enable_suspend=True,
        tempfile_suffix=".md",
        input=terminal.input,
        output=terminal.output,
    )
    set_pace(prompt.app)
    # In a window of their own: in a prompt's message, each letter would be a fragment.
    live = Window(
        FormattedTextControl(renderer.live, style="class:prompt"), dont_extend_height=True
    )
    there = Condition(lambda: bool(renderer.live()))
    layout = prompt.app.layout
    layout.container = Measured([ConditionalContainer(live, there), layout.container])
    return prompt


def complete(draft: Buffer) -> None:
    """Puts in what all options have in common, or chooses the next of them."""
    if draft.complete_state:
        draft.complete_next()
    else:
        draft.start_completion(insert_common_part=True)


async def complete_in_lines(completer: Completer, draft: Buffer, speaker: Speaker) -> None:
    """The same where no menu can stand: the options are said."""
    document, event = draft.document, CompleteEvent(completion_requested=True)
    found = [one async for one in completer.get_completions_async(document, event)]
    if draft.document != document:
        return
    if len(found) == 1:
        draft.delete_before_cursor(-found[0].start_position)
        draft.insert_text(found[0].text)
        return
    draft.insert_text(get_common_complete_suffix(document, found))
    rest = [f"… {len(found) - _LISTED:,} more"] if len(found) > _LISTED else []
    lines = [f"{one.display_text}  {one.display_meta_text}".rstrip() for one in found[:_LISTED]]
    speaker.say("\n".join([*lines, *rest]) or "nothing to complete")
