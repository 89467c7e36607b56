"""Bubblewrap around a command: the project can be written, the rest only be read."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from agent_shell.records import frozen

__all__ = ["Sandbox", "find_sandbox"]

_TRIAL_S = 10.0
_SHOWN = 200
_NAMES = "/run/systemd/resolve"  # where the resolver's configuration may lie
# In the home folder: keys, what browsers keep, and what we keep ourselves.
_HIDDEN_FOLDERS = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".password-store",
    ".mozilla",
    ".thunderbird",
    ".config/gcloud",
    ".config/gh",
    ".config/google-chrome",
    ".config/chromium",
    ".config/agent-shell",
    ".local/share/keyrings",
    ".local/share/agent-shell",
)
_HIDDEN_FILES = (
    ".netrc",
    ".git-credentials",
    ".pgpass",
    ".my.cnf",
    ".pypirc",
    ".npmrc",
    ".vault-token",
    ".bash_history",
    ".zsh_history",
    ".python_history",
)
# Sockets lie in the first by which other programs of the user's could be told what to do.
_OWN = ("/run", "/tmp", "/var/tmp")  # noqa: S108
# In the project: what would be run or heeded outside of the sandbox later.
_KEPT = (".git/hooks", ".git/config", ".git/config.worktree", ".agent-shell")
# Of these, what is kept empty where it is not there. Not so `.agent-shell`: much is only made in
# a folder that has nothing in it, and a project's configuration can allow nothing.
_KEPT_EMPTY = (".git/hooks",)
# What must not come to be there: it leads git to other hooks and another configuration. Nothing
# can be kept from being made without being made, so it is taken away afterwards.
_TAKEN_AWAY = (".git/commondir", ".git/config.worktree")


@frozen
class Sandbox:
    """How commands are confined here; `program` is `None` where they are not.

    `why` says what it is, or why there is none, for `agent-shell doctor`.
    """

    program: str | None
    why: str
    missing: bool = False  # what would make one is not installed

    def around(self, command: Sequence[str], root: Path, *, network: bool = False) -> list[str]:
        """The command with its sandbox; as it is, where there is none."""
        if self.program is None:
            return list(command)
        return [self.program, *_walls(root, network=network), "--", *command]

    @contextlib.contextmanager
    def clean(self, root: Path) -> Generator[None]:
        """Takes away what a command within has made to have something run or heeded later."""
        names = (*_KEPT_EMPTY, *_TAKEN_AWAY) if self.program is not None else ()
        made = [root / name for name in names if not os.path.lexists(root / name)]
        try:
            yield
        finally:
            for path in made:
                # It may have put a link where the folder is, to somebody else's.
                if _is_own_folder(path.parent):
                    with contextlib.suppress(OSError):
                        path.rmdir() if _is_own_folder(path) else path.unlink()


def find_sandbox(path: str | None = None) -> Sandbox:
    """What there is here: bubblewrap is looked for and tried, once; `path` is a PATH."""
    return _find(path)


@functools.cache
def _find(path: str | None) -> Sandbox:
    if sys.platform != "linux":
        return Sandbox(None, f"bubblewrap is not made for {sys.platform}")
    program = shutil.which("bwrap", path=path)
    if program is None:
        return Sandbox(None, "bubblewrap is not installed", missing=True)
    found = Sandbox(program, f"bubblewrap, {program}")
    if reason := _trial(found):
        return Sandbox(None, f"bubblewrap can't make a sandbox here: {reason}")
    return found


def _trial(sandbox: Sandbox) -> str:
    """Why it does not work; "" where it does."""
    root = Path("/tmp")  # noqa: S108  (only looked at)
    command = sandbox.around(["true"], root)
    try:
        with sandbox.clean(root):
            done = subprocess.run(  # noqa: S603  (our own command)
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRIAL_S,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)[:_SHOWN]
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode("utf-8", "replace").split("\n")
    return next((line[:_SHOWN] for line in lines if line.strip()), f"exit code {done.returncode}")


def _walls(root: Path, *, network: bool) -> Iterator[str]:
    """The options, in the order in which bubblewrap heeds them: a later one covers."""
    yield from ("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL")
    if network:
        yield "--share-net"
    yield from ("--ro-bind", "/", "/", "--bind", str(root), str(root))
    yield from ("--dev", "/dev", "--proc", "/proc")
    for folder in _OWN:
        yield from ("--tmpfs", folder)
        if root.is_relative_to(folder):
            yield from ("--bind", str(root), str(root))
    if network and Path(_NAMES).is_dir():
        yield from ("--ro-bind", _NAMES, _NAMES)
    yield from _hidden(root)
    yield from _kept(root)
    yield from ("--chdir", str(root))


def _hidden(root: Path) -> Iterator[str]:
    try:
        home = Path.home()
    except RuntimeError:  # nobody's
        return
    for path in (home / name for name in _HIDDEN_FOLDERS):
        if path.is_dir() and not root.is_relative_to(path):
            yield from ("--tmpfs", str(path.resolve()))
    for path in (home / name for name in _HIDDEN_FILES):
        if path.is_file():
            yield from ("--ro-bind", "/dev/null", str(path.resolve()))


def _kept(root: Path) -> Iterator[str]:
    git = root / ".git"
    if _is_own_folder(git):
        # A mount of its own can't be renamed: else another one could be put in its place.
        yield from ("--bind", str(git), str(git))
    elif git.is_file() and not git.is_symlink():
        yield from ("--ro-bind", str(git), str(git))  # it says where the repository is
    for name in _KEPT:
        path = root / name
        if path.exists() and path.resolve() == path:
            yield from ("--ro-bind", str(path), str(path))
        elif name in _KEPT_EMPTY and _is_own_folder(path.parent) and not os.path.lexists(path):
            yield from ("--tmpfs", str(path), "--remount-ro", str(path))


def _is_own_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
