"""The tools of a session, whichever model uses them: one folder, one policy, one who is asked.

What was allowed for the session stays allowed when another model takes over. Nothing is
loaded and no file is read before a model wants its tools.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_shell_cli import approvals
from agent_shell_cli.printable import printable_line

if TYPE_CHECKING:
    from agent_shell.tools import Approver, Result, Tool, Toolset, Workspace

__all__ = ["Workbench", "working_folder"]


def working_folder() -> Path:
    """The folder that one works in; where it was removed, one that can't be worked in."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def _unheard(_call: str, _text: str) -> None:
    """Where nobody listens to what tools say meanwhile."""


class Workbench:
    """Implements what an agent needs of its tools, for work in `folder`.

    `mode` is what `--approve` names; `approver` answers questions, and without one
    whatever needs an answer is denied; `mcp` are the servers of the configuration whose
    tools there are besides. `on_output` gets the name of a use and a piece of
    what it says, `on_denied` the reason of each denial.
    """

    def __init__(
        self,
        folder: Path,
        mode: str,
        approver: Approver | None = None,
        mcp: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.mode = mode
        self.on_output: Callable[[str, str], None] = _unheard
        self.on_denied: Callable[[str], None] = lambda _: None
        self._approver = approver
        self._mcp = mcp or {}
        self._opening: asyncio.Future[tuple[Workspace, Toolset]] | None = None
        self._sources: tuple[Path, ...] = ()
        self._problems: list[str] = []

    async def tools(self) -> Sequence[Tool]:
        """What there is to be used; raises `ToolError` where the folder can't be worked in."""
        _, toolset = await self._opened()
        return await toolset.tools()

    async def call(
        self, name: str, arguments: object, *, session: str = "", call: str = ""
    ) -> Result:
        """Uses one; whatever goes wrong is a result that is not `ok`."""
        _, toolset = await self._opened()
        heard = functools.partial(self.on_output, call)
        return await toolset.call(name, arguments, session=session, call=call, on_output=heard)

    def instructions(self) -> str:
        """What the model should know of the project, once `tools` has been asked."""
        toolset = self._toolset
        return "" if toolset is None else toolset.instructions()

    def take_problems(self) -> list[str]:
        """What a user should know of tools that could not be had, each said once."""
        problems, self._problems = self._problems, []
        toolset = self._toolset
        return problems if toolset is None else [*problems, *toolset.take_problems()]

    async def listing(self) -> str:
        """The tools, a line each, with what they may do; what is missing; what is heeded."""
        tools = await self.tools()
        width = max((len(tool.name) for tool in tools), default=0)
        lines = [
            f"  {tool.name:<{width}}  {_MAY[self.mode, tool.need]}: {_first(tool)}"
            for tool in tools
        ]
        lines += [f"  {problem}" for problem in self.take_problems()]
        return "\n".join([*lines, *(f"  heeds {path}" for path in self._sources)])

    async def close(self) -> None:
        """Lets go of the folder and of what tools hold open."""
        if self._opening is None:
            return
        await asyncio.wait({self._opening})
        if self._opening.exception() is None:
            workspace, toolset = self._opening.result()
            await toolset.close()
            workspace.close()
        self._opening = None

    @property
    def _toolset(self) -> Toolset | None:
        """The tools, once they are there."""
        opening = self._opening
        if opening is None or not opening.done() or opening.exception() is not None:
            return None
        return opening.result()[1]

    async def _opened(self) -> tuple[Workspace, Toolset]:
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        return await asyncio.shield(self._opening)

    def _open(self) -> tuple[Workspace, Toolset]:
        # Imported here, in a thread: these load what only a model with tools needs.
        from agent_shell.tools import Workspace

        workspace = Workspace(self.folder)
        try:
            return workspace, self._over(workspace)
        except BaseException:
            workspace.close()
            raise

    def _over(self, workspace: Workspace) -> Toolset:
        from agent_shell.tools import Mode, Policy, Toolset, builtin_tools
        from agent_shell.tools.instructions import project_instructions
        from agent_shell.tools.mcp_config import mcp_configs
        from agent_shell.tools.mcp_servers import McpServer
        from agent_shell_cli.gate import TellingGate

        importlib.import_module("jsonschema")  # checks arguments: 0.3 s, and not in the loop
        project = project_instructions(workspace.root)
        policy = Policy(Mode(self.mode), approvals.load(workspace.root))
        gate = TellingGate(policy, self._approver, self.on_denied)
        self._sources = project.sources
        self._problems += project.skipped
        said = f"You work in the folder {workspace.root}.\n\n{project.text}".rstrip()
        servers = [McpServer(config) for config in mcp_configs(self._mcp)]
        return Toolset(builtin_tools(workspace), gate, servers, said)


def _first(tool: Tool) -> str:
    """The first sentence of what it does, as far as a line has room for it."""
    return printable_line(tool.description.split(". ")[0].rstrip("."), 58)


_FREE, _ASKS, _DENIED = "free", "asks", "denied"
_MAY = {
    (mode, need): _FREE if mode == "all" or need == "read" else may
    for mode, may in (("ask", _ASKS), ("read-only", _DENIED), ("all", _FREE))
    for need in ("read", "write", "run", "network")
}
