"""The configuration: files, what they may say, and where each value comes from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_shell_cli.config import ConfigError, Places, Settings, documentation, load
from agent_shell_cli.config.loading import require
from agent_shell_cli.config.showing import as_document, listing

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)
    return folder


def loaded(tmp_path: Path, user: str = "", project: str | None = None, **environ: str):
    own = write(tmp_path / "user", user)
    theirs = None if project is None else write(tmp_path / "project" / ".agent-shell", project)
    return load(Places(own, theirs), environ)


def test_without_a_file_everything_is_the_default(tmp_path: Path) -> None:
    """No file is needed, and none is made."""
    found = load(Places(tmp_path / "none", None), {})
    assert (found.settings, found.sources, found.problems) == (Settings(), {}, ())


def test_a_projects_file_counts_more_and_the_command_line_most(tmp_path: Path) -> None:
    """Each value says which file and line it comes from."""
    found = loaded(tmp_path, 'busy = "steer"\nbell = false', '\nbusy = "interrupt"')
    assert (found.settings.busy, found.settings.bell) == ("interrupt", False)
    assert found.sources["busy"].endswith("project/.agent-shell/config.toml:2")
    assert found.sources["bell"].endswith("user/config.toml:2")
    over = found.over(busy="queue", model=None)
    assert (over.settings.busy, over.sources["busy"]) == ("queue", "command line")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('modle = "x"', "config.toml:1: modle: there is no such key; did you mean 'model'?"),
        ("busy = 3", "config.toml:1: busy: must be one of queue, steer, interrupt, not 3"),
        ('theme = "drak"', "did you mean 'dark'?"),
        ("busy = ", "config.toml:1: this is not TOML"),
        ("notify_after_s = -1", "must be a whole number from 0 to 86,400"),
        ('[colors]\nmark = "pink"', "config.toml:2: colors.mark: must be a colour"),
        ("mcp = 3", "config.toml:1: mcp: must be tables, each written as [mcp.NAME]"),
        ("[mcp.x]\nargs = []", "mcp.x: needs either command or url"),
        ("[mcp.x]\ncommand = 1", "config.toml:2: mcp.x.command: must be a text"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """The file, the line, the key, what is wrong and what to do; the value does not count."""
    found = loaded(tmp_path, text)
    (problem,) = found.problems
    assert said in problem
    assert found.settings == Settings(colors=found.settings.colors)
    with pytest.raises(ConfigError):
        require(found)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Also those of several files."""
    with pytest.raises(ConfigError, match="has 3 faults"):
        require(loaded(tmp_path, "a = 1\nbusy = 2", "b = 3"))


@pytest.mark.parametrize(
    "text", ['journal = "x"', 'editor = "rm -rf"', 'model = "acp:rm"', "history = false"]
)
def test_a_project_may_not_run_or_redirect_anything(tmp_path: Path, text: str) -> None:
    """Its file may come with a clone; the user may set all of it."""
    assert loaded(tmp_path / "a", text).problems == ()
    (problem,) = loaded(tmp_path / "b", "", text).problems
    assert "in a project's file, which others may have written" in problem


def test_odd_files_are_refused_and_nothing_hangs(tmp_path: Path) -> None:
    """A pipe, a folder, what is no text and what is too long."""
    for name in ("pipe", "folder", "bytes", "long"):
        path = tmp_path / name / "config.toml"
        path.parent.mkdir()
        match name:
            case "pipe":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case "bytes":
                path.write_bytes(b"a = \xff")
            case _:
                path.write_text("#" * 100_000)
        (problem,) = load(Places(path.parent, None), {}).problems
        assert str(path) in problem


def test_no_color_wins_over_the_files(tmp_path: Path) -> None:
    """As everywhere."""
    found = loaded(tmp_path, 'color = "always"', NO_COLOR="1")
    assert (found.settings.color, found.sources["color"]) == ("never", "environment NO_COLOR")


def test_the_documentation_is_the_table() -> None:
    """`docs/configuration.md` is made from the keys that the program checks."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text.partition("<!-- keys -->\n")[2].partition("<!-- end -->")[0] == documentation()


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "cli")]),
        "AGENT_SHELL_CONFIG_DIR": str(tmp_path / "user"),
        "AGENT_SHELL_DATA_DIR": str(tmp_path),
    }
    return subprocess.run(
        [sys.executable, "-m", "agent_shell_cli", *arguments],
        check=False,
        env=environ,
        cwd=tmp_path,
        input="",
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_program_obeys_it(tmp_path: Path) -> None:
    """The model is that of the file; a fault ends with code 2 before anything is run."""
    write(tmp_path / "user", 'model = "echo"\njournal = "here.sqlite"')
    assert run(tmp_path, "chat", "--print", "hi").stdout == "hi\n"
    assert (tmp_path / "user" / "here.sqlite").exists()
    shown = json.loads(run(tmp_path, "config", "--json").stdout)
    assert shown["model"]["value"] == "echo"
    assert shown["busy"] == {"value": "queue", "source": "default", "default": "queue"}
    write(tmp_path / "user", "bsuy = 1")
    for command in (["chat", "--print", "hi"], ["config"], ["sessions"]):
        ended = run(tmp_path, *command)
        assert ended.returncode == 2
        assert "did you mean 'busy'?" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_servers_of_tools_are_the_users_own(tmp_path: Path) -> None:
    """A project's file, which others may have written, may start no program."""
    text = '[mcp.files]\ncommand = "files-server"\nenv = { KEY = "$FILES_KEY" }\n'
    found = loaded(tmp_path, text)
    assert found.problems == ()
    assert found.settings.mcp["files"]["command"] == "files-server"
    theirs = loaded(tmp_path, "", text)
    assert "mcp: can't be a table in a project's file" in theirs.problems[0]
    assert theirs.settings.mcp == {}


def test_what_a_server_is_given_is_not_shown(tmp_path: Path) -> None:
    """It may be a key, for all that there is a better place for it."""
    text = '[mcp.a]\nurl = "https://a.example"\nheaders = { Authorization = "Bearer KEY" }\n'
    found = loaded(tmp_path, text)
    assert "https://a.example" in "\n".join(listing(found))
    assert "KEY" not in "\n".join(listing(found)) + json.dumps(as_document(found))
