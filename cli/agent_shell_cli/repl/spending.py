"""What a session has used, as far as its turns have said so, and the status line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_shell import Usage
from agent_shell.events import TurnEnded
from agent_shell.records import record
from agent_shell_cli.counting import counted
from agent_shell_cli.repl.live import elapsed

__all__ = ["Spending", "status"]

_UNSAID = "the model does not say"


@record
class Spending:
    """Sums over the turns of a session; `context` and `window` are those of the last turn.

    Tokens, US dollars and seconds. `cost_usd` and `window` are `None` where no turn
    has said them.
    """

    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = None
    context: int = 0
    window: int | None = None
    seconds: float = 0.0
    last_s: float = 0.0

    def add(self, event: TurnEnded) -> None:
        """Adds a turn that is over."""
        self.turns += 1
        self.seconds += event.elapsed_s
        self.last_s = event.elapsed_s
        if event.usage is not None:
            self._add(event.usage)

    def _add(self, usage: Usage) -> None:
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.context = usage.input_tokens + usage.output_tokens
        self.cached_tokens += int(usage.extra.get("cached_tokens") or 0)
        cost, window = usage.extra.get("cost_usd"), usage.extra.get("window")
        if isinstance(cost, int | float):
            self.cost_usd = (self.cost_usd or 0.0) + cost
        if isinstance(window, int) and window > 0:
            self.window = window

    def text(self) -> str:
        """The sums, one a line."""
        if not self.turns:
            return "no turn has ended since this shell was opened"
        if not self.input_tokens + self.output_tokens:
            return (
                f"{counted(self.turns, 'turn')} in {elapsed(self.seconds)}; {_UNSAID} what it used"
            )
        cached = f" ({self.cached_tokens:,} of them cached)" if self.cached_tokens else ""
        rows = [
            ("turns", f"{self.turns:,} in {elapsed(self.seconds)}"),
            ("read", f"{self.input_tokens:,} tokens{cached}"),
            ("written", f"{self.output_tokens:,} tokens"),
            ("context", f"{_context(self)} in the last turn"),
            ("cost", f"{_UNSAID} it" if self.cost_usd is None else _dollars(self.cost_usd)),
        ]
        return "\n".join([f"  {name:<8} {what}" for name, what in rows] + ["since it was opened"])


def status(parts: Sequence[str], spending: Spending, names: Mapping[str, str], count: int) -> str:
    """The status line: those of `parts` that there is something to say about.

    `names` has the texts of `model`, `session` and `folder`; `count` follow-ups wait.
    """
    said = {
        **names,
        "queue": f"{count:,} waiting" if count else "",
        "context": f"context {_context(spending)}" if spending.context else "",
        "tokens": f"{_short(spending.input_tokens)} in, {_short(spending.output_tokens)} out"
        if spending.input_tokens
        else "",
        "elapsed": elapsed(spending.last_s) if spending.turns else "",
        "cost": "" if spending.cost_usd is None else _dollars(spending.cost_usd),
    }
    return " · ".join(text for part in parts if (text := said.get(part, "")))


def _context(spending: Spending) -> str:
    used = f"{_short(spending.context)} tokens"
    if spending.window is None:
        return used
    return f"{_short(spending.context)} of {_short(spending.window)} tokens"


def _short(count: int) -> str:
    return f"{count:,}" if count < 10_000 else f"{count / 1000:,.0f}k"


def _dollars(cost: float) -> str:
    return f"${cost:.4f}" if cost < 1 else f"${cost:,.2f}"
