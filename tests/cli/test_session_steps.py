"""What `sessions show` and `export` tell of a turn with tools and steered inputs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_shell import Delta, Engine, Entry, Lane, Messages, State, Turn
from agent_shell.agents.base import AgentEvent
from agent_shell.agents.provider.steps import Said, Steered, Used, steps_of
from agent_shell.journal.sqlite import SqliteJournal
from agent_shell_cli.sessions.exporting import export
from agent_shell_cli.sessions.showing import show
from agent_shell_cli.sessions.steps import answered_in_steps


def prompt(text: str) -> dict[str, object]:
    return {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": text}]}


def response(text: str, *calls: tuple[str, str]) -> dict[str, object]:
    parts: list[dict[str, object]] = [{"part_kind": "text", "content": text}]
    for call, args in calls:
        part = {"part_kind": "tool-call", "tool_call_id": call, "tool_name": "shell", "args": args}
        parts.append(dict(part))
    return {"kind": "response", "parts": parts}


def returned(call: str, text: str, outcome: str = "success") -> dict[str, object]:
    part = {"part_kind": "tool-return", "tool_call_id": call, "content": text, "outcome": outcome}
    return {"kind": "request", "parts": [part]}


TURN = [
    prompt("mend it"),
    response("I look.", ("1", '{"command": "make \\u001b[2J"}'), ("2", "no json")),
    returned("1", "2 failed", "failed"),
    prompt("and be quick"),
    response("Mended."),
]
STEPS = [
    Said("I look."),
    Used("1", "shell", {"command": "make \x1b[2J"}, False, "2 failed"),
    Used("2", "shell", {"": "no json"}),
    Steered("and be quick"),
    Said("Mended."),
]


def entry(answer: str) -> Entry:
    return Entry("a", "mend it", Lane.QUEUE, "user", 1.0, State.ANSWERED, "", 1, answer, 2.0)


def test_the_steps_stand_in_their_order() -> None:
    """Also of a tool that never returned, and of arguments that are no JSON."""
    assert steps_of(TURN) == STEPS


@pytest.mark.parametrize(
    ("answer", "steps"),
    [
        ("I look.\n\nMended.", STEPS),
        ("I look.\n\nMended.\n\nAnd mo", [*STEPS, Said("And mo")]),
        ("Mended.", STEPS),
        ("something else", [*STEPS, Said("something else")]),
        ("", STEPS),
    ],
)
def test_no_word_of_an_answer_is_left_out(answer: str, steps: list[object]) -> None:
    """The messages have only what was whole: the rest of the answer stands behind them."""
    assert answered_in_steps(entry(answer), TURN) == steps


def test_without_messages_the_answer_is_the_only_step() -> None:
    """As with an agent that keeps none."""
    assert answered_in_steps(entry("yes"), ()) == [Said("yes")]
    assert answered_in_steps(entry(""), ()) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
PART = st.fixed_dictionaries(
    {"part_kind": st.sampled_from(["text", "tool-call", "tool-return", "user-prompt"])},
    optional={"content": JSON, "args": JSON, "tool_call_id": JSON, "outcome": JSON},
)


@given(st.lists(st.dictionaries(st.just("parts"), st.lists(PART, max_size=6) | JSON), max_size=6))
def test_whatever_the_journal_holds_is_read(messages: list[dict[str, object]]) -> None:
    """What is not understood is left out; nothing raises."""
    for step in steps_of(messages):
        assert isinstance(step, Said | Steered | Used)


class Mender:
    """Keeps the messages of the turn above."""

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        yield Messages(TURN[:3])
        yield Delta("I look.\n\nMended.")
        yield Messages(TURN[3:])


async def journal_with_a_turn(path: Path) -> Path:
    journal = SqliteJournal(path)
    async with Engine(Mender(), journal=journal) as engine:
        session = await engine.open("s")
        accepted = await session.submit("mend it")
        await session.receipt(accepted.id)
    await journal.close()
    return path


async def test_show_tells_the_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was said and done in its order, with nothing that a terminal obeys."""
    path = await journal_with_a_turn(tmp_path / "j.sqlite")
    show(path, "s", as_json=False)
    shown = capsys.readouterr().out
    assert (
        '> mend it\nI look.\n  * shell make ␛[2J: failed\n  * shell {"": "no json"}: cut off\n'
        "> and be quick  (steered it here)\nMended.\n  — answered"
    ) in shown
    show(path, "s", as_json=True)
    steps = json.loads(capsys.readouterr().out)["follow_ups"][0]["steps"]
    assert [step["step"] for step in steps] == ["said", "used", "used", "steered", "said"]
    assert steps[1] == {
        "step": "used",
        "tool": "shell",
        "arguments": {"command": "make \x1b[2J"},
        "ok": False,
        "text": "2 failed",
    }


@pytest.mark.parametrize("form", ["md", "html"])
async def test_export_tells_the_steps(tmp_path: Path, form: str) -> None:
    """In both forms, with what each tool gave."""
    path = await journal_with_a_turn(tmp_path / "j.sqlite")
    export(path, "s", form, str(tmp_path / "out"))
    text = (tmp_path / "out").read_text(encoding="utf-8")
    places = [text.find(part) for part in ("I look.", "2 failed", "and be quick", "Mended.")]
    assert places == sorted(places)
    assert -1 not in places
    assert "\x1b" not in text
