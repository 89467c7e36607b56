"""A whole task for a scripted model: read a file, mend it, run the check, say so.

The model decides by what it was told, as a real one does: it may be steered, interrupted,
cut off or started again anywhere, and does the step that is missing. Its inputs are
`TASK`, `NOTE x` and `STEER x`; of a note it says that it heard it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from providers.story import Asked, Part, Said, Unexpected, call, say

TASK = "TASK: mend the sum"
BROKEN = "def add(a, b):\n    return a - b\n"
MENDED = "def add(a, b):\n    return a + b\n"
CHECK = "from sums import add\nassert add(2, 3) == 5\nprint('the sum is right')\n"
COMMAND = f"{sys.executable} -B check.py"

STEPS: dict[str, Sequence[Part]] = {
    "read": [say("Read."), call("read", path="sums.py")],
    "edit": [call("edit", path="sums.py", old="a - b", new="a + b")],
    "shell": [say("Check."), call("shell", command=COMMAND)],
}
CUT_ON_PURPOSE = "cut your last turn off on purpose"
MOST = 30
NO_RESULT = "cut off before it returned"


def project(folder: Path) -> Path:
    """A project with a wrong sum, and a check that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sums.py").write_text(BROKEN)
    (folder / "check.py").write_text(CHECK)
    return folder


@dataclass
class Mind:
    """What the model makes of a conversation, read from its beginning."""

    task: bool = False
    done: set[str] = field(default_factory=set[str])
    heard: str = ""
    heeded: list[str] = field(default_factory=list[str])

    def read(self, said: Said, tools: dict[str, str]) -> None:
        """Takes in one message; `tools` names the tool of each call."""
        for returned in said.results:
            self._returned(tools[returned.id], returned.text)
        for line in said.text.splitlines():
            if said.role == "user":
                self._told(line)
            elif line.startswith("Mended."):
                self.task = False

    def _returned(self, tool: str, text: str) -> None:
        if NO_RESULT in text or "denied" in text:
            return
        if tool == "edit" and ("was not read" in text or "has changed since" in text):
            self.done.discard("read")
        else:
            self.done.add(tool)

    def _told(self, line: str) -> None:
        kind, _, name = line.partition(" ")
        if CUT_ON_PURPOSE in line:
            self.task = False
        elif kind == "TASK:":
            self.task, self.done, self.heeded = True, set(), []
        elif kind == "STEER" and self.task:
            self.heeded.append(name)
        elif kind in ("NOTE", "STEER"):
            self.task, self.heard = False, line


def mender(asked: Asked) -> Sequence[Part]:
    """What the model answers: the next step of the task, or that it heard a note."""
    mind = Mind()
    tools = {called.id: called.tool for said in asked.said for called in said.calls}
    for said in asked.said:
        mind.read(said, tools)
    if len(tools) > MOST:
        raise Unexpected(f"{len(tools)} tool calls for one task")
    if not mind.task:
        return [say(f"Heard {mind.heard}.")]
    missing = next((step for step in STEPS if step not in mind.done), None)
    if missing is not None:
        return STEPS[missing]
    heeded = f" Heeded {', '.join(mind.heeded)}." if mind.heeded else ""
    return [say(f"Mended.{heeded}")]
