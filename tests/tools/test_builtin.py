"""What holds for each of the tools that come with the library."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_shell.tools import Approval, Mode, Need
from support_tools import Project, put

ROOT = Path(__file__).parents[2]
USES = {
    "read": {"path": ".env"},
    "list": {"path": ".ssh"},
    "search": {"path": ".env", "pattern": "x"},
    "write": {"path": "new", "content": "x"},
    "edit": {"path": "a.txt", "old": "old", "new": "new"},
    "shell": {"command": "touch new"},
    "fetch": {"url": "http://127.0.0.1:9/"},
}


async def test_each_is_in_the_documentation(project):
    """And has a name and a schema that every provider takes."""
    listed = re.findall(r"^\| `(\w+)` ", (ROOT / "docs/tools.md").read_text(), re.MULTILINE)
    tools = {tool.name: tool for tool in await project.tools.tools()}
    assert sorted([*tools, "NAME__TOOL"]) == sorted(listed)
    assert set(tools) == set(USES)
    for tool in tools.values():
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name)
        assert tool.parameters["type"] == "object"
        assert tool.description


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.READ_ONLY])
@pytest.mark.parametrize("name", list(USES))
async def test_each_does_nothing_that_is_denied(root, name, mode):
    """Whether somebody says no, or nobody is asked; the model is told."""
    put(root / ".env", "x")
    put(root / ".ssh/key", "x")
    put(root / "a.txt", "old")
    project = Project(root, Approval.deny("no"), mode=mode)
    await project.call("read", path="a.txt")
    before = sorted(root.rglob("*"))
    result = await project.call(name, **USES[name])
    assert not result.ok
    assert ("was denied: no" if mode is Mode.ASK else "--approve all") in result.text
    assert len(project.asked) == (mode is Mode.ASK)
    assert sorted(root.rglob("*")) == before
    assert (root / "a.txt").read_text() == "old"
    project.workspace.close()


async def test_what_reads_alone_needs_no_more(project):
    """And the others say what they need."""
    needs = {tool.name: tool.need for tool in await project.tools.tools()}
    assert {name for name, need in needs.items() if need is Need.READ} == {"read", "list", "search"}
    assert needs["shell"] is Need.RUN
    assert needs["fetch"] is Need.NETWORK
