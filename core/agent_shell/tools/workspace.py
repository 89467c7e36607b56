"""The one place that opens paths that a model has named.

A path is first located: where it leads, with its links followed, and whether that
is in the project. What may be done there is decided on that. Then it is opened part
by part from the project's folder down, by descriptors and never through a link: a
part that has become a link meanwhile is an error, so what is opened is what was
decided on, whatever is renamed in between. Only regular files are opened, and never
waited for: no device, no FIFO, nothing of `/proc`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from agent_shell.paths import expanded
from agent_shell.records import frozen
from agent_shell.tools.base import ToolError
from agent_shell.tools.sensitive import decides_what_runs, may_hold_secrets

__all__ = ["Entry", "Place", "Stamp", "Workspace"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking, and no terminal of ours: what is opened may be a FIFO or a device.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NEVER = ("proc", "sys", "dev")
_PIECE = 1 << 20
_IRREGULAR = "{} is no regular file (a device, a pipe, a socket): not opened"
_LINKED = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)


@frozen
class Place:
    """Where a path leads: `parts` from the project's folder, or from `/` where `outside`."""

    parts: tuple[str, ...]
    outside: bool = False

    @property
    def name(self) -> str:
        """As it is called: from the project's folder, or absolute."""
        return "/" + "/".join(self.parts) if self.outside else "/".join(self.parts) or "."

    @property
    def secret(self) -> bool:
        """Whether it is read only after a question."""
        return may_hold_secrets(self.parts)

    @property
    def running(self) -> bool:
        """Whether a change there has something run or heeded later."""
        return decides_what_runs(self.parts)


@frozen
class Stamp:
    """Which file it was, and in what state."""

    device: int
    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        """The stamp of what `stat` has found."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@frozen
class Entry:
    """Something in a folder, as it was when the folder was read; no link is followed."""

    parts: tuple[str, ...]
    kind: str  # "file", "folder", "link" or "other"


class Workspace:
    """The files of one project, and with a question those around it.

    Raises `ToolError` where `root` is no folder. To be closed, or used by `with`.
    """

    def __init__(self, root: Path) -> None:
        try:
            self.root = root.resolve(strict=True)
            self._root = os.open(self.root, _DIRECTORY)
        except OSError as error:
            raise ToolError(f"{root} can't be worked in: {error.strerror}") from error

    def close(self) -> None:
        """Lets go of the folder."""
        os.close(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def locate(self, path: str) -> Place:
        """Where the path leads, links followed; it need not be there. Raises `ToolError`."""
        if "\0" in path or not path:
            raise ToolError("a path is a text of at least one letter, and has no NUL in it")
        wanted = Path(path)
        if path == "~" or path.startswith("~/"):
            wanted = expanded(wanted)
        try:
            real = (self.root / wanted).resolve()
        except (OSError, RuntimeError) as error:  # a loop of links
            raise ToolError(f"{path} can't be followed: {error}") from error
        if real.is_relative_to(self.root):
            return Place(real.relative_to(self.root).parts)
        place = Place(real.parts[1:], outside=True)
        if place.parts and place.parts[0] in _NEVER:
            raise ToolError(f"{place.name} is no file of anybody's: it is not opened")
        return place

    @contextmanager
    def folder(self, parts: tuple[str, ...], *, outside: bool = False) -> Generator[int]:
        """A descriptor of the folder, opened part by part and through no link."""
        here = os.open("/", _DIRECTORY) if outside else os.dup(self._root)
        try:
            for count, part in enumerate(parts, 1):
                try:
                    below = os.open(part, _DIRECTORY, dir_fd=here)
                except OSError as error:
                    raise _complaint(error, Place(parts[:count], outside)) from error
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    @contextmanager
    def opened(self, place: Place) -> Generator[int]:
        """A descriptor to read the file by; raises `ToolError` where it is no regular file."""
        if not place.parts:
            raise ToolError(f"{place.name} is a folder")
        with self.folder(place.parts[:-1], outside=place.outside) as parent:
            try:
                file = os.open(place.parts[-1], _FILE, dir_fd=parent)
            except OSError as error:
                raise _complaint(error, place) from error
        try:
            _require_regular(os.fstat(file), place)
            yield file
        finally:
            os.close(file)

    def read(self, place: Place, limit: int) -> tuple[bytes, Stamp]:
        """The first `limit` bytes of the file, and its stamp."""
        with self.opened(place) as file:
            stamp = Stamp.of(os.fstat(file))
            data = bytearray()
            while len(data) < limit and (piece := os.read(file, min(_PIECE, limit - len(data)))):
                data += piece
        return bytes(data), stamp

    def stamp(self, place: Place) -> Stamp | None:
        """The file's stamp; `None` where there is none. Raises `ToolError` for what is no file."""
        if not place.parts:
            raise ToolError(f"{place.name} is a folder")
        try:
            with self.folder(place.parts[:-1], outside=place.outside) as parent:
                found = os.stat(place.parts[-1], dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, _Missing):
            return None
        _require_regular(found, place)
        return Stamp.of(found)

    def write(self, place: Place, data: bytes, expected: Stamp | None) -> Stamp:
        """Puts the file there whole, or not at all; makes the folders that are missing.

        Raises `ToolError` where it is not as `expected` any more (`None`: not there). Its
        mode is kept, and its owner where that may be. The new file takes the name of the old
        one: no link is written through.
        """
        self.stamp(place)  # what is no file is said to be none before a folder is made
        self._make_folders(place)
        with self.folder(place.parts[:-1], outside=place.outside) as parent:
            name = place.parts[-1]
            old = _found(parent, name, place, expected)
            temporary = f".{name[:100]}.{secrets.token_hex(6)}.tmp"
            # A new file has the mode that the process gives to all; an old one's is set below.
            first = 0o666 if old is None else 0o600
            file = os.open(temporary, _NEW, first, dir_fd=parent)
            try:
                try:
                    _fill(file, data, old)
                    stamp = Stamp.of(os.fstat(file))
                finally:
                    os.close(file)
                _found(parent, name, place, expected)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=parent)
                raise
        return stamp

    def entries(self, parts: tuple[str, ...], *, outside: bool = False) -> list[Entry]:
        """What is in the folder, by name."""
        with self.folder(parts, outside=outside) as folder, os.scandir(folder) as found:
            entries = [Entry((*parts, entry.name), _kind(entry)) for entry in found]
        return sorted(entries, key=lambda entry: entry.parts)

    def _make_folders(self, place: Place) -> None:
        for count in range(1, len(place.parts)):
            above = self.folder(place.parts[: count - 1], outside=place.outside)
            with above as parent, contextlib.suppress(FileExistsError):
                os.mkdir(place.parts[count - 1], dir_fd=parent)


class _Missing(ToolError):
    """A part of the path is not there."""


def _complaint(error: OSError, place: Place) -> ToolError:
    if error.errno == errno.ENOENT:
        return _Missing(f"{place.name} is not there")
    if error.errno in _LINKED:
        return ToolError(f"{place.name} is no folder or file, or has become a link: not opened")
    if error.errno == errno.ENXIO:  # how the system says it of a socket
        return ToolError(_IRREGULAR.format(place.name))
    return ToolError(f"{place.name} can't be opened: {error.strerror}")


def _require_regular(found: os.stat_result, place: Place) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise ToolError(f"{place.name} is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise ToolError(_IRREGULAR.format(place.name))


def _found(parent: int, name: str, place: Place, expected: Stamp | None) -> os.stat_result | None:
    """The file that is as expected; `None` where none is, as expected."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        if expected is None:
            return None
        raise ToolError(f"{place.name} is not there any more: nothing was written") from None
    _require_regular(found, place)
    if expected != Stamp.of(found):
        raise ToolError(f"{place.name} was changed meanwhile: nothing was written; read it again")
    if not found.st_mode & 0o222:
        raise ToolError(f"{place.name} is write-protected: nothing was written")
    return found


def _fill(file: int, data: bytes, old: os.stat_result | None) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    if old is not None:
        with contextlib.suppress(OSError):  # somebody else's becomes ours, where we are not root
            os.fchown(file, old.st_uid, old.st_gid)
        os.fchmod(file, stat.S_IMODE(old.st_mode))
    os.fsync(file)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"
