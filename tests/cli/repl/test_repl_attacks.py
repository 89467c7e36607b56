# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""Whoever writes to the screen through the shell, the terminal obeys the shell alone.

What is written is looked at byte by byte, over the real program on a pseudo-terminal
where that is what stands between a writer and the screen.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent_shell.errors import AgentError
from agent_shell_cli.printable import printable
from support_repl import CTRL_D, ENTER, ROOT, Program, options, stage

# Nothing of our own has this number in it: no sequence may.
_N = "7777"
SEQUENCES = [
    f"\x1b[{_N};1H",  # moves the cursor
    f"\x1b[{_N}A\r",  # goes up, to write over what was said
    "\x1b[2J\x1b[3J",
    f"\x1b]0;{_N}\x07",  # the title
    f"\x1b]52;c;{_N}\x1b\\",  # the clipboard
    f"\x1b]8;;http://{_N}\x1b\\link\x1b]8;;\x1b\\",
    f"\x1bP{_N}q\x1b\\",  # pictures, and tmux's passthrough
    f"\x1bPtmux;\x1b\x1b]52;c;{_N}\x07\x1b\\",
    f"\x1b_G{_N}\x1b\\",
    f"\x1b^{_N}\x1b\\",
    "\x1bc",  # resets the terminal
    f"\x1b[8m{_N}\x1b[28m",  # hides
    f"\x1b[?{_N}h\x1b[?1049h\x1b[?25l",
    f"\x1b[{_N};5r",
    "\x1b(0lqk\x1b(B\x0e\x0f",  # another alphabet
    "\x1b[6n\x1b[c\x1b[5n\x05",  # answers that would be typed
    f"\x9b{_N}H\x9d0;{_N}\x9c\x90{_N}\x9c\x84\x85\x8d",  # the same in one character
    "safe\rEVIL",  # written over
    "secret\x08\x08\x08\x08\x08\x08public",
    "\x00\x01\x02\x03\x04\x07\x0b\x0c\x7f",
    "\u202eesrever\u202c \u2066isolated\u2069 \u200f\u061c\u200e",
    "\u2028\u2029\ufff9\ufffa\ufffb",
    "".join(map(chr, range(0xE0041, 0xE0061))),  # tags: text that nobody sees
]
ENTITIES = f"&#27;[{_N};1H &#x9b;2J &#7; &#x202e; [a](http://b.c/&#27;]0;{_N}&#7;) `&#27;`"
HEAP = "z" + "\u0301" * 5000 + "\u200b" * 500 + "".join(map(chr, range(0xE0100, 0xE01EF)))
HOSTILE = "\n".join([*SEQUENCES, ENTITIES, HEAP])

# All that the shell itself writes beside text: attributes, modes, moves that are relative,
# and the way back from them.
_OWN = re.compile(
    r"\x1b\[(?!8m)[0-9;]*m|\x1b\[\?(?:1|7|12|25|2004|1000|1003|1006|1015)[hl]|\x1b\[\d{0,3}[ABCDKJ]"
    r"|\x1b\[\d q|\x1b\[\?12l|\x1b[78]|\r|\n|\x08"
)
_ACTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def obeyed(raw: str) -> list[str]:
    """What a terminal would obey in what was written to it, beyond the shell's own."""
    own = re.findall(rf"\x1b[^a-zA-Z␛]*{_N}[^a-zA-Z]*.?", raw)
    return own + _ACTIVE.findall(_OWN.sub("", raw)) + re.findall("\u0301{20}", raw)


@pytest.mark.parametrize("sequence", [*SEQUENCES, HEAP], ids=ascii)
def test_judge_sees_each_attack(sequence: str) -> None:
    """Each of them would be seen if it came through, and none is when it is made printable."""
    with_own_moves = sequence.replace("\x08", "\x07").replace("\r", "\x07")
    assert obeyed(with_own_moves) or sequence == "\x1b[2J\x1b[3J"
    assert not obeyed(printable(sequence))


def send(data: Path, text: str) -> str:
    """Puts a text into the session from another process; what that says."""
    path = os.pathsep.join([str(ROOT / "core"), str(ROOT / "cli")])
    folders = {"AGENT_SHELL_DATA_DIR": str(data), "AGENT_SHELL_CONFIG_DIR": str(data)}
    done = subprocess.run(
        [sys.executable, "-m", "agent_shell_cli", "send", "-s", "work", "--", text],
        env={**os.environ, "PYTHONPATH": path, **folders},
        capture_output=True,
        check=True,
    )
    return (done.stdout + done.stderr).decode()


def test_answer_obeys_nothing(tmp_path: Path) -> None:
    """What is pasted, sent from elsewhere, repeated as an answer and shown raw stays text."""
    with Program("--model", "echo", "-s", "work", data=tmp_path) as program:
        program.until("❯")
        program.type(f"\x1b[200~{HOSTILE.replace(chr(27) + '[201~', '')}\x1b[201~")
        program.until("❯ [pasted")
        program.type(ENTER)
        program.until("more marks>\n❯")
        program.type("/raw" + ENTER)
        said = send(tmp_path, HOSTILE.replace("\0", ""))
        assert not obeyed(said)
        program.until("safe␍EVIL", lambda: program.screen.text.count("more marks>") == 2)
        program.type(CTRL_D)
        assert program.end() == 0
        assert obeyed(program.screen.raw) == []
        assert "secret␈" in program.screen.text


def test_names_obey_nothing(tmp_path: Path) -> None:
    """The name of a session is text, and a file whose name is none is not even offered."""
    evil = f"a\x1b]0;{_N}\x07\u202e\x9b2Jb"
    (tmp_path / f"{evil}.txt").write_text("")
    with Program(
        "--model", "echo", "-s", f"work{evil}", data=tmp_path,
        command=[
            "sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path), sys.executable, "-m",
            "agent_shell_cli", "chat", "--model", "echo", "-s", f"work{evil}",
        ],
    ) as program:  # fmt: skip
        program.until("❯")
        program.type("look at @a\t")
        program.until("sessions.sqlite")
        program.type("\x03\x04")
        program.end()
        assert obeyed(program.screen.raw) == []


async def test_errors_obey_nothing(tmp_path: Path) -> None:
    """What a provider says when it fails is text."""
    async with stage(tmp_path, options()) as shell:
        shell.type("go", ENTER)
        shell.agent.fail(AgentError(HOSTILE))
        await shell.until("✗ failed: ␛[7777;1H")
        assert obeyed(shell.screen.raw) == []
