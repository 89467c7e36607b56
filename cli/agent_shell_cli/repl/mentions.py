"""Files that an input mentions: `@core/engine.py`, or `@"notes of today.md"` with blanks.

The text stays as it was typed. A model with tools reads the file itself; for one without,
what is in the file is attached to the input, marked as data, and that is said.
"""

from __future__ import annotations

import re

from prompt_toolkit.document import Document

__all__ = ["mention", "mentioned", "typed_path"]

_LONGEST = 4_096
# An address of mail is none: before the sign stands nothing, a blank or a bracket.
_BEGINS = r"(?:\A|(?<=[\s(\[{<]))@"
_TYPED = re.compile(_BEGINS + r'(?:"([^"\n]*)|([^\s"]*))\Z')
_MENTION = re.compile(_BEGINS + r'(?:"([^"\n]+)"|([^\s"]+))')


def typed_path(document: Document) -> str | None:
    """What is typed of a path behind an `@`, with a quote if it has one; `None` elsewhere."""
    # Asked for with every key: a line may be long, a path is not.
    match = _TYPED.search(document.current_line_before_cursor[-_LONGEST:])
    return None if match is None else match[0][1:]


def mention(path: str) -> str:
    """A path as it is mentioned, without the `@`: in quotes where it has blanks."""
    return f'"{path}"' if any(map(str.isspace, path)) else path


def mentioned(text: str) -> list[str]:
    """The paths that a text mentions, each once; some may be no files."""
    return list(dict.fromkeys(match[1] or match[2] for match in _MENTION.finditer(text)))
