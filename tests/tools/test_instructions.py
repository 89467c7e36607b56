"""What a project's AGENTS.md files say."""

from __future__ import annotations

import os

from agent_shell.tools.instructions import project_instructions
from support_tools import put


def test_the_outermost_comes_first(tmp_path):
    """Up to the repository's folder, each with its name."""
    put(tmp_path / "AGENTS.md", "not of the repository")
    (tmp_path / "repo/.git").mkdir(parents=True)
    outer = put(tmp_path / "repo/AGENTS.md", "outer")
    inner = put(tmp_path / "repo/a/b/AGENTS.md", "inner")
    found = project_instructions(inner.parent, home=tmp_path)
    assert found.sources == (outer, inner)
    assert found.text.index("outer") < found.text.index("inner")
    assert f"# From {inner}" in found.text
    assert "not of the repository" not in found.text


def test_without_a_repository_the_home_folder_is_the_last(tmp_path):
    """Nothing above it is looked at."""
    put(tmp_path / "AGENTS.md", "above")
    own = put(tmp_path / "home/AGENTS.md", "own")
    (tmp_path / "home/work").mkdir()
    assert project_instructions(tmp_path / "home/work", tmp_path / "home").sources == (own,)


def test_outside_of_the_home_folder_only_the_folder_itself_counts(tmp_path):
    """As in /tmp, where anybody could put one above."""
    put(tmp_path / "AGENTS.md", "anybody's")
    (tmp_path / "work").mkdir()
    (tmp_path / "home").mkdir()
    assert project_instructions(tmp_path / "work", tmp_path / "home").text == ""


def test_a_link_out_of_the_project_is_not_followed(tmp_path):
    """A clone could have the user's keys sent to a provider."""
    secret = put(tmp_path / "key", "PRIVATE")
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/AGENTS.md").symlink_to(secret)
    found = project_instructions(tmp_path / "repo", tmp_path)
    assert (found.text, found.sources) == ("", ())
    assert f"leads to {secret}: not read" in found.skipped[0]


def test_a_link_to_a_secret_in_the_project_is_not_followed(tmp_path):
    """Though a link to another file in it is."""
    put(tmp_path / ".env", "KEY=1")
    put(tmp_path / "a/CLAUDE.md", "be brief")
    (tmp_path / ".git").mkdir()
    (tmp_path / "AGENTS.md").symlink_to(".env")
    (tmp_path / "a/AGENTS.md").symlink_to("CLAUDE.md")
    found = project_instructions(tmp_path / "a", tmp_path)
    assert "be brief" in found.text
    assert "KEY" not in found.text
    assert len(found.skipped) == 1


def test_what_is_no_file_keeps_nobody_waiting(tmp_path):
    """A FIFO is skipped, not read."""
    os.mkfifo(tmp_path / "AGENTS.md")
    assert "no regular file" in project_instructions(tmp_path, tmp_path).skipped[0]


def test_the_text_is_bounded_and_the_nearest_counts_most(tmp_path):
    """What is further out is what is cut."""
    (tmp_path / ".git").mkdir()
    put(tmp_path / "AGENTS.md", "far " * 20_000)
    put(tmp_path / "a/AGENTS.md", "middle " * 20_000)
    put(tmp_path / "a/b/AGENTS.md", "near")
    found = project_instructions(tmp_path / "a/b", tmp_path)
    assert found.text.endswith("near")
    assert len(found.text.encode()) < 70_000
    assert found.text.count("[the rest was left out]") == 2
