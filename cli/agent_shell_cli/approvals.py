"""What tools may always do without a question: a file of the user's own.

`approvals.toml` lies beside the user's `config.toml`, never in a project: what comes
with a clone can allow nothing. An entry counts for the folder that it was allowed in,
since the same command runs something else elsewhere; one without a folder, which a
user can write by hand, counts everywhere.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, cast

from agent_shell_cli.config import ConfigError, places
from agent_shell_cli.config.textfile import Unreadable, read_text

__all__ = ["add", "approvals_file", "load"]

_LIMIT = 1024 * 1024
# A change takes a few milliseconds; this is how long another shell's is waited for.
_TRIES, _PAUSE_S = 200, 0.005
_HEAD = """\
# What the tools of agent-shell may always do without a question. "pattern" is what a
# question has shown; it counts in "folder", or everywhere where there is none.
"""

_Entry = tuple[str, str | None]  # a pattern and its folder


def approvals_file() -> Path:
    """Where it is, or would be."""
    return places().user / "approvals.toml"


def load(folder: Path, file: Path | None = None) -> list[str]:
    """The patterns that are always allowed for work in `folder`; raises `ConfigError`."""
    entries = _entries(file or approvals_file())
    return [pattern for pattern, where in entries if where in (None, str(folder))]


def add(pattern: str, folder: Path, file: Path | None = None) -> Path:
    """Keeps that `pattern` is always allowed in `folder`; the file.

    It is written whole or not at all, and loses nothing that another shell adds meanwhile.
    Raises `ConfigError` where what is there can't be read, or the pattern not be written, and
    `OSError`.
    """
    # Behind a link to it, as some keep their configuration, it stays where it is.
    file = Path(os.path.realpath(file or approvals_file()))
    if not _is_unicode(pattern + str(folder)):
        raise ConfigError(f"{file} can't keep what is not Unicode")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(file):
        entries = _entries(file)
        if (pattern, str(folder)) not in entries:
            _write(file, [*entries, (pattern, str(folder))])
    return file


@contextlib.contextmanager
def _alone(file: Path) -> Generator[None]:
    """Holds other shells off while the file is read and written anew.

    It is the folder that is locked: the file is another one after each change, and one more
    that only lies there would have to be explained. Raises `ConfigError` where it can't be had.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Not for as long as it takes: whoever has it may have been stopped.
        for tries_left in reversed(range(_TRIES)):
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not tries_left:
                    raise ConfigError(f"{file} is being written by another shell") from None
                time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(folder)


def _entries(file: Path) -> list[_Entry]:
    try:
        text = read_text(file, _LIMIT)
    except FileNotFoundError:
        return []
    except Unreadable as reason:
        raise ConfigError(f"{file} {reason}") from None
    # Imported here: most who start have no such file, and pay nothing for it.
    import tomllib

    try:
        table = tomllib.loads(text)
        unknown = table.keys() - {"allow"}
        if unknown:
            raise ValueError(f"there is no key '{min(unknown)}', only [[allow]]")
        entries: Any = table.get("allow", [])
        if not isinstance(entries, list):
            raise ValueError("'allow' must be written as [[allow]]")
        return [_entry(one) for one in cast("Iterable[Any]", entries)]
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: {error or 'nested too deep'}; mend or delete it") from None


def _entry(value: Any) -> _Entry:
    entry = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    pattern, folder = entry.get("pattern"), entry.get("folder")
    sound = isinstance(pattern, str) and pattern and isinstance(folder, str | None)
    if not sound or entry.keys() - {"pattern", "folder"}:
        raise ValueError("each [[allow]] has a 'pattern', and may have a 'folder', both texts")
    assert isinstance(pattern, str)
    return pattern, folder


def _write(file: Path, entries: list[_Entry]) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".approvals-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
            out.write(_HEAD + "".join(map(_written, entries)))
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _written(entry: _Entry) -> str:
    pattern, folder = entry
    where = "" if folder is None else f"folder = {_text(folder)}\n"
    return f"\n[[allow]]\npattern = {_text(pattern)}\n{where}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: str) -> str:
    """A basic string of TOML."""
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08x}"
