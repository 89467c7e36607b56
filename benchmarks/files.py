"""How quick `@file` is in a large tree, beside floors that are measured in the same run.

    python benchmarks/files.py [--files 100000] [--keys 200]

The floor of the first list is git's own (`git ls-files` alone), or `os.walk` where there is
no checkout; that of a search is one `str.find` over all paths; that of a key is its echo
where nothing is completed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import prompt

from agent_shell_cli.repl.files import FileIndex, listed

_WORDS = (
    *("core", "panel", "view", "engine", "journal", "model"),
    *("config", "tests", "docs", "build", "queue", "parser"),
)
_QUERIES = ("p", "pa", "pan", "panel4", "core/pa", "cpnl", "qzx", "f99", "engine/view/f1234")


def make(folder: Path, files: int) -> None:
    """A tree of so many empty files, 100 a folder, three folders deep."""
    for number in range(0, files, 100):
        n = number // 100
        names = (_WORDS[n % 12], f"{_WORDS[n // 12 % 12]}{n // 144}", _WORDS[(n * 7) % 12])
        below = folder.joinpath(*names)
        below.mkdir(parents=True, exist_ok=True)
        for file in range(number, min(number + 100, files)):
            (below / f"{_WORDS[file * 5 % 12]}{file}.py").touch()


def took(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def first_list(folder: Path) -> tuple[FileIndex, float]:
    """An index that is complete, and how long that took."""
    index = FileIndex(folder)
    start = time.perf_counter()
    index.ask()
    index.wait(600)
    return index, time.perf_counter() - start


def lists(folder: Path, name: str, floor: Callable[[], object]) -> FileIndex:
    """Prints how long the first list takes, beside its floor."""
    took(floor)  # what is on the disk is in memory from here on
    bare = min(took(floor) for _ in range(3))
    index, first = first_list(folder)
    print(f"{name:<36} {first:8.3f} s   floor {bare:8.3f} s   {first / bare:6.2f} times")
    return index


def searches(index: FileIndex, folder: Path) -> None:
    """Prints how long it takes to find what was typed."""
    text = "\n".join(listed(folder))
    floor = statistics.median(took(lambda: text.find("no such path")) for _ in range(20))
    for query in _QUERIES:
        times = [took(lambda: index.search(query, 50)) for _ in range(20)]  # noqa: B023
        middle = statistics.median(times)
        found = len(index.search(query, 50))
        print(
            f"{f'search {query!r} ({found} shown)':<36} {middle * 1000:8.2f} ms  "
            f"floor {floor * 1000:8.2f} ms  {middle / floor:6.1f} times"
        )


def keys(folder: Path, count: int) -> None:
    """Prints how long a key's echo takes, in a text and in the name of a file."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        with tempfile.TemporaryDirectory() as data:
            shell = prompt.chat(data, "-m", "echo")
            shell.until(lambda: prompt.PROMPT in shell.seen)
            prompt.cpu(shell, 2)
            prompt.shown("key echo in a text", prompt.echoes(shell, count))
            shell.type("\x15")
            shell.forget()
            start = time.perf_counter()
            shell.type("@panel4")
            shell.until(lambda: b"panel4" in shell.seen)
            shell.until(lambda: b".py" in shell.seen)
            print(f"{'first menu, from the first key on':<36} {time.perf_counter() - start:8.3f} s")
            prompt.shown("key echo behind an @", mentions(shell, count))
            shell.end()
    finally:
        os.chdir(here)


def mentions(shell: prompt.Terminal, count: int) -> list[float]:
    """Seconds from a key to its echo, where each is the next letter of a file's name."""
    times: list[float] = []
    while len(times) < count:
        shell.type("\x15 @")
        prompt.cpu(shell, 0.1)
        for letter in "panel4core":
            shell.forget()
            start = time.perf_counter()
            shell.type(letter)
            shell.until(lambda: letter.encode() in shell.seen)  # noqa: B023 (called in the loop)
            times.append(time.perf_counter() - start)
            prompt.cpu(shell, 0.03)
    return times


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, asked.files)
        lists(folder, "first list, folders walked", lambda: sum(1 for _ in os.walk(folder)))
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        command = ["git", "ls-files", "-zco", "--exclude-standard"]
        run = lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: E731
        lists(folder, "first list, git, all untracked", run)
        subprocess.run(["git", "add", "."], cwd=folder, check=True)
        index = lists(folder, "first list, git, all tracked", run)
        searches(index, folder)
        keys(folder, asked.keys)


if __name__ == "__main__":
    main()
