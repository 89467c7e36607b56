# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""What the program does before the first prompt, and what it leaves for later."""

from __future__ import annotations

from pathlib import Path

import pytest

from support_repl import CTRL_D, Program

# Says what is loaded when the prompt stands, instead of loading more.
_STANDS = """
import os, sys
from pathlib import Path
from agent_shell_cli.app import main
from agent_shell_cli.repl import Prompt

stand = Prompt.__aenter__

def drawn(_):
    Path({path!r}).write_text("\\n".join(sys.modules))
    os._exit(0)

async def stands(prompt):
    prompt.app.after_render += drawn
    await stand(prompt)

Prompt.__aenter__ = stands
sys.argv = ["agent-shell", "chat", "-m", {model!r}]
main()
"""
# The same when it serves, instead of loading more in the background.
_SERVES = """
import os, sys
from pathlib import Path
from agent_shell_cli.app import main
from agent_shell_cli.repl.shell import Shell

def serves(shell):
    Path({path!r}).write_text("\\n".join(sys.modules))
    os._exit(0)

Shell._preload = serves
sys.argv = ["agent-shell", "chat", "-m", {model!r}]
main()
"""

# What answers, completes, exports, lists, renders or asks: none of it before the first key.
_HEAVY = {
    "agent_shell.agents.provider.library",
    "agent_shell.tools.process",
    "agent_shell_cli.doctor",
    "agent_shell_cli.repl.completing",
    "agent_shell_cli.repl.markdown",
    "agent_shell_cli.repl.shell_line",
    "agent_shell_cli.scripted",
    "agent_shell_cli.send",
    "agent_shell_cli.sessions.commands",
    "agent_shell_cli.sessions.exporting",
    "agent_shell_cli.stress",
    "email",
    "html",
    "http",
    "httpx2",
    "importlib.metadata",
    "jsonschema",
    "keyring",
    "markdown_it",
    "mcp",
    "multiprocessing",
    "openai",
    "pathspec",
    "pydantic",
    "pydantic_ai",
    "pygments",
    "regex",
    "rich",
    "urllib.request",
    "xllamacpp",
}


# What it is about: the prompt stands before it.
_LATER = {
    "agent_shell.engine",
    "agent_shell.events",
    "agent_shell.journal",
    "agent_shell.tools",
    "agent_shell_cli.journals",
    "agent_shell_cli.models",
    "agent_shell_cli.repl.shell",
    "agent_shell_cli.repl.view",
    "agent_shell_cli.resuming",
    "sqlite3",
}


def _loaded(folder: Path, script: str, model: str) -> set[str]:
    there = folder / "modules"
    with Program(data=folder, script=script.format(path=str(there), model=model)) as program:
        assert program.end() == 0, program.screen.text
    loaded = set(there.read_text().splitlines())
    assert "prompt_toolkit" in loaded
    return loaded


@pytest.mark.parametrize("model", ["echo", "embedded", "openai:any"])
def test_the_prompt_stands_before_what_it_is_about_is_loaded(tmp_path: Path, model: str) -> None:
    """Its first frame waits for no engine, no journal, no model and nothing that shows them."""
    assert _loaded(tmp_path, _STANDS, model) & (_LATER | _HEAVY) == set()


@pytest.mark.parametrize("model", ["echo", "embedded", "openai:any"])
def test_the_prompt_serves_before_anything_heavy_is_loaded(tmp_path: Path, model: str) -> None:
    """Until keys do what they say only what draws and opens the session is loaded."""
    assert _loaded(tmp_path, _SERVES, model) & _HEAVY == set()


_SLOW = """
import asyncio, sys, time
from pathlib import Path
from agent_shell import Delta
from agent_shell_cli import app, models
from agent_shell_cli.models import Model

class Slow:
    on_progress = lambda self, progress: None
    async def load(self):
        await asyncio.to_thread(self._load)
    def _load(self):
        print("it loads")
        time.sleep(20)
        Path({path!r}).touch()
    async def run(self, turn):
        yield Delta(turn.text)
    async def close(self):
        pass

models.open_model = lambda *_: Model(Slow(), "slow", "")
sys.argv = ["agent-shell", "chat"]
app.main()
"""


def test_leaving_does_not_wait_for_what_is_being_loaded(tmp_path: Path) -> None:
    """Whoever leaves while the model's library is loaded is not kept until it is there."""
    loaded = tmp_path / "loaded"
    with Program(data=tmp_path, script=_SLOW.format(path=str(loaded))) as program:
        program.until("❯", "it loads")
        program.type(CTRL_D)
        assert program.end() == 0
    assert not loaded.exists()
