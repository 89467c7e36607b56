"""The tools of a session: one folder, one policy, one who is asked, whatever model uses them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent_shell import AgentShellError
from agent_shell.tools import Approval, ApprovalRequest
from agent_shell_cli import approvals
from agent_shell_cli.models import open_model
from agent_shell_cli.workbench import Workbench


class Person:
    """Answers as it is told to, and keeps what it was asked."""

    def __init__(self, answer: Approval) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def ask(self, request: ApprovalRequest) -> Approval:
        self.asked.append(request.subject)
        return self.answer


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SHELL_CONFIG_DIR", str(tmp_path / "user"))


def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text("print(1)\n")
    return folder


async def write(bench: Workbench, name: str) -> bool:
    arguments = {"path": name, "content": "x\n"}
    return (await bench.call("write", arguments, session="s", call="1")).ok


async def test_reading_is_free_and_writing_asks(tmp_path: Path) -> None:
    """The one who is asked is shown the exact thing; once allowed for the session it is free."""
    person = Person(Approval.session())
    bench = Workbench(project(tmp_path), "ask", person)
    read = await bench.call("read", {"path": "app.py"}, session="s", call="1")
    assert "print(1)" in read.text
    assert await write(bench, "new.py")
    assert await write(bench, "new.py")
    assert person.asked == ["new.py"]
    await bench.close()


@pytest.mark.parametrize(("mode", "ok"), [("read-only", False), ("all", True)])
async def test_without_anybody_to_ask_the_mode_decides(tmp_path: Path, mode: str, ok: bool) -> None:
    """A denial is told, and says which flag allows it."""
    bench = Workbench(project(tmp_path), mode)
    told: list[str] = []
    bench.on_denied = told.append
    assert await write(bench, "new.py") is ok
    assert (tmp_path / "project" / "new.py").exists() is ok
    assert ["--approve all" in reason for reason in told] == ([] if ok else [True])
    await bench.close()


async def test_what_is_always_allowed_is_not_asked(tmp_path: Path) -> None:
    """It counts for the folder that it was allowed in."""
    folder = project(tmp_path)
    approvals.add("write new.py", folder)
    approvals.add("write other.py", tmp_path)
    person = Person(Approval.deny())
    bench = Workbench(folder, "ask", person)
    assert await write(bench, "new.py")
    assert not await write(bench, "other.py")
    assert person.asked == ["other.py"]
    await bench.close()


async def test_the_model_is_told_of_the_project(tmp_path: Path) -> None:
    """Its folder and what its AGENTS.md says, once the tools are wanted; a link is not followed."""
    folder = project(tmp_path)
    (folder / ".git").mkdir()
    (folder / "AGENTS.md").write_text("Use tabs.")
    bench = Workbench(folder, "ask")
    assert bench.instructions() == ""
    await bench.tools()
    assert str(folder) in bench.instructions()
    assert "Use tabs." in bench.instructions()
    assert f"heeds {folder / 'AGENTS.md'}" in await bench.listing()
    await bench.close()


async def test_a_fault_in_the_approvals_is_said_by_the_turn(tmp_path: Path) -> None:
    """Nothing is allowed by a file that can't be read, and nothing is asked either."""
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "approvals.toml").write_text("allow = 3")
    bench = Workbench(project(tmp_path), "ask", Person(Approval.once()))
    for _ in range(2):
        with pytest.raises(AgentShellError, match=r"approvals\.toml"):
            await bench.tools()
    assert bench.take_problems() == []
    assert bench.instructions() == ""
    await bench.close()


async def test_a_folder_that_is_not_there_can_not_be_worked_in(tmp_path: Path) -> None:
    """It is said when a model wants its tools."""
    bench = Workbench(tmp_path / "gone", "all")
    with pytest.raises(AgentShellError, match="can't be worked in"):
        await bench.tools()
    await bench.close()


async def test_a_server_that_can_not_be_had_is_said_and_leaves_the_rest(tmp_path: Path) -> None:
    """The tools of the configuration's MCP servers stand beside our own, where they answer."""
    mcp = {"gone": {"command": str(tmp_path / "no-such-server")}}
    bench = Workbench(project(tmp_path), "ask", mcp=mcp)
    names = [tool.name for tool in await bench.tools()]
    assert "shell" in names
    assert ["gone" in problem for problem in bench.take_problems()] == [True]
    await bench.close()


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("ask", ["free: Reads", "asks: Writes", "asks: Runs"]),
        ("read-only", ["free: Reads", "denied: Writes", "denied: Runs"]),
        ("all", ["free: Reads", "free: Writes", "free: Runs"]),
    ],
)
async def test_the_tools_are_listed_with_what_they_may_do(
    tmp_path: Path, mode: str, said: list[str]
) -> None:
    """A line each, as far as a terminal has room."""
    bench = Workbench(project(tmp_path), mode)
    lines = (await bench.listing()).splitlines()
    assert all(any(words in line for line in lines) for words in said)
    assert max(map(len, lines)) < 80
    await bench.close()


def test_local_models_use_no_tools(tmp_path: Path) -> None:
    """The embedded model is too small for them; a provider's model gets those of the bench."""
    bench = Workbench(tmp_path, "ask")
    assert open_model("echo", bench).bench is None
    opened = open_model("ollama:qwen3", bench)
    assert opened.bench is bench
    assert opened.reads_files


async def test_a_call_of_a_servers_tool_asks(tmp_path: Path) -> None:
    """With all that the server would be told."""
    script = Path(__file__).parents[1] / "tools" / "servers" / "plain.py"
    mcp = {"here": {"command": sys.executable, "args": [str(script)]}}
    person = Person(Approval.once())
    bench = Workbench(project(tmp_path), "ask", person, mcp)
    assert {"read", "here__add"} <= {tool.name for tool in await bench.tools()}
    result = await bench.call("here__add", {"a": 1, "b": 2}, session="s", call="1")
    assert (result.text, person.asked) == ("3", ['here: add {"a": 1, "b": 2}'])
    await bench.close()


async def test_a_server_that_is_missing_is_listed_with_its_reason(tmp_path: Path) -> None:
    """Who looks for its tools in the list learns there why they are not in it."""
    bench = Workbench(project(tmp_path), "ask", mcp={"here": {"command": "no-such-program"}})
    assert "the MCP server here has ended" in await bench.listing()
    assert bench.take_problems() == []
    await bench.close()
