"""Reading, writing and editing a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent_shell.tools import Approval, Mode
from support_tools import Project, put


async def test_lines_are_read_with_their_numbers(project, root):
    """No question is asked in the project."""
    put(root / "a.txt", "one\ntwo\r\nthree")
    result = await project.call("read", path="a.txt")
    assert result.ok
    assert result.text == "     1\tone\n     2\ttwo\n     3\tthree"
    assert project.asked == []


async def test_a_part_says_how_to_go_on(project, root):
    """With the lines that there are."""
    put(root / "a.txt", "".join(f"{n}\n" for n in range(1, 101)))
    result = await project.call("read", path="a.txt", offset=99, limit=1)
    assert result.text == "    99\t99\n[lines 99 to 99 of 100; go on with offset 100]"
    result = await project.call("read", path="a.txt", offset=101)
    assert result.text == "[the file has 100 lines: none from 101 on]"


async def test_a_number_may_be_written_with_a_point(project, root):
    """Some models write whole numbers so."""
    put(root / "a.txt", "one\ntwo\nthree\n")
    result = await project.call("read", path="a.txt", offset=2.0, limit=1.0)
    assert result.text.splitlines()[0] == "     2\ttwo"


async def test_an_empty_file_is_said_to_be_empty(project, root):
    """Rather than nothing."""
    put(root / "a.txt", "")
    assert (await project.call("read", path="a.txt")).text == "[the file is empty]"


async def test_what_is_read_is_bounded(project, root):
    """Long lines and many lines are cut, and that is said."""
    put(root / "a.txt", "x" * 100_000 + "\n" + "y" * 1_000 + "\n" * 3 + ("z" * 1_000 + "\n") * 500)
    result = await project.call("read", path="a.txt")
    assert len(result.text) < 70_000
    assert "[98,000 more bytes]" in result.text
    assert "go on with offset" in result.text.splitlines()[-1]


async def test_a_binary_file_is_refused(project, root):
    """With its size."""
    put(root / "a.bin", b"\x7fELF\0\0")
    result = await project.call("read", path="a.bin")
    assert not result.ok
    assert "a.bin is binary (6 bytes)" in result.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no.txt", "is not there"),
        ("d", "is a folder"),
        ("a.txt/b", "no folder"),
        ("a\0b", "NUL"),
        ("", "at least one letter"),
    ],
)
async def test_what_is_no_file_is_said(project, root, path, said):
    """What it is, or that it is not there."""
    put(root / "a.txt", "x")
    (root / "d").mkdir()
    result = await project.call("read", path=path)
    assert not result.ok
    assert said in result.text


async def test_a_new_file_is_written_with_its_folders(project, root):
    """After a question that shows it whole."""
    result = await project.call("write", path="src/new/a.py", content="x = 1\n")
    assert result.ok
    assert (root / "src/new/a.py").read_text() == "x = 1\n"
    (asked,) = project.asked
    assert asked.subject == "src/new/a.py"
    assert asked.diff == "--- /dev/null\n+++ b/src/new/a.py\n@@ -0,0 +1 @@\n+x = 1\n"
    assert (asked.pattern, asked.session, asked.call) == ("write src/new/*", "s", "call_1")


async def test_a_denied_write_leaves_nothing(root):
    """Not even the folder."""
    project = Project(root, Approval.deny("no"))
    result = await project.call("write", path="src/a.py", content="x")
    assert (result.ok, result.text) == (False, "writing src/a.py was denied: no")
    assert list(root.iterdir()) == []
    project.workspace.close()


async def test_a_file_that_was_not_read_is_not_overwritten(project, root):
    """Its contents may be news to the model."""
    put(root / "a.txt", "mine")
    for name, arguments in (("write", {"content": "x"}), ("edit", {"old": "mine", "new": "x"})):
        result = await project.call(name, path="a.txt", **arguments)
        assert not result.ok
        assert "read it first" in result.text
    assert (root / "a.txt").read_text() == "mine"
    assert project.asked == []


async def test_what_another_session_has_read_does_not_count(project, root):
    """Each knows what it has seen itself."""
    put(root / "a.txt", "mine")
    await project.call("read", path="a.txt", session="other")
    result = await project.call("edit", path="a.txt", old="mine", new="x")
    assert "read it first" in result.text


async def test_a_file_that_changed_since_it_was_read_is_not_overwritten(project, root):
    """What the user has done meanwhile is kept."""
    file = put(root / "a.txt", "mine")
    await project.call("read", path="a.txt")
    file.write_text("ours, and more")
    result = await project.call("edit", path="a.txt", old="ours", new="x")
    assert not result.ok
    assert "has changed since it was read" in result.text
    assert file.read_text() == "ours, and more"


async def test_a_file_that_changes_while_it_is_asked_is_not_overwritten(root):
    """The answer was to another diff."""
    file = put(root / "a.txt", "mine")
    project = Project(root)
    await project.call("read", path="a.txt")
    project.approver._meanwhile = lambda: file.write_text("the user's own")
    result = await project.call("edit", path="a.txt", old="mine", new="x")
    assert not result.ok
    assert "was changed meanwhile" in result.text
    assert file.read_text() == "the user's own"
    project.workspace.close()


async def test_an_edit_replaces_the_one_place_and_keeps_the_mode(project, root):
    """Asked with the diff that is then done."""
    file = put(root / "run.sh", "one\ntwo\nthree\n")
    file.chmod(0o750)
    await project.call("read", path="run.sh")
    result = await project.call("edit", path="run.sh", old="two", new="2")
    assert result.ok
    assert file.read_text() == "one\n2\nthree\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o750
    assert result.shown == project.asked[0].diff
    assert "-two\n+2\n" in result.shown
    assert project.asked[0].pattern == "write run.sh"
    # and again, without another reading
    assert (await project.call("edit", path="run.sh", old="three", new="3")).ok
    assert [path.name for path in root.iterdir()] == ["run.sh"]


async def test_a_file_stays_its_owners(project, root, monkeypatch):
    """Also where root works for them, as in a container; where that may not be, it is written."""
    given: list[tuple[int, int]] = []

    def refused(_: int, user: int, group: int) -> None:
        given.append((user, group))
        raise PermissionError

    monkeypatch.setattr("os.fchown", refused)
    before = put(root / "a.txt", "one").stat()
    await project.call("read", path="a.txt")
    assert (await project.call("write", path="a.txt", content="two")).ok
    assert given == [(before.st_uid, before.st_gid)]
    assert (await project.call("write", path="new.txt", content="two")).ok
    assert len(given) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"old": "no", "new": "x"}, "is not in a.txt"),
        ({"old": "a", "new": "x"}, "is 3 times in a.txt, not 1"),
        ({"old": "a", "new": "x", "count": 2}, "is 3 times in a.txt, not 2"),
        ({"old": "", "new": "x"}, "is empty"),
        ({"old": "a", "new": "a"}, "are the same"),
    ],
)
async def test_an_edit_that_is_not_clear_is_refused(project, root, arguments, said):
    """And says what would make it so."""
    file = put(root / "a.txt", "a a a\n")
    await project.call("read", path="a.txt")
    result = await project.call("edit", path="a.txt", **arguments)
    assert not result.ok
    assert said in result.text
    assert file.read_text() == "a a a\n"


@pytest.mark.parametrize("how", [{"count": 3}, {"all": True}])
async def test_several_places_are_replaced_where_that_is_said(project, root, how):
    """By their number, or all."""
    file = put(root / "a.txt", "a a a\n")
    await project.call("read", path="a.txt")
    assert (await project.call("edit", path="a.txt", old="a", new="b", **how)).ok
    assert file.read_text() == "b b b\n"


async def test_the_line_ends_of_windows_are_kept(project, root):
    """The model sees and gives the others."""
    file = put(root / "a.txt", b"one\r\ntwo\r\n")
    await project.call("read", path="a.txt")
    assert (await project.call("edit", path="a.txt", old="one\ntwo", new="1\n2")).ok
    assert file.read_bytes() == b"1\r\n2\r\n"


async def test_what_is_no_text_is_not_edited(project, root):
    """An edit would lose its bytes."""
    file = put(root / "a.txt", b"caf\xe9 one")
    await project.call("read", path="a.txt")
    result = await project.call("edit", path="a.txt", old="one", new="two")
    assert "is no UTF-8 text" in result.text
    assert file.read_bytes() == b"caf\xe9 one"


async def test_a_write_protected_file_is_left_alone(project, root):
    """Though its folder could be written."""
    file = put(root / "a.txt", "x")
    file.chmod(0o444)
    await project.call("read", path="a.txt")
    result = await project.call("edit", path="a.txt", old="x", new="y")
    assert "write-protected" in result.text
    assert file.read_text() == "x"


async def test_read_only_denies_a_write_without_a_question(root):
    """And says which flag allows it."""
    project = Project(root, mode=Mode.READ_ONLY)
    result = await project.call("write", path="a.txt", content="x")
    assert "--approve all" in result.text
    assert project.asked == []
    assert not (root / "a.txt").exists()
    project.workspace.close()


@pytest.mark.parametrize(
    "name", [".git/hooks/pre-commit", ".agent-shell/config.toml", "AGENTS.md", "sub/.GIT/config"]
)
async def test_what_decides_what_runs_is_allowed_by_its_own_name_alone(root, name):
    """An answer for a folder does not reach a hook."""
    project = Project(root, Approval.session())
    await project.call("write", path="src/x/a.py", content="x")
    project.tools.gate.policy._always.add("write *")
    await project.call("write", path=name, content="x")
    assert [asked.pattern for asked in project.asked] == ["write src/x/*", f"write {name}"]
    assert project.asked[1].sensitive
    project.workspace.close()


async def test_no_file_is_left_half_written(root, monkeypatch):
    """Where the disk is full, the old file stays and nothing else is there."""
    file = put(root / "a.txt", "old")
    project = Project(root)
    await project.call("read", path="a.txt")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = await project.call("write", path="a.txt", content="new")
    assert (result.ok, result.text) == (False, "No space left on device")
    assert file.read_text() == "old"
    assert [path.name for path in root.iterdir()] == ["a.txt"]
    project.workspace.close()


async def test_the_text_of_a_new_file_is_unicode(project, root):
    """A lone surrogate is refused before anybody is asked."""
    result = await project.call("write", path="a.txt", content="\ud800")
    assert "lone surrogate" in result.text
    assert project.asked == []


def test_a_project_that_is_not_there_is_said(tmp_path: Path):
    """Or that is no folder."""
    with pytest.raises(Exception, match="can't be worked in"):
        Project(tmp_path / "no")


async def test_an_edit_can_not_fill_the_memory(project, root):
    """What it would come to is reckoned before it is made."""
    put(root / "a.txt", "a" * 1_000_000)
    await project.call("read", path="a.txt")
    result = await project.call("edit", path="a.txt", old="a", new="b" * 100_000, all=True)
    assert "would be larger than" in result.text


async def test_a_file_outside_is_written_by_its_own_name_alone(root):
    """An answer for one file of the home folder does not reach the others."""
    project = Project(root, Approval.session())
    for name in ("notes.txt", ".bashrc"):
        await project.call("write", path=f"../{name}", content="x")
    outside = str(root.parent)
    assert [asked.pattern for asked in project.asked] == [
        f"write {outside}/notes.txt",
        f"write {outside}/.bashrc",
    ]
    project.workspace.close()
