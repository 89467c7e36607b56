"""Running a command line, in a sandbox where there is one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from typing import Any

from agent_shell.tools.approval import ApprovalRequest, Need
from agent_shell.tools.base import Result, ToolContext, ToolError
from agent_shell.tools.environment import cleaned
from agent_shell.tools.files import encoded
from agent_shell.tools.process import Ended, run
from agent_shell.tools.requests import about_command
from agent_shell.tools.sandbox import Sandbox, find_sandbox
from agent_shell.tools.schema import count, flag, parameters, text
from agent_shell.tools.workspace import Workspace

__all__ = ["ShellTool"]

_LIMIT_S = 120
_MAX_LIMIT_S = 3_600
_LONGEST = 120_000  # bytes: Linux takes no argument of 131,072


class ShellTool:
    """Runs a command line in the project's folder."""

    name = "shell"
    need = Need.RUN
    description = (
        "Runs a command line in the project's folder and gives its output, errors included. "
        "It has no input, and what it leaves in the background ends with it. Where there is a "
        "sandbox, only the project and /tmp can be written, and there is no network unless "
        "`network` asks for it."
    )
    parameters = parameters(
        command=text("The command line, for a POSIX shell."),
        timeout=count(f"Seconds until it is ended; {_LIMIT_S} by default.", 1, _MAX_LIMIT_S),
        network=flag("It needs the network."),
        required=("command",),
    )

    def __init__(self, workspace: Workspace, sandbox: Sandbox | None = None) -> None:
        self._root = workspace.root
        self._sandbox = sandbox

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Asks with the command line, and runs it."""
        line, network = arguments["command"], bool(arguments.get("network"))
        if "\0" in line or not line.strip():
            raise ToolError("a command line is a text of at least one letter, without NUL")
        if len(encoded(line)) > _LONGEST:
            raise ToolError(
                f"a command line has at most {_LONGEST:,} bytes: write a script and run that"
            )
        sandbox = self._sandbox
        if sandbox is None:
            sandbox = await asyncio.to_thread(find_sandbox)
        await context.permit(self._request(line, sandbox, network=network))
        shell = shutil.which("bash") or "/bin/sh"
        limit_s = arguments.get("timeout", _LIMIT_S)
        with sandbox.clean(self._root):
            ended = await run(
                sandbox.around([shell, "-c", line], self._root, network=network),
                folder=self._root,
                environment=cleaned(os.environ),
                limit_s=limit_s,
                on_output=context.on_output,
            )
        return Result(_told(ended, limit_s), ok=ended.code == 0 and not ended.late)

    def _request(self, line: str, sandbox: Sandbox, *, network: bool) -> ApprovalRequest:
        if sandbox.program is None:
            note = f"it can do what you can: {sandbox.why}"
            return about_command(self.name, line, "shell:unconfined", note)
        if network:
            note = "in a sandbox, with the network"
            return about_command(self.name, line, "shell:network", note)
        return about_command(self.name, line, "shell", "in a sandbox, without a network")


def _told(ended: Ended, limit_s: float) -> str:
    said = [ended.output.rstrip("\n")] if ended.output.strip() else []
    if ended.late:
        said.append(f"[ended with all that it had started: it took longer than {limit_s} s]")
    elif ended.code > 128 and (name := _signal(ended.code - 128)):
        said.append(f"[exit status {ended.code}: {name}]")
    elif ended.code:
        said.append(f"[exit status {ended.code}]")
    return "\n".join(said) or "[no output]"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
