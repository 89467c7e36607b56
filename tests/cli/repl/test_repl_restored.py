"""What is said of the turns of a session that one comes back to."""

from __future__ import annotations

from agent_shell import State
from agent_shell.agents.base import Exchange
from agent_shell_cli.options import OnInterrupted
from agent_shell_cli.repl.look import Look
from agent_shell_cli.repl.painting import painted
from agent_shell_cli.repl.restored import cut_off_blocks, past
from agent_shell_cli.repl.rows import text_of

LOOK = Look.of(color=True, encoding="utf-8")
WIDTH = 30


def said_of(answer: str, *, raw: bool = False) -> list[str]:
    """The rows of an answer that was cut off, without its heading and what can be done."""
    exchange = Exchange("id", 1, "go", answer, State.INTERRUPTED)
    _, *blocks, _ = cut_off_blocks(exchange, 1, OnInterrupted.ASK, WIDTH, raw=raw)
    return [text_of(row) for block in blocks for row in painted(block, LOOK, WIDTH)]


def test_it_is_shown_as_its_live_answer_would_stand_there() -> None:
    """As Markdown, wrapped between words, with what was not finished as it is."""
    assert said_of("# One\n\nSome **bold** words that take more rows\n\n- and `co") == [
        "One",
        "",
        "Some bold words that take more",
        "rows",
        "",
        "- and `co",
    ]


def test_raw_it_is_shown_as_written() -> None:
    """As the live answer, and as what a command printed."""
    line = "# One **bold** line that is longer than a row of the terminal"
    assert said_of(f"{line}\nnext", raw=True) == [line, "next"]


def test_of_a_long_one_the_end_is_shown() -> None:
    """With what it stands in: code that began further up is code still."""
    code = "".join(f"x = {n}\n" for n in range(2_000))
    rows = said_of(f"```python\n{code}```\n\nAnd **so** on")
    assert " ".join(rows[:2]).startswith("… behind 12,913 characters")
    assert rows[-3:] == ["x = 1999", "", "And so on"]
    first = int(rows[2].removeprefix("x = "))
    assert rows[2:-2] == [f"x = {n}" for n in range(first, 2_000)]
    rows = said_of("".join(f"- **item** {n}\n" for n in range(100_000)))
    assert rows[-1] == "- item 99999"
    assert len(rows) < 300


def test_how_a_past_turn_ended_is_said_where_it_has_no_whole_answer() -> None:
    """One that could not go on is told from one that merely waits: it had its turn."""
    turns = [
        Exchange("a", 1, "one", "yes", State.ANSWERED),
        Exchange("b", 2, "two", "half", State.CANCELLED),
        Exchange("c", 3, "three", "", State.QUEUED),
    ]
    assert past(turns, LOOK).split("\n") == [
        f"{LOOK.prompt} one",
        "yes",
        "",
        f"{LOOK.prompt} two",
        "half",
        f"{LOOK.cross} cancelled",
        "",
        f"{LOOK.prompt} three",
        f"{LOOK.cross} broke off, and went back to the queue",
    ]
