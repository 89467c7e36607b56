"""Files that an input mentions: `@core/engine.py`, or `@"notes of today.md"` with blanks.

The text stays as it was typed. A model with tools reads the file itself; for one without,
what is in the file is attached to the input, marked as data, and that is said.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.document import Document

if TYPE_CHECKING:
    from agent_shell_cli.repl.folding import Folds
    from agent_shell_cli.repl.switch import Switch

__all__ = ["Attaching", "mention", "mentioned", "typed_path"]

_LONGEST = 4_096
# An address of mail is none: before the sign stands nothing, a blank or a bracket.
_BEGINS = r"(?:\A|(?<=[\s(\[{<]))@"
# Compiled when they are first needed, as most start without.
_TYPED = _BEGINS + r'(?:"([^"\n]*)|([^\s"]*))\Z'
_MENTION = _BEGINS + r'(?:"([^"\n]+)"|([^\s"]+))'
_FOLD = "[\ud800-\udfff]"  # what stands for a paste is no part of a path


def typed_path(document: Document) -> str | None:
    """What is typed of a path behind an `@`, with a quote if it has one; `None` elsewhere."""
    # Asked for with every key: a line may be long, a path is not.
    line = document.current_line_before_cursor[-_LONGEST:]
    match = re.search(_TYPED, line) if "@" in line else None
    return None if match is None else match[0][1:]


def mention(path: str) -> str:
    """A path as it is mentioned, without the `@`: in quotes where it has blanks."""
    return f'"{path}"' if any(map(str.isspace, path)) else path


def mentioned(text: str) -> list[str]:
    """The paths that a text mentions, each once; some may be no files."""
    return list(
        dict.fromkeys(
            match[1] or match[2] for match in re.finditer(_MENTION, re.sub(_FOLD, " ", text))
        )
    )


class Attaching:
    """Attaches what inputs mention, one input after the other, and has `say` say so."""

    def __init__(self, switch: Switch, say: Callable[[str], None], folds: Folds) -> None:
        self._switch = switch
        self._say = say
        self._folds = folds
        self._turn = asyncio.Lock()

    async def behind(self, typed: str) -> str:
        """What goes behind an input in which `typed` may mention files; "" for nothing.

        Who asks later is answered later: inputs stay in the order of the keys.
        """
        async with self._turn:
            if not typed or self._switch.reads_files:
                return ""
            # Imported here: few inputs mention a file.
            from agent_shell_cli.repl.attaching import attachments

            found = await asyncio.to_thread(attachments, mentioned(typed), Path())
            for one in found:
                self._say(one.said)
                if one.text:
                    self._folds.keep(f"file {one.name}", one.text)
            return "".join(one.text for one in found)
