# ruff: noqa: RUF001 (the prompt sign is what is meant)
"""Commands of the user's own, from Markdown files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent_shell_cli.config import Places
from agent_shell_cli.config.textfile import Unreadable
from agent_shell_cli.custom import CustomCommands, filled
from agent_shell_cli.repl.router import Complain, Situation, route
from support_repl import ENTER, options, stage


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A user's folder and a project's, both with a folder for commands."""
    found = Places(tmp_path / "user", tmp_path / "project" / ".agent-shell")
    for folder in found.commands:
        folder.mkdir(parents=True)
    return found


def write(places: Places, name: str, text: str, *, project: bool = False) -> Path:
    path = places.commands[project] / f"{name}.md"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("body", "argument", "text"),
    [
        ("Review $ARGUMENTS now", "core cli", "Review core cli now"),
        ("From $1 to $2: $3.", "a 'b c'", "From a to b c: ."),
        ("Say $1", "it's", "Say it's"),
        ("Echo $1", "$2 $ARGUMENTS", "Echo $2"),
        ("Costs $10 or $ARGUMENTSX", "", "Costs $10 or $ARGUMENTSX"),
        ("Review", "core\nand more", "Review\n\ncore\nand more"),
        ("Review", "", "Review"),
    ],
)
def test_arguments_fill_their_places(body: str, argument: str, text: str) -> None:
    """Each place once, what was filled in is not looked at again, and no word is dropped."""
    assert filled(body, argument) == text


def test_a_file_is_a_command(places: Places) -> None:
    """The front matter describes it; without one, its first words do."""
    write(places, "review", '---\nmodel: x\ndescription: "Look at it"\n---\n\nReview $1.\n')
    write(places, "plan", "Plan the next steps.\n", project=True)
    commands = CustomCommands(places)
    found, problems = commands.listing()
    assert [(c.name, c.help, c.source) for c in found] == [
        ("plan", "Plan the next steps.", "this project's"),
        ("review", "Look at it", "yours"),
    ]
    assert problems == []
    assert commands.text("review", "core") == "Review core."
    assert commands.text("other", "") is None


def test_a_rule_in_the_text_is_no_front_matter(places: Places) -> None:
    """Only what stands at the very beginning is, and only where it ends."""
    for name, text in (("a", "One\n---\ntwo\n---\n"), ("b", "---\nnot ended")):
        write(places, name, text)
        assert CustomCommands(places).text(name, "") == text.strip()


def test_what_cannot_be_a_command_is_said(places: Places) -> None:
    """A name of the shell's own, one that can't be typed, and a file that can't be read."""
    write(places, "help", "x")
    write(places, "Loud", "x")
    write(places, "empty", "---\ndescription: nothing\n---\n")
    os.mkfifo(places.commands[0] / "pipe.md")
    found, problems = CustomCommands(places).listing()
    assert found == []
    said = "\n".join(problems)
    assert "help.md can't be used: /help is one of the shell's own commands" in said
    assert "Loud.md can't be used: a name has small letters" in said
    assert "empty.md is empty" in said
    assert "pipe.md is not a regular file" in said


def test_a_project_takes_no_command_over(places: Places) -> None:
    """What comes with a clone is not run in the place of what the user wrote."""
    write(places, "review", "mine")
    write(places, "review", "theirs", project=True)
    commands = CustomCommands(places)
    assert commands.text("review", "") == "mine"
    assert commands.listing()[1][0].endswith("is not used: /review is a command of your own")


def test_a_projects_link_does_not_lead_out(places: Places, tmp_path: Path) -> None:
    """A clone can't have the user send a file of theirs to a model; within it links work."""
    (tmp_path / "secret").write_text("my key")
    (tmp_path / "project" / "notes").write_text("read me")
    (places.commands[1] / "evil.md").symlink_to(tmp_path / "secret")
    (places.commands[1] / "good.md").symlink_to(tmp_path / "project" / "notes")
    (places.commands[0] / "own.md").symlink_to(tmp_path / "secret")
    commands = CustomCommands(places)
    with pytest.raises(Unreadable):
        commands.text("evil", "")
    assert commands.listing()[1][0].endswith("is a link that leads out of the project")
    assert (commands.text("good", ""), commands.text("own", "")) == ("read me", "my key")


def test_a_command_whose_file_cannot_be_read_is_not_sent(places: Places) -> None:
    """The draft stays, and the reason is said."""
    write(places, "empty", "")
    action = route("/empty", Situation(custom=CustomCommands(places).text))
    assert action == Complain("the file of /empty is empty")


async def test_it_is_sent_as_an_input(tmp_path: Path, places: Places) -> None:
    """Its text runs, /help names it with its source, and the history has what was typed."""
    write(places, "review", "Review $1,\nplease: /exit !ls")
    write(places, "exit", "never")
    async with stage(tmp_path, replace(options(), places=places)) as shell:
        await shell.until("can't be used: /exit is one of the shell's own commands")
        shell.type("/help", ENTER)
        await shell.until("/review  Review $1, please: /exit !ls (yours)")
        shell.type("/review core", ENTER)
        await shell.until(lambda: shell.agent.turns == ["Review core,\nplease: /exit !ls"])
        shell.type("\x1b[A")
        await shell.until("\n❯ /review core")
