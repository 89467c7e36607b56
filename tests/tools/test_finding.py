"""Listing and searching."""

from __future__ import annotations

import asyncio
import os

import pytest

from support_tools import put


async def test_a_folder_is_listed_with_what_each_entry_is(project, root):
    """Folders with a slash, links with an at sign."""
    put(root / "b/x.py", "")
    put(root / "a.py", "")
    (root / "c").symlink_to("a.py")
    assert (await project.call("list")).text == "a.py\nb/\nc@"
    assert (await project.call("list", path="b")).text == "x.py"
    assert (await project.call("list", path="no")).text == "no is not there"


async def test_what_gitignore_says_is_left_out(project, root):
    """Also in folders below, where the nearest counts most; and the repository's own folder."""
    put(root / ".git/x.py", "needle")
    put(root / ".git/info/exclude", "excluded.py\n")
    put(root / ".gitignore", "*.log\nbuild/\n/top.py\n!keep.log\n")
    put(root / "sub/.gitignore", "!*.log\nlocal.py\n")
    for name in ("a.log", "keep.log", "build/a.py", "top.py", "excluded.py"):
        put(root / name, "needle")
    for name in ("top.py", "x.log", "local.py", "build/b.py", "a.py"):
        put(root / "sub" / name, "needle")
    wanted = ["keep.log", "sub/a.py", "sub/top.py", "sub/x.log"]
    listed = (await project.call("list", glob="*")).text.splitlines()
    assert [name for name in listed if ".gitignore" not in name] == wanted
    found = (await project.call("search", pattern="needle")).text.splitlines()
    assert found == [f"{name}:1:needle" for name in wanted]
    below = (await project.call("search", pattern="needle", path="sub")).text.splitlines()
    assert below == [f"{name}:1:needle" for name in wanted[1:]]


async def test_what_a_repository_above_leaves_out_is_left_out(tmp_path, project, root):
    """The project may be a folder of it."""
    (tmp_path / ".git").mkdir()
    put(tmp_path / ".gitignore", "/project/gen/\n*.tmp\n")
    put(root / "gen/a.py", "")
    put(root / "a.tmp", "")
    put(root / "a.py", "")
    assert (await project.call("list", glob="*")).text == "a.py"


@pytest.mark.parametrize(
    ("glob", "names"),
    [("*.py", ["a.py", "src/b.py", "src/x/c.py"]), ("src/**", ["src/b.py", "src/x/c.py"]),
     ("/*.py", ["a.py"]), ("**/c.py", ["src/x/c.py"])],
)  # fmt: skip
async def test_a_glob_is_read_as_in_a_gitignore(project, root, glob, names):
    """At any depth, unless it has a slash."""
    for name in ("a.py", "a.txt", "src/b.py", "src/x/c.py"):
        put(root / name, "")
    assert (await project.call("list", glob=glob)).text.splitlines() == names


async def test_lines_are_found_with_their_place(project, root):
    """In text files, with the case of letters heeded or not."""
    put(root / "a.py", "def one():\n    pass\r\n\ndef Two(): ...\n")
    put(root / "b.bin", b"def \0 three")
    put(root / "c.txt", "def three")
    result = await project.call("search", pattern=r"^def \w+", glob="*.py")
    assert result.text == "a.py:1:def one():\na.py:4:def Two(): ..."
    assert result.shown == "2 lines in 1 files"
    assert (await project.call("search", pattern="TWO", ignore_case=True)).text.startswith(
        "a.py:4:"
    )
    assert (await project.call("search", pattern="def t", path="c.txt")).text == "c.txt:1:def three"
    assert (await project.call("search", pattern="nothing")).text == "[no line matches]"


async def test_what_is_found_is_bounded(project, root):
    """In lines and in their length, and says so."""
    put(root / "a.txt", ("x" * 5_000 + "\n") * 500)
    lines = (await project.call("search", pattern="x", limit=3)).text.splitlines()
    assert len(lines) == 4
    assert len(lines[0]) < 500
    assert "there may be more" in lines[-1]


async def test_what_was_not_searched_is_said(project, root):
    """Nobody is to take the end of a long file for one without a match."""
    put(root / "a.log", "x" * (5 << 20) + "\nneedle\n")
    said = "[no line matches]\n[of 1 files only the first 4,194,304 bytes were searched]"
    assert (await project.call("search", pattern="needle")).text == said


async def test_an_expression_without_end_is_not_read(project):
    """That would take seconds, in which the prompt takes no key."""
    result = await project.call("search", pattern="|".join(map(str, range(40_000))))
    assert result.text == "a regular expression has at most 2,000 characters here"


@pytest.mark.parametrize("pattern", ["(", "*", "a{99999999999}", "(?P<x"])
async def test_what_is_no_expression_is_told(project, pattern):
    """With the fault."""
    result = await project.call("search", pattern=pattern)
    assert not result.ok
    assert "is no regular expression" in result.text


async def test_an_expression_that_never_ends_is_given_up(project, root):
    """And the event loop goes on meanwhile."""
    put(root / "a.txt", "a" * 60 + "!")
    put(root / "b.txt", "aaa")
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.ensure_future(beat())
    result = await project.call("search", pattern=r"^(a|a|b?a)+$")
    beating.cancel()
    assert "a.txt:1:[given up" in result.text
    assert "b.txt:1:aaa" in result.text
    assert beats > 10


async def test_rules_that_could_take_for_ever_are_left_out(project, root):
    """A clone's own .gitignore keeps nobody busy."""
    put(root / ".gitignore", "a*a*a*a*a*a*a*a*a*a*a*a*a*b\n*.log\n")
    put(root / ("a" * 200), "needle")
    put(root / "x.log", "needle")
    result = await asyncio.wait_for(project.call("search", pattern="needle"), 20)
    assert result.text == "a" * 200 + ":1:needle"


async def test_a_cancelled_search_ends_its_thread(project, root):
    """Soon after, though there is much left to search."""
    for number in range(400):
        put(root / f"{number}.txt", "a" * 60 + "!")
    searching = asyncio.ensure_future(project.call("search", pattern=r"^(a|a|b?a)+$"))
    await asyncio.sleep(0)
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    # If it went on, that would take a second a file.
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 60)


async def test_a_name_that_is_no_unicode_is_listed(project, root):
    """With what can't be shown replaced."""
    (root / os.fsdecode(b"a\xff.txt")).write_text("x")
    assert (await project.call("list")).text == "a?.txt"
