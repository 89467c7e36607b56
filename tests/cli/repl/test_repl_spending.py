"""What a session has used, and the status line."""

from __future__ import annotations

from agent_shell import State, Usage
from agent_shell.events import TurnEnded
from agent_shell_cli.repl.spending import Spending, status

NAMES = {"model": "echo", "session": "s1", "folder": "work"}


def ended(usage: Usage | None, seconds: float = 2.0) -> TurnEnded:
    return TurnEnded("s", 1.0, 1, "a", State.ANSWERED, seconds, usage)


def test_turns_are_summed() -> None:
    """Tokens, money and time of all turns; the context is that of the last."""
    spending = Spending()
    spending.add(ended(Usage(100, 20, {"cached_tokens": 60, "cost_usd": 0.002, "window": 4096})))
    spending.add(ended(None, 60.0))
    spending.add(ended(Usage(200, 30, {"cost_usd": 0.003})))
    assert (spending.input_tokens, spending.output_tokens, spending.cached_tokens) == (300, 50, 60)
    assert (spending.context, spending.window, spending.turns) == (230, 4096, 3)
    text = spending.text()
    assert "3 in 1 min 4 s" in text
    assert "300 tokens (60 of them cached)" in text
    assert "230 of 4,096 tokens" in text
    assert "$0.0050" in text


def test_what_nobody_said_is_not_made_up() -> None:
    """Without a price there is no cost, and without a turn nothing at all."""
    spending = Spending()
    assert spending.text() == "no turn has ended since this shell was opened"
    spending.add(ended(None))
    assert spending.text() == "1 turn in 2 s; the model does not say what it used"
    spending.add(ended(Usage(1, 1, {"cost_usd": "free", "window": -1})))
    assert "the model does not say it" in spending.text()
    assert spending.window is None


def test_the_status_line_has_the_parts_that_were_asked_for() -> None:
    """In their order, and without those that have nothing to say."""
    parts = ("model", "queue", "context", "tokens", "cost")
    assert status(parts, Spending(), NAMES, 0) == "echo"
    spending = Spending()
    spending.add(ended(Usage(20_000, 30, {"cost_usd": 1.5})))
    said = status((*parts, "elapsed", "session", "folder"), spending, NAMES, 1234)
    assert said == (
        "echo · 1,234 waiting · context 20k tokens · 20k in, 30 out · $1.50 · 2 s · s1 · work"
    )
