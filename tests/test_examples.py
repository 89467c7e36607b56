"""The programs in `examples/` do what they say, run as anybody would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT / "core"), "PYTHONUTF8": "1"}


def output(name: str) -> list[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    return subprocess.run(
        command, env=ENVIRON, check=True, capture_output=True, text=True, timeout=60
    ).stdout.splitlines()


def test_the_script_has_a_receipt_for_each() -> None:
    """Edited, withdrawn, moved and interrupted: each input ends once, in its own way."""
    lines = output("script.py")
    assert lines[0].startswith("ann: cancelled by a newer input")
    assert lines[1:] == [
        "ann: answered: and then that",
        "ann: withdrawn by user",
        "ann: answered: the last word",
        "bob: answered: meanwhile, in another session",
        "ann: answered: stop, this first",
    ]


def test_the_custom_agent_is_steered_interrupted_and_waits_for_its_provider() -> None:
    """A safe point, a cancellation with clean-up, a hold that ends by itself."""
    steered, counted, cancelled, waited, files = output("custom_agent.py")
    assert steered == "steered into turn 1"
    assert "(faster)" in counted
    assert counted.endswith("= 6")
    assert cancelled == "cancelled by user"
    assert waited == "ask the busy one = 4"
    assert files == "0 open files"


@contextmanager
def gateway(journal: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A gateway on a port of its own, killed at the end."""
    command = [sys.executable, str(EXAMPLES / "webhook_gateway.py"), str(journal)]
    with subprocess.Popen(command, env=ENVIRON, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def post(url: str, key: str, message: Any) -> tuple[int, Any]:
    """Sends one message; the status and the JSON of the answer."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    request = urllib.request.Request(f"{url}/sessions/{key}/messages", body)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def receipt(url: str, key: str, id: str) -> Any:
    with urllib.request.urlopen(f"{url}/sessions/{key}/receipts/{id}", timeout=30) as response:
        return json.load(response)


def test_the_gateway_answers_each_request_of_many_sessions(tmp_path: Path) -> None:
    """Concurrent messages to many sessions: each is acknowledged, and answered in its own."""
    with gateway(tmp_path / "j.sqlite") as (url, _), ThreadPoolExecutor(8) as pool:
        messages = [(f"s{n % 10}", {"text": f"text {n}", "id": f"id{n}"}) for n in range(100)]
        said = list(pool.map(lambda one: post(url, *one), messages))
        assert [status for status, _ in said] == [202] * 100
        for key, message in messages:
            assert receipt(url, key, message["id"]) == {
                "id": message["id"],
                "state": "answered",
                "answer": message["text"],
            }


@pytest.mark.parametrize(
    ("message", "status"),
    [(b"{", 400), ({"txt": 1}, 400), ({"text": 1}, 400), (b" " * (1 << 20) + b"1", 413)],
)
def test_the_gateway_refuses_aloud(tmp_path: Path, message: Any, status: int) -> None:
    """What makes no sense or is too large is refused with a reason."""
    with gateway(tmp_path / "j.sqlite") as (url, _):
        code, said = post(url, "s", message)
        assert code == status
        assert said["error"]


def test_the_gateway_loses_nothing_when_it_is_killed(tmp_path: Path) -> None:
    """Whatever was acknowledged before a kill -9 has its receipt after the restart."""
    journal = tmp_path / "j.sqlite"
    with gateway(journal) as (url, process):
        sent = [post(url, "s", {"text": f"text {n}", "id": f"id{n}"})[0] for n in range(30)]
        assert sent == [202] * 30
        process.kill()
    with gateway(journal) as (url, _):
        assert post(url, "s", {"text": "again", "id": "last"})[0] == 202
        assert all(receipt(url, "s", f"id{n}")["state"] == "answered" for n in range(30))
        assert receipt(url, "s", "last")["answer"] == "again"
