"""The command line itself: its commands, its help and its errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_shell.schema import event_schema
from agent_shell_cli.verbs import keys_text
from support_scripted import environment, program, run_program, start


def test_the_version_is_said() -> None:
    """--version says which program and version it is."""
    ended = run_program("--version")
    assert (ended.code, ended.out.split()[0]) == (0, b"agent-shell")


@pytest.mark.parametrize("arguments", [["--help"], ["chat", "-h"], ["stress", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    """Every command has help, without escape sequences."""
    ended = run_program(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert b"Usage: agent-shell" in ended.out
    assert b"\x1b" not in ended.out


def test_help_has_examples_and_the_exit_codes() -> None:
    """The help shows how it is used and what its exit codes mean."""
    help = run_program("--help").out.decode()
    assert "agent-shell chat < questions.txt > answers.txt" in help
    assert "143 terminated" in " ".join(help.split())


def test_the_keys_are_in_the_help_of_chat() -> None:
    """`chat --help` shows them as `/help` does, from the same table."""
    shown = run_program("chat", "--help").out.decode()
    assert all(line.strip() in shown for line in keys_text().splitlines())


def test_without_a_command_it_chats() -> None:
    """No command is `chat`, with or without options."""
    assert run_program("-m", "echo", input=b"hello\n").lines == ["hello"]


def test_stress_is_an_option_too() -> None:
    """`agent-shell --stress` is `agent-shell stress`, with its options."""
    ended = run_program("--stress", "--n", "0")
    assert ended.code == 2
    assert "agent-shell stress" in ended.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["chat", "--bogus"], "No such option: --bogus"),
        (["chat", "--busy", "merge"], "--busy"),
        (["chat", "--output", "xml"], "--output"),
        (["chat", "-m", "nope"], "no model is called 'nope'; there are: embedded"),
        (["chat", "-m", "echo:-1"], "echo:WORDS_PER_SECOND"),
        (["chat", "-m", "echo", ""], "PROMPT is empty"),
        (["chat", "-m", "echo", "-s", " "], "--session is empty"),
        (["chat", "-m", "echo", "--journal", "/dev/null/x"], "/dev/null/x"),
        (["chat", "-m", "echo", "--journal", "/"], "--journal / is a folder"),
        (["chat", "-m", "echo", "-c", "-s", "k"], "give one of them"),
        (["chat", "-m", "echo", "-c", "--journal", "memory"], "memory has nothing to look at"),
        (["chat", "-m", "echo", "--resume"], "needs a terminal to choose at"),
        (["chat", "-m", "echo", "--interrupted", "ask"], "use retry or skip"),
        (["stress", "--n", "0"], "--n"),
        (["stress", "--sessions", "0"], "--sessions"),
        (["stress", "--producers", "0"], "--producers"),
        (["stress", "--queue-limit", "0"], "--queue-limit"),
        (["stress", "--journal", "/dev/null/x"], "/dev/null/x"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], complaint: str) -> None:
    """What is wrong with a command line is said, without a traceback, and the exit code is 2."""
    ended = run_program(*arguments, input=b"hello\n")
    assert (ended.code, ended.out) == (2, b"")
    assert complaint in ended.err
    assert "Traceback" not in ended.err


def test_a_session_to_resume_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Whether none was ever kept, or none that begins so."""
    own = {"AGENT_SHELL_DATA_DIR": str(tmp_path)}
    resume = ("chat", "-m", "echo", "--resume", "nope")
    ended = run_program(*resume, changes=own)
    assert (ended.code, "no session was kept there" in ended.err) == (2, True)
    assert run_program("chat", "-m", "echo", "hello", changes=own).code == 0
    ended = run_program(*resume, changes=own)
    assert (ended.code, "nope" in ended.err) == (2, True)


def test_a_prompt_that_is_not_utf8_is_a_usage_error() -> None:
    """An argument that is not UTF-8 is named."""
    done = subprocess.run(
        [*program("chat", "-m", "echo"), os.fsdecode(b"a\xff")],
        capture_output=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 2
    assert b"PROMPT is not UTF-8, from its character 2 on" in done.stderr


def test_debug_shows_where() -> None:
    """With --debug an error has its traceback, and the same exit code."""
    ended = run_program("chat", "-m", "nope", "--debug", input=b"")
    assert ended.code == 2
    assert "Traceback" in ended.err


@pytest.mark.parametrize("arguments", [["--version"], ["chat", "-m", "echo", "hello"]])
def test_heavy_libraries_stay_out(arguments: list[str]) -> None:
    """A start without a live prompt imports neither rich nor the prompt's library."""
    command = [sys.executable, "-X", "importtime", "-m", "agent_shell_cli", *arguments]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "agent_shell" in imported
    assert not imported & {"rich", "prompt_toolkit", "markdown_it", "xllamacpp"}


def test_the_schema_is_printed() -> None:
    """`agent-shell schema` prints the schema that the library has."""
    assert json.loads(run_program("schema").out) == event_schema()


def test_a_closed_pipe_is_no_traceback() -> None:
    """Also a command that prints much ends quietly where nobody reads it."""
    shell = start("schema")
    assert shell.stdout is not None
    shell.stdout.close()
    _, err = shell.communicate()
    assert err == b""


@pytest.mark.parametrize(
    ("handler", "after"),
    [("default_int_handler", "Handlers.SIG_DFL"), ("SIG_IGN", "Handlers.SIG_IGN")],
)
def test_a_ctrl_c_at_the_very_end_is_no_traceback(handler: str, after: str) -> None:
    """While the interpreter ends, it ends at once; where Ctrl-C is ignored, it stays so."""
    code = (
        "import signal, sys; from agent_shell_cli.app import main\n"
        f"signal.signal(signal.SIGINT, signal.{handler}); sys.argv[1:] = ['--version']\n"
        "try: main()\nfinally: print(repr(signal.getsignal(signal.SIGINT)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert after in ran.stdout


@pytest.mark.parametrize(
    "arguments", [["schema"], ["--help"], ["stress", "--n", "10", "--journal", "memory"]]
)
def test_a_full_disk_is_no_internal_error(arguments: list[str]) -> None:
    """What can't be written is said, and the exit code is 1."""
    with Path("/dev/full").open("wb") as full:
        shell = start(*arguments, stdout=full.fileno())
        _, err = shell.communicate()
    said = b"agent-shell: standard output can't be written: No space left on device\n"
    assert (shell.returncode, err) == (1, said)


NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def test_models_are_listed() -> None:
    """`agent-shell models` names what there is, and how it stands."""
    ended = run_program("models")
    assert ended.code == 0
    assert ended.lines == run_program("models", "list").lines
    names = [line.split()[0] for line in ended.lines]
    assert names[:3] == ["NAME", "embedded", "echo[:WORDS_PER_SEC]"]
    assert {"anthropic:MODEL", "openai:MODEL", "ollama:MODEL"} <= set(names)


def test_models_are_told_to_programs_too() -> None:
    """With `--json` each model says whether it can be used, and by which key; never the key."""
    key = "sk-test-0123456789abcdefghij"
    changes = {"ANTHROPIC_API_KEY": key, "OPENAI_API_KEY": "", **NO_KEYRING}
    ended = run_program("models", "--json", changes=changes)
    assert ended.code == 0
    models = {model["name"]: model for model in json.loads(ended.out)}
    assert models["anthropic:MODEL"]["usable"]
    assert models["anthropic:MODEL"]["key"] == "ANTHROPIC_API_KEY"
    assert not models["openai:MODEL"]["usable"]
    assert "set OPENAI_API_KEY" in models["openai:MODEL"]["status"]
    assert key.encode() not in ended.out


@pytest.mark.parametrize(
    ("provider", "key", "complaint"),
    [
        ("openai", b"sk-x\n", "the keyring can't keep the key"),
        ("openai", b"\n", "that is no key"),
        ("openai", b"sk-x y\n", "that is no key"),
        ("opnai", b"sk-x\n", "did you mean 'openai'"),
        ("openai-codex", b"sk-x\n", "takes no key: sign in with codex login"),
    ],
)
def test_a_key_that_can_not_be_kept_is_not_shown(provider: str, key: bytes, complaint: str) -> None:
    """What was read goes to the keyring or nowhere: the error has the reason alone."""
    changes = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    ended = run_program("models", "key", provider, input=key, changes=changes)
    assert (ended.code, ended.out) == (2, b"")
    assert complaint in ended.err
    assert "sk-x" not in ended.err


def test_models_say_what_is_wrong() -> None:
    """A model that can't be used is listed with the reason."""
    ended = run_program("models", changes={"AGENT_SHELL_MODEL_PATH": "/nowhere/x.gguf"})
    assert ended.code == 0
    assert "not usable" in ended.lines[1]
    assert "/nowhere/x.gguf" in ended.lines[1]


def test_a_pull_that_fails_says_so() -> None:
    """A model that can't be fetched ends with the reason, and exit code 4."""
    ended = run_program("models", "pull", changes={"AGENT_SHELL_MODEL_PATH": "/nowhere"})
    assert (ended.code, ended.out) == (4, b"")
    assert ended.err.startswith("agent-shell: ")
