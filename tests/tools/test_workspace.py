"""No path that a model names gets out of the project, or keeps anybody waiting."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_shell.tools import Approval, ToolError, Workspace
from agent_shell.tools.sensitive import may_hold_secrets
from agent_shell.tools.workspace import Place
from support_tools import Project, put

SECRET = "THE-SECRET"


@pytest.fixture
def denied(root: Path) -> Iterator[Project]:
    """A project whose every question is denied."""
    put(root.parent / "outside/secret.txt", SECRET)
    project = Project(root, Approval.deny())
    yield project
    project.workspace.close()


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.txt",
        "a/../../outside/secret.txt",
        "./a/.././../outside/secret.txt",
        "link/secret.txt",
        "a/file-link",
        "a/up/outside/secret.txt",
        "chain/secret.txt",
        "OUTSIDE/secret.txt",
    ],
)
async def test_a_way_out_of_the_project_is_asked(denied, root, path):
    """By its real name, whatever leads there; a denial reads nothing."""
    outside = root.parent / "outside"
    (root / "a").mkdir()
    (root / "link").symlink_to(outside)
    (root / "chain").symlink_to("link")
    (root / "a/file-link").symlink_to("../../outside/secret.txt")
    (root / "a/up").symlink_to("../..")
    result = await denied.call("read", path=path.replace("OUTSIDE", str(outside)))
    assert not result.ok
    assert SECRET not in result.text
    (asked,) = denied.asked
    assert asked.outside
    assert asked.subject == str(outside / "secret.txt")


async def test_a_link_within_the_project_is_followed(project, root):
    """And what is written through it goes to the file that it leads to."""
    file = put(root / "docs/a.md", "one")
    (root / "a.md").symlink_to("docs/a.md")
    assert (await project.call("read", path="a.md")).text == "     1\tone"
    assert (await project.call("edit", path="a.md", old="one", new="two")).ok
    assert file.read_text() == "two"
    assert (root / "a.md").is_symlink()
    assert project.asked[0].subject == "docs/a.md"


async def test_what_was_allowed_outside_is_read(root):
    """The answer decides, and for a folder where it says so."""
    file = put(root.parent / "outside/a.txt", "one")
    put(root.parent / "outside/b.txt", "two")
    project = Project(root, Approval.session(), Approval.deny())
    assert (await project.call("read", path=str(file))).ok
    assert (await project.call("read", path="../outside/b.txt")).ok
    assert [asked.pattern for asked in project.asked] == [f"read {root.parent}/outside/*"]
    project.workspace.close()


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ",
        "/proc/self/root/etc/hostname",
        "/dev/zero",
        "/dev/stdin",
        "/sys/kernel/uevent_seqnum",
    ],
)
async def test_what_the_system_shows_as_files_is_never_opened(root, path):
    """Not even with an answer; some never end, some act when they are read."""
    project = Project(root, Approval.once())
    result = await project.call("read", path=path)
    if path == "/proc/self/root/etc/hostname":  # a link to /etc/hostname, and asked as that
        assert project.asked[0].subject == "/etc/hostname"
    else:
        assert not result.ok
        assert "is not opened" in result.text
    project.workspace.close()


async def test_links_to_devices_are_never_opened(project, root):
    """Nor found by a search."""
    (root / "zero").symlink_to("/dev/zero")
    (root / "environ").symlink_to("/proc/self/environ")
    for name in ("zero", "environ"):
        assert "is not opened" in (await project.call("read", path=name)).text
    assert (await project.call("search", pattern="PATH")).text == "[no line matches]"


async def test_a_pipe_or_a_socket_keeps_nobody_waiting(project, root):
    """None of the tools opens it, and each says so or leaves it out."""
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        for name in ("pipe", "socket"):
            for tool, arguments in (
                ("read", {}),
                ("write", {"content": "x"}),
                ("edit", {"old": "x", "new": "y"}),
            ):
                result = await project.call(tool, path=name, **arguments)
                assert not result.ok
                assert "no regular file" in result.text
    assert (await project.call("search", pattern="x")).text == "[no line matches]"
    assert (await project.call("list")).text == "pipe=\nsocket="
    assert project.asked == []


async def test_a_loop_of_links_is_said(project, root):
    """Not followed for ever."""
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    result = await project.call("read", path="a/x")
    assert not result.ok


@contextmanager
def swapped(root: Path, inner: Path, outer: Path) -> Iterator[None]:
    """`root/d` is by turns the folder `inner` and a link to `outer`, as fast as can be."""
    over = threading.Event()

    def swap() -> None:
        there = root / "d"
        while not over.is_set():
            try:
                inner.rename(there)
                there.rename(inner)
                there.symlink_to(outer)
                there.unlink()
            except OSError:  # somebody made the folder meanwhile
                shutil.rmtree(there, ignore_errors=True)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_no_race_between_check_and_use_reads_outside(root):
    """A folder that is swapped for a link while it is read gives its own file or nothing."""
    inner = root / "inner"
    put(inner / "secret.txt", "harmless")
    outside = put(root.parent / "outside/secret.txt", SECRET).parent
    seen: set[str] = set()
    with Workspace(root) as workspace, swapped(root, inner, outside):
        for _ in range(8_000):
            try:
                place = workspace.locate("d/secret.txt")
                found = b"asked" if place.outside else workspace.read(place, 100)[0]
                seen.add(found.decode())
            except ToolError:
                seen.add("refused")
    assert seen <= {"harmless", "asked", "refused"}
    assert {"harmless", "refused"} <= seen


def test_no_race_between_check_and_use_opens_outside(root):
    """The same for the two steps, with the swap in between."""
    put(root / "d/secret.txt", "harmless")
    outside = put(root.parent / "outside/secret.txt", SECRET).parent
    with Workspace(root) as workspace:
        place = workspace.locate("d/secret.txt")
        (root / "d").rename(root / "e")
        (root / "d").symlink_to(outside)
        with pytest.raises(ToolError, match="has become a link"):
            workspace.read(place, 100)
        with pytest.raises(ToolError, match="has become a link"):
            workspace.write(place, b"x", None)
        (root / "d").unlink()
        (root / "e").rename(root / "d")
        (root / "d/secret.txt").unlink()
        (root / "d/secret.txt").symlink_to(outside / "secret.txt")
        with pytest.raises(ToolError, match="has become a link"):
            workspace.read(place, 100)
        with pytest.raises(ToolError, match="no regular file"):
            workspace.write(place, b"x", None)
    assert (outside / "secret.txt").read_text() == SECRET


def test_no_race_writes_outside(root):
    """What is written lands in the project, or nowhere."""
    inner, outside = root / "inner", root.parent / "outside"
    inner.mkdir()
    outside.mkdir()
    done = 0
    with Workspace(root) as workspace, swapped(root, inner, outside):
        for number in range(500):
            place = Place(("d", f"{number}.txt"))
            try:
                workspace.write(place, b"x", None)
                done += 1
            except (ToolError, OSError):
                pass
    assert list(outside.iterdir()) == []


async def test_the_project_may_be_moved_meanwhile(project, root):
    """It is held by its descriptor: its old name, now somebody else's, is not looked at."""
    put(root / "a.txt", "own")
    root.rename(root.parent / "moved")
    put(root / "a.txt", "other")
    assert (await project.call("read", path="a.txt")).text == "     1\town"


@pytest.mark.parametrize(
    "path",
    [
        ".env", ".env.local", "a/.ENV", "x.pem", "deploy/id_rsa", "id_ed25519.bak", "server.key",
        ".ssh/known_hosts", "a/.aws/config", "credentials.json", ".netrc", ".git/config",
        ".npmrc", "secrets.yaml", "prod.tfvars", "sub/.git/config", ".docker/config.json",
    ],
)  # fmt: skip
async def test_a_secret_is_not_read_without_a_question(denied, root, path):
    """Which says that it may be one, and is for this file alone."""
    put(root / path, SECRET)
    result = await denied.call("read", path=path)
    assert not result.ok
    assert SECRET not in result.text
    (asked,) = denied.asked
    assert asked.sensitive
    assert asked.note == "may hold secrets"
    assert asked.pattern == f"read {path}"
    assert SECRET not in (await denied.call("search", pattern="SECRET")).text


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        "id_rsa.pub",
        "src/secrets.py",
        "tokenizer.py",
        "environment.txt",
        "monkey.txt",
        "identity.py",
        ".github/x.yml",
    ],
)
def test_what_only_looks_like_a_secret_is_none(path):
    """Code and examples are read as everything else."""
    assert not may_hold_secrets(path.split("/"))


async def test_a_secret_by_another_name_is_still_one(denied, root):
    """A link to it in the project is asked as what it leads to."""
    put(root / ".env", SECRET)
    (root / "notes.txt").symlink_to(".env")
    await denied.call("read", path="notes.txt")
    assert denied.asked[0].subject == ".env"


_PARTS = st.sampled_from(["a", "b", "f", "..", ".", "in", "out", "up", "self", "deep"])


@settings(max_examples=150)
@given(st.lists(_PARTS, min_size=1, max_size=8), st.booleans())
def test_every_path_is_located_where_the_system_would_go(parts, absolute):
    """In the project if and only if it leads there; what is then opened is that file."""
    with _tree() as root, Workspace(root) as workspace:
        path = "/".join(parts)
        if absolute:
            path = f"{root}/{path}"
        try:
            place = workspace.locate(path)
        except ToolError:
            return
        real = Path(os.path.realpath(root / path))
        assert place.outside != real.is_relative_to(root)
        wanted = real.parts[1:] if place.outside else real.relative_to(root).parts
        assert place.parts == wanted
        assert ".." not in place.parts
        try:
            data, stamp = workspace.read(place, 100)
        except ToolError:
            assert not real.is_file()
        else:
            assert data == real.read_bytes()
            assert stamp.inode == real.stat().st_ino


@contextmanager
def _tree() -> Iterator[Path]:
    top = Path(tempfile.mkdtemp()).resolve()
    try:
        root = top / "root"
        for file in ("f", "a/f", "a/b/f", "a/a/f"):
            put(root / file, file)
        put(top / "elsewhere/f", "elsewhere")
        put(top / "f", "above")
        (root / "in").symlink_to("a")
        (root / "a/out").symlink_to(top / "elsewhere")
        (root / "out").symlink_to("../elsewhere")
        (root / "a/b/up").symlink_to("../../..")
        (root / "self").symlink_to(".")
        (root / "deep").symlink_to("in/b/up/root/a")
        yield root
    finally:
        shutil.rmtree(top)
