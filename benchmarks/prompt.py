"""How quick the live prompt is, measured from outside, on a real pseudo-terminal.

    python benchmarks/prompt.py [--keys 300] [--waiting 5000] [--rate 500] [--compare-llm]

Each figure stands beside a floor that is measured in the same run: a key's echo beside
the echo of a bare raw-mode program on such a terminal, the first prompt (and the echo of
a key that is pressed at once, of which the session is not open yet) beside the start of
bare Python, and with --compare-llm beside that of the shell `llm chat`, which
pip installs into a temporary folder. CPU is the process's own, in percent of one core.
How busy the machine was stands at the end of each line: its load in the last minute.
"""

from __future__ import annotations

import argparse
import os
import pty
import random
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Letters that nothing else on the screen has.
_LETTERS = "жщюябгдйлф"
# What would change the screen, or have Python compile the program at each start.
_NOT_INHERITED = (
    "TMUX",
    "NO_COLOR",
    "PYTHONDONTWRITEBYTECODE",
    "AGENT_SHELL_DATA_DIR",
    "AGENT_SHELL_CONFIG_DIR",
)
PROMPT = "❯ ".encode()  # noqa: RUF001 (it is what is meant)

_BARE = """
import os, sys, tty
tty.setraw(0)
os.write(1, b"ready")
while data := os.read(0, 1024):
    os.write(1, data)
"""


class Terminal:
    """A program on a pseudo-terminal of 120 by 40; `seen` is what it wrote since `forget`."""

    def __init__(self, *arguments: str, data: str = "", python: str = sys.executable) -> None:
        path = os.pathsep.join([str(ROOT / "core"), str(ROOT / "cli")])
        environ = {
            **{k: v for k, v in os.environ.items() if k not in _NOT_INHERITED},
            "PYTHONPATH": path,
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            "LINES": "40",
            # Not the program's own variables: most users have to find their folders.
            "HOME": data,
            "XDG_CONFIG_HOME": data,
            "XDG_DATA_HOME": data,
            # For `llm chat`, which asks no server before its first question.
            "LLM_USER_PATH": data,
            "OPENAI_API_KEY": "none",
        }
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.process = subprocess.Popen(
            [python, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def type(self, text: str) -> None:
        """Presses keys, as fast as they are taken."""
        rest = text.encode()
        while rest:
            self.read(0)
            try:
                rest = rest[os.write(self._master, rest) :]
            except BlockingIOError:
                self.read(0.01)

    def read(self, seconds: float) -> None:
        """Reads what is there, or comes in so many seconds."""
        if select.select([self._master], [], [], seconds)[0]:
            self.seen += os.read(self._master, 1 << 20)

    def until(self, holds: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Reads until `holds`."""
        end = time.perf_counter() + limit_s
        while not holds():
            if time.perf_counter() > end:
                raise SystemExit(f"not seen in {limit_s:.0f} s; last: {self.seen[-500:]!r}")
            self.read(0.001)

    def forget(self) -> None:
        """What comes from here on is new."""
        self.seen = b""

    def cpu_s(self) -> float:
        """The processor time that it has used, its threads' included."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Kills it."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def chat(data: str, *arguments: str) -> Terminal:
    """The shell, with a journal in memory."""
    return Terminal("-m", "agent_shell_cli", "chat", "--journal", "memory", *arguments, data=data)


def echoes(terminal: Terminal, keys: int) -> list[float]:
    """Seconds from a key to its letter on the screen, for each of so many keys."""
    taken, luck = [], random.Random(1)
    for number in range(keys):
        pause = time.perf_counter() + luck.uniform(0.01, 0.06)
        while time.perf_counter() < pause:
            terminal.read(0.002)
        letter = _LETTERS[number % len(_LETTERS)]
        terminal.forget()
        start = time.perf_counter()
        terminal.type(letter)
        terminal.until(lambda: letter.encode() in terminal.seen)  # noqa: B023 (called in the loop)
        taken.append(time.perf_counter() - start)
        if number % 40 == 39:
            terminal.type("\x15")
    return taken


def cpu(terminal: Terminal, seconds: float) -> float:
    """The percentage of a core that it uses over so many seconds."""
    before, start = terminal.cpu_s(), time.perf_counter()
    while time.perf_counter() - start < seconds:
        terminal.read(0.05)
        terminal.forget()
    return 100 * (terminal.cpu_s() - before) / (time.perf_counter() - start)


def first_prompt(data: str, runs: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds from the start of the program to its prompt; and how many of them it computed.

    The third are those to the echo of a key that was pressed when the prompt was seen. As
    a user starts it: with a new session, in the file that has all of them.
    """
    taken: list[float] = []
    computed: list[float] = []
    echoed: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        terminal = Terminal("-m", "agent_shell_cli", "chat", "-m", "echo", data=data)
        terminal.until(lambda: PROMPT in terminal.seen)  # noqa: B023 (called in the loop)
        taken.append(time.perf_counter() - start)
        computed.append(terminal.cpu_s())
        terminal.type(_LETTERS[0])
        terminal.until(lambda: _LETTERS[0].encode() in terminal.seen)  # noqa: B023 (as above)
        echoed.append(time.perf_counter() - start)
        terminal.end()
    return taken, computed, echoed


def llm_prompt(folder: str, runs: int) -> list[float]:
    """Seconds from the start of `llm chat` to its prompt, installed into `folder`."""
    python = str(Path(folder, "venv", "bin", "python"))
    subprocess.run([sys.executable, "-m", "venv", str(Path(folder, "venv"))], check=True)
    subprocess.run([python, "-m", "pip", "install", "-qqq", "llm"], check=True)
    taken = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        terminal = Terminal("-m", "llm", "chat", data=folder, python=python)
        terminal.until(lambda: b"\n> " in terminal.seen)  # noqa: B023 (called in the loop)
        taken.append(time.perf_counter() - start)
        terminal.end()
    return taken[1:]  # the first one compiles


def bare_start(runs: int) -> list[float]:
    """Seconds that bare Python takes to start and end."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", ""], check=True)
        taken.append(time.perf_counter() - start)
    return taken


def words(count: int) -> str:
    """Text of so many words, in lines and paragraphs."""
    ends = {6: ".\n", 11: ".\n\n"}
    return "".join(f"word{n % 97}{ends.get(n % 12, ' ')}" for n in range(count))


def shown(name: str, seconds: list[float], unit: str = "ms") -> None:
    """One line: median, 99th percentile and maximum."""
    scale = 1000 if unit == "ms" else 1
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(
        f"{name:<44} p50 {statistics.median(ordered) * scale:8.2f} {unit}"
        f"   p99 {high * scale:8.2f} {unit}   max {ordered[-1] * scale:8.2f} {unit}"
        f"   load {os.getloadavg()[0]:.1f}"
    )


def used(name: str, percent: float) -> None:
    """One line: a share of a core."""
    print(f"{name:<44} {percent:12.2f} %   load {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--waiting", type=int, default=5000)
    parser.add_argument("--rate", type=int, default=500, help="tokens a second")
    parser.add_argument("--runs", type=int, default=7, help="starts of the program")
    parser.add_argument("--compare-llm", action="store_true", help="install and time `llm chat`")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        shown("start of bare Python", bare_start(asked.runs), "s")
        first_prompt(data, 1)  # compiles
        taken, computed, echoed = first_prompt(data, asked.runs)
        shown("first prompt", taken, "s")
        shown("first prompt, processor time", computed, "s")
        shown("first key echoed", echoed, "s")
        if asked.compare_llm:
            shown("first prompt of llm chat", llm_prompt(data, asked.runs), "s")
        bare = Terminal("-c", _BARE)
        bare.until(lambda: b"ready" in bare.seen)
        shown("key echo, bare program", echoes(bare, asked.keys))
        bare.end()
        idle = chat(data, "-m", "echo")
        idle.until(lambda: PROMPT in idle.seen)
        cpu(idle, 2)
        used("CPU, nothing happens", cpu(idle, 10))
        shown("key echo, nothing happens", echoes(idle, asked.keys))
        idle.end()
        slow = chat(data, "-m", "echo:100", words(3000))
        slow.until(lambda: b"word90" in slow.seen)
        used("CPU, 100 tokens a second", cpu(slow, 10))
        slow.end()
        busy = chat(data, "-m", f"echo:{asked.rate}", words(15_000))
        busy.until(lambda: b"word90" in busy.seen)
        for first in range(0, asked.waiting, 100):
            last = min(first + 100, asked.waiting)
            busy.type("".join(f"input {n}\r" for n in range(first, last)))
        more = f"{asked.waiting - 8:,} more".encode()
        busy.until(lambda: more in busy.seen)
        name = f"key echo, {asked.rate} tokens/s, {asked.waiting:,} waiting"
        shown(name, echoes(busy, asked.keys))
        used(f"CPU, {asked.rate} tokens a second", cpu(busy, 5))
        busy.end()


if __name__ == "__main__":
    main()
