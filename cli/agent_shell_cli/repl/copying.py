"""Putting a text on the clipboard, by a program that can or through the terminal."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import sys
from collections.abc import Mapping

from agent_shell_cli.repl.terminal import through_tmux

__all__ = ["copy", "osc52"]

# The longest that terminals take, encoded; several drop a longer one without a word.
_LONGEST = 74_994
_LIMIT_S = 2.0


def osc52(text: str, env: Mapping[str, str]) -> str | None:
    """The sequence that asks the terminal to take `text`; `None` where that is too long."""
    encoded = base64.b64encode(text.encode(errors="replace")).decode()
    if len(encoded) > _LONGEST:
        return None
    return through_tmux(f"\x1b]52;c;{encoded}\a", env)


async def copy(text: str, env: Mapping[str, str] | None = None) -> str | None:
    """Hands `text` to the first program that puts it on the clipboard; its name, or `None`."""
    for command in _commands(os.environ if env is None else env):
        if shutil.which(command[0]) and await _hand_to(command, text):
            return command[0]
    return None


def _commands(env: Mapping[str, str]) -> list[list[str]]:
    """The programs that may work here."""
    commands: list[list[str]] = []
    if sys.platform == "darwin":
        commands.append(["pbcopy"])
    if env.get("WAYLAND_DISPLAY"):
        commands.append(["wl-copy"])
    if env.get("DISPLAY"):
        commands += [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
    if sys.platform == "win32" or env.get("WSL_DISTRO_NAME"):
        commands.append(["clip.exe"])
    return commands


async def _hand_to(command: list[str], text: str) -> bool:
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(_LIMIT_S):
            await process.communicate(text.encode(errors="replace"))
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return process.returncode == 0
