"""`agent-shell models`: what can be used here and why not; the local model; keys."""

from __future__ import annotations

import dataclasses
import getpass
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from agent_shell import AgentShellError
from agent_shell.agents.embedded import Progress, ensure_weights, find_weights
from agent_shell.agents.provider.availability import missing_for, server_of
from agent_shell.agents.provider.keys import delete_key, find_key, set_key
from agent_shell.agents.provider.table import PROVIDERS, Provider, find_provider
from agent_shell.records import frozen
from agent_shell_cli.exits import UsageError
from agent_shell_cli.printable import printable

__all__ = ["keep_key", "pull", "show"]


def show(*, as_json: bool = False) -> None:
    """Prints a line a model: its name, whether it can be used, and what to do if not.

    With `as_json`, a list of objects: `name`, `title`, `usable`, `status`, and for a
    provider's models `key` (where it was found) and `server`, each `null` where there is none.
    """
    providers = [_provider(provider) for provider in PROVIDERS.values()]
    # Those that can be used stand together.
    found = [_embedded(), _ECHO, *sorted(providers, key=lambda standing: not standing.usable)]
    if as_json:
        print(json.dumps([dataclasses.asdict(standing) for standing in found], indent=2))
        return
    width = max(len(standing.name) for standing in found)
    print(f"{'NAME':<{width}}  STATUS")
    for standing in found:
        print(f"{standing.name:<{width}}  {printable(standing.status)}")


def keep_key(name: str, *, delete: bool = False) -> None:
    """Keeps the provider's key in the keyring, or deletes it there.

    The key is read from a hidden prompt, or from standard input where that is no terminal.
    Raises `AgentShellError`.
    """
    provider = find_provider(name)
    if not provider.account:
        raise UsageError(f"{provider.title} takes no key: {provider.sign_in}")
    if delete:
        gone = delete_key(provider)
        print(f"{'deleted' if gone else 'there was no'} key for {provider.title}", file=sys.stderr)
        return
    set_key(provider, _read_key(provider))
    print(f"the key for {provider.title} is in the keyring", file=sys.stderr)


def _read_key(provider: Provider) -> str:
    if sys.stdin.isatty():
        typed = getpass.getpass(f"key for {provider.title} (it is not shown): ")
    else:
        typed = sys.stdin.readline()
    key = typed.strip()
    if not key or not key.isprintable() or " " in key:
        raise UsageError("that is no key: it is empty, or has blanks or control characters in it")
    return key


def pull(*, color: bool | None) -> None:
    """Fetches the local model unless it is there; raises `ModelUnreachable`.

    Standard output gets the file's path; the progress goes to standard error,
    as a bar on a terminal and as a line a stage elsewhere.
    """
    with _bar(color) if _on_terminal() else _lines() as report:
        path = ensure_weights(report)
    print(path)


@frozen
class _Standing:
    """A model, or all of a provider's, and how it stands."""

    name: str
    title: str
    usable: bool
    status: str
    key: str | None = None
    server: str | None = None


_ECHO = _Standing(
    "echo[:WORDS_PER_SEC]",
    "echo",
    usable=True,
    status="ready; repeats what you type, no model is behind it",
)


def _embedded() -> _Standing:
    usable, status = _embedded_status()
    return _Standing("embedded", "the local model", usable, status)


def _embedded_status() -> tuple[bool, str]:
    # Not imported: that takes long, and its absence is what is asked for.
    if importlib.util.find_spec("xllamacpp") is None:
        return False, (
            "not usable; its runtime xllamacpp is not installed, and not made for every platform"
        )
    try:
        path = find_weights()
    except AgentShellError as error:
        return False, f"not usable; {error}"
    if path is None:
        return True, (
            "not fetched yet; that happens on first use, or now with: agent-shell models pull"
        )
    return True, f"ready; {path}"


def _provider(provider: Provider) -> _Standing:
    problem = missing_for(provider)
    key = find_key(provider) if not problem else None
    server = server_of(provider) or None
    told = [f"key from {key.source}"] if key else []
    if server:
        told.append(f"server at {server} (not asked)")
    elif not key:
        told.append(provider.sign_in or "as the library finds its way")
    return _Standing(
        f"{provider.name}:MODEL",
        provider.title,
        usable=not problem,
        status=f"not usable; {problem}" if problem else f"ready; {', '.join(told)}",
        key=key.source if key else None,
        server=server,
    )


def _on_terminal() -> bool:
    return os.isatty(2)


@contextmanager
def _lines() -> Generator[Callable[[Progress], None], None, None]:
    stage = ""

    def report(progress: Progress) -> None:
        nonlocal stage
        if progress.stage != stage:
            stage = progress.stage
            print(f"agent-shell: {_named(progress)}", file=sys.stderr, flush=True)

    yield report


@contextmanager
def _bar(color: bool | None) -> Generator[Callable[[Progress], None], None, None]:
    # Imported here: it is slow to load and only needed at a terminal.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, no_color=None if color is None else not color)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Bars(*columns, TransferSpeedColumn(), console=console, transient=True) as bars:
        task = bars.add_task("")

        def report(progress: Progress) -> None:
            bars.update(
                task,
                description=progress.stage,
                completed=progress.done_bytes,
                total=progress.total_bytes or None,
            )

        yield report


def _named(progress: Progress) -> str:
    if not progress.total_bytes:
        return f"{progress.stage} …"
    return f"{progress.stage} {progress.total_bytes / 1e6:.0f} MB …"
