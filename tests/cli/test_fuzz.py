"""Whatever bytes come in: what was found once stays mended, and the fuzzer finds faults."""

from __future__ import annotations

import pytest

from fuzz.loop import Fuzzer
from fuzz.run import corpus_of
from fuzz.target import Target
from fuzz.targets import NAMES, load

FEW = {"journal": 5, "config": 60, "markdown": 30}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_comes_in_breaks_a_rule(name: str) -> None:
    """The corpus, and some inputs made from it, keep every rule of the target."""
    target = load(name)
    for data in corpus_of(name):
        target.run(data)
    fuzzer = Fuzzer(target, seed=1, corpus=corpus_of(name)[:5])
    fuzzer.run(executions=FEW.get(name, 200))
    assert [finding.said for finding in fuzzer.findings.values()] == []


def _planted(data: bytes) -> None:
    if data[:1] == b"{" and data[1:2] == b"\xff":
        raise ValueError("planted")


def test_a_planted_fault_is_found() -> None:
    """One that two bytes guard, of which only the first is in an input that is known."""
    target = Target("planted", _planted, [], seeds=[b"{}"], tokens=[])
    fuzzer = Fuzzer(target, seed=1)
    fuzzer.run(executions=100_000)
    (finding,) = fuzzer.findings.values()
    assert finding.data == b"{\xff"
