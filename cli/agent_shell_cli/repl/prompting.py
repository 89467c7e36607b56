"""The prompt: how it is made, how it stands before there is a session, and how it completes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Protocol, Self

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    get_common_complete_suffix,
)
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, Window

from agent_shell_cli.config import Settings
from agent_shell_cli.exits import Exit
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.frames import Frames, Measured
from agent_shell_cli.repl.history import InputHistory
from agent_shell_cli.repl.keys import Draft, set_pace
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.mentions import typed_path
from agent_shell_cli.repl.terminal import FrameOutput, Terminal

__all__ = ["Later", "Prompt", "Shown", "complete", "complete_in_lines"]

_LISTED = 20


class Shown(Protocol):
    """What a prompt shows beside the draft; it is loaded when the prompt stands already."""

    @property
    def grows(self) -> bool:
        """Whether an answer grows above the draft."""
        ...

    def live(self) -> StyleAndTextTuples:
        """The lines above the draft."""
        ...

    def sign(self) -> StyleAndTextTuples:
        """What stands in front of it."""
        ...

    def cleared(self) -> None:
        """The screen was cleared."""


class Prompt:
    """The one prompt of a shell, which stands while the rest of it is still being loaded.

    Until it serves, the keys are kept in their order, and drawn and heeded then; but for
    Ctrl-C, which calls `on_end`, as the end of a terminal does. Inputs are kept in `folder()`,
    or nowhere where that is None.
    """

    def __init__(
        self,
        terminal: Terminal,
        look: Look,
        folder: Callable[[], Path] | None,
        settings: Settings,
        on_end: Callable[[Exit], None],
    ) -> None:
        self.terminal = terminal
        self.look = look
        self.folds = Folds(settings.paste_fold_lines, settings.paste_fold_characters)
        self._on_end = on_end
        self._problems: list[str] = []
        self._say: Callable[[str], None] = self._problems.append
        self._shown: Shown | None = None
        self._kept: list[KeyPress] = []
        self._asking: asyncio.Task[None] | None = None
        self._over: BaseException | bool = False  # before it stood
        self._session = self._make(folder, settings)
        self.draft = self._session.default_buffer
        self.folds.fold_in(self.draft)

    @property
    def app(self) -> Application[None]:
        """What draws it and reads the keys."""
        return self._session.app

    async def __aenter__(self) -> Self:
        """It stands; but not yet where what is drawn stays: there it would stand twice."""
        if not self.terminal.linear:
            await self._stand()
        return self

    async def __aexit__(self, *_: object) -> None:
        """It has gone, whatever it was about."""
        await self.rest()

    async def rest(self) -> None:
        """Takes it away, until it stands again or serves."""
        asking, self._asking = self._asking, None
        if asking is not None:
            self.exit()
            await asyncio.wait({asking})
        self._over = False

    def show(self, shown: Shown, say: Callable[[str], None]) -> None:
        """From here on `shown` tells what it shows, and `say` what is wrong."""
        self._shown = shown
        self._say = say
        for problem in self._problems:
            say(problem)

    async def serve(self, bindings: KeyBindings, completer: Completer) -> None:
        """It stands, and keys do what they are bound to, those that were kept before all others."""
        self._session.completer = completer
        self._session.key_bindings = bindings
        self._on_end = _unheard
        if self._asking is None:
            await self._stand()
        if self.app.is_running:
            kept, self._kept = self._kept, []
            self.app.key_processor.feed_multiple(kept)
            self.app.key_processor.process_keys()

    async def over(self) -> None:
        """Returns when it was told to exit; raises `EOFError` where the terminal has gone."""
        assert self._asking is not None
        await asyncio.wait({self._asking})
        self._asking.result()

    def exit(self, error: BaseException | None = None) -> None:
        """Ends it, as soon as it stands, with an error where it is told one."""
        if not self.app.is_running:
            self._over = error or True
        elif self.app.is_done:
            pass
        elif error is None:
            self.app.exit()
        else:
            self.app.exit(exception=error)

    async def _stand(self) -> None:
        output = self.terminal.output
        if not self.terminal.linear:
            # What was typed while the program started was echoed where the cursor stood.
            output.write_raw("\r")
            output.erase_end_of_line()
        drawn = asyncio.Event()

        def has_drawn(_: object) -> None:
            drawn.set()

        self.app.after_render += has_drawn
        asking = self._asking = asyncio.create_task(
            self._session.prompt_async(set_exception_handler=False, pre_run=self._exit_if_over)
        )
        asking.add_done_callback(has_drawn)
        asking.add_done_callback(self._ended)
        await drawn.wait()
        self.app.after_render -= has_drawn

    def _exit_if_over(self) -> None:
        if self._over:
            self.exit(None if isinstance(self._over, bool) else self._over)

    def _ended(self, asking: asyncio.Task[None]) -> None:
        if asking is self._asking and not asking.cancelled() and asking.exception() is not None:
            self._on_end(Exit.TERMINATED)

    def _keeping(self) -> KeyBindings:
        """Keeps every key, for when it serves."""
        bindings = KeyBindings()

        @bindings.add(Keys.Any, eager=True)
        def _(event: KeyPressEvent) -> None:
            self._kept += event.key_sequence

        @bindings.add("c-c", eager=True)
        @bindings.add("<sigint>", eager=True)
        def _(_: KeyPressEvent) -> None:
            self._on_end(Exit.INTERRUPTED)

        return bindings

    def _make(self, folder: Callable[[], Path] | None, settings: Settings) -> PromptSession[None]:
        terminal, look = self.terminal, self.look

        def mentions() -> bool:
            """Whether a file is being mentioned: only then a menu comes that nobody asked for."""
            return not terminal.linear and typed_path(self.draft.document) is not None

        session: PromptSession[None] = PromptSession(
            self._sign,
            multiline=True,
            style=look.style,
            color_depth=look.color_depth,
            history=InputHistory(folder, self.folds, self._tell),
            vi_mode=settings.keys == "vi",
            key_bindings=self._keeping(),
            input_processors=[Draft(self.folds)],
            erase_when_done=True,
            complete_while_typing=Condition(mentions),
            enable_suspend=True,
            input=terminal.input,
            output=terminal.output,
        )
        # No key of prompt_toolkit's own accepts the draft, which would end the prompt.
        session.default_buffer.accept_handler = _keep
        set_pace(session.app)
        # In a window of their own: in a prompt's message, each letter would be a fragment.
        live = Window(
            FormattedTextControl(self._live, style="class:prompt"), dont_extend_height=True
        )
        there = Condition(lambda: bool(self._live()))
        layout = session.app.layout
        layout.container = Measured([ConditionalContainer(live, there), layout.container])
        if isinstance(terminal.output, FrameOutput):
            session.app.renderer = Frames(session.app, terminal.output, self._grows, self._cleared)
        return session

    def _tell(self, problem: str) -> None:
        self._say(problem)

    def _live(self) -> StyleAndTextTuples:
        return [] if self._shown is None else self._shown.live()

    def _sign(self) -> StyleAndTextTuples:
        if self._shown is None:
            return [("class:sign", f"{self.look.prompt} ")]
        return self._shown.sign()

    def _grows(self) -> bool:
        return self._shown is not None and self._shown.grows

    def _cleared(self) -> None:
        if self._shown is not None:
            self._shown.cleared()


def _keep(_: Buffer) -> bool:
    """The draft stays where it is."""
    return True


def _unheard(_: Exit) -> None:
    """Whoever serves hears of it by `over`."""


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


def complete(draft: Buffer) -> None:
    """Puts in what all options have in common, or chooses the next of them."""
    if draft.complete_state:
        draft.complete_next()
    else:
        draft.start_completion(insert_common_part=True)


async def complete_in_lines(
    completer: Completer, draft: Buffer, say: Callable[[str], None]
) -> None:
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
    say("\n".join([*lines, *rest]) or "nothing to complete")
