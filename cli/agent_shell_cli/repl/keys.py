"""The keys that mean something to the shell, and how a draft is drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Protocol

from prompt_toolkit.application import Application
from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, emacs_mode, has_focus, vi_insert_mode
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_to_text
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyProcessor
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from agent_shell_cli.printable import printable
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.verbs import KEYS, Act, Key, Mode

__all__ = ["Draft", "Listener", "key_bindings", "set_pace"]

# How long a key may stand that could be the first of several: a lone Esc is told from
# the start of a sequence, which comes in one piece, by what does not follow; the
# second key of a chord is pressed by a person.
_ESCAPE_S = 0.1
_CHORD_S = 2.0


class Listener(Protocol):
    """Who decides what the keys are about, and does what they ask for."""

    @property
    def mode(self) -> Mode:
        """What the keys are about."""
        ...

    def on_act(self, act: Act, draft: Buffer) -> None:
        """A key asked for this."""
        ...

    def on_nothing(self, key: str) -> None:
        """A key was pressed that has no meaning now."""
        ...


def key_bindings(listener: Listener, folds: Folds) -> KeyBindings:
    """The bindings of `KEYS` and of pasting, which stand before prompt_toolkit's own."""
    bindings = KeyBindings()
    for label, presses, when in _NOT_OURS:
        bindings.add(*presses, filter=has_focus(DEFAULT_BUFFER) & when)(_nothing(label, listener))
    for key in KEYS:
        for presses in key.presses:
            handler = _handler(key, listener)
            bindings.add(*presses, filter=_when(key, presses, listener))(handler)
            if presses == ("escape",):
                # In vi's modes Esc and a letter are two keys, however fast.
                alone = _alt(handler, listener)
                bindings.add("escape", Keys.Any, filter=has_focus(DEFAULT_BUFFER) & emacs_mode)(
                    alone
                )

    @bindings.add(Keys.BracketedPaste, filter=has_focus(DEFAULT_BUFFER))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(folds.pasted(event.data))

    return bindings


def set_pace(app: Application[None]) -> None:
    """Has `app` wait for the rest of what a key may begin: briefly after Esc, else patiently."""
    app.ttimeoutlen = _ESCAPE_S

    def pressed(processor: KeyProcessor) -> None:
        begun = processor.key_buffer
        is_escape = bool(begun) and begun[0].key is Keys.Escape
        app.timeoutlen = _ESCAPE_S if is_escape else _CHORD_S

    app.key_processor.after_key_press += pressed


def _when(key: Key, presses: tuple[str, ...], listener: Listener) -> Condition:
    in_draft = has_focus(DEFAULT_BUFFER)
    is_signal = presses[0] == "<sigint>"

    def means() -> bool:
        # Not while the history is searched: there these keys end the search.
        return (is_signal or in_draft()) and _is_free(key.act(listener.mode), presses)

    return Condition(means)


def _is_free(act: Act | None, presses: tuple[str, ...]) -> bool:
    """Whether the key does this, and has no older meaning here: on a text, or in vi's modes."""
    if act is None:
        return False
    if act is Act.END:
        return not get_app().current_buffer.text
    # The first Esc leaves vi's insertion, also where an input is edited.
    return presses != ("escape",) or act is Act.LEAVE or not vi_insert_mode()


def _handler(key: Key, listener: Listener) -> Callable[[KeyPressEvent], None]:
    def pressed(event: KeyPressEvent) -> None:
        act, draft = key.act(listener.mode), event.current_buffer
        if act is Act.NEW_LINE:
            draft.insert_text("\n")
        elif act in _ENDS_COMPLETION and _ends_completion(draft, act):
            pass
        elif act is not None:
            listener.on_act(act, draft)

    return pressed


# By what prompt_toolkit would end the prompt, in the middle of a turn, or search forward, where
# Ctrl+S steers elsewhere; keys of ours go before it.
_NOT_OURS: tuple[tuple[str, tuple[str, ...], Condition], ...] = (
    ("Ctrl+D", ("c-d",), Condition(lambda: not get_app().current_buffer.text)),
    ("Ctrl+O", ("c-o",), emacs_mode),
    ("Alt+#", ("escape", "#"), emacs_mode),
    ("Ctrl+S", ("c-s",), emacs_mode),
)


def _nothing(label: str, listener: Listener) -> Callable[[KeyPressEvent], None]:
    def pressed(_: KeyPressEvent) -> None:
        listener.on_nothing(label)

    return pressed


# What a terminal sends for a key with Alt is an Esc with the key behind it, in one piece.
_WITH_ALT = frozenset(
    (
        *(Keys.Up, Keys.Down, Keys.Left, Keys.Right, Keys.Home, Keys.End),
        *(Keys.PageUp, Keys.PageDown, Keys.Insert, Keys.Delete),
    )
)


def _alt(
    on_escape: Callable[[KeyPressEvent], None], listener: Listener
) -> Callable[[KeyPressEvent], None]:
    """What Esc does with something behind it that nothing else is bound to.

    A key with Alt that has no meaning is never taken for an Esc, which would interrupt the
    turn or leave an edit: the key may have had a meaning a moment ago.
    """

    def pressed(event: KeyPressEvent) -> None:
        second = event.key_sequence[1]
        if not isinstance(second.key, Keys):
            listener.on_nothing(f"Alt+{second.key.upper()}")
        elif second.key in _WITH_ALT:
            listener.on_nothing(f"Alt+{second.key.value.title()}")
        else:
            on_escape(event)
            event.app.key_processor.feed(second, first=True)

    return pressed


_TAKES = (Act.SEND, Act.SAVE)
_ENDS_COMPLETION = (*_TAKES, Act.STOP, Act.GIVE_UP)


def _ends_completion(draft: Buffer, act: Act) -> bool:
    """Whether the key was about the menu of completions: it takes one, or closes it."""
    menu = draft.complete_state
    if menu is None or (act in _TAKES and menu.current_completion is None):
        return False
    if act in _TAKES:
        draft.complete_state = None
    else:
        draft.cancel_completion()
    return True


class Draft(Processor):
    """Draws a draft with its folds, and without what would reorder the line that it stands in.

    prompt_toolkit shows control characters by itself, and nothing else.
    """

    def __init__(self, folds: Folds) -> None:
        self._folds = folds

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Replaces each fold, and each character that is not printable, in place."""
        fragments = transformation_input.fragments
        if all(fragment[1].isascii() for fragment in fragments):
            return Transformation(fragments)
        source = fragment_list_to_text(fragments)
        if self._folds.shown(source) == source:
            return Transformation([(style, _visible(text)) for style, text, *_ in fragments])
        return self._with_folds(fragments, source)

    def _with_folds(self, fragments: StyleAndTextTuples, source: str) -> Transformation:
        shown = [
            (style, _visible(self._folds.shown(text)))
            for style, text, *_ in explode_text_fragments(fragments)
        ]
        starts = [0, *accumulate(len(text) for _, text in shown)]
        return Transformation(
            list(shown),
            source_to_display=lambda place: starts[min(place, len(source))],
            display_to_source=lambda place: bisect_right(starts, place) - 1,
        )


def _visible(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c if c < "\xa0" or printable(c) == c else "\ufffd" for c in text)
