"""What the requests of a turn have used, added up."""

from __future__ import annotations

from typing import Any

from pydantic_ai.messages import ModelResponse

from agent_shell.agents.base import Usage
from agent_shell.agents.provider.library.connected import Window
from agent_shell.errors import BudgetSpent
from agent_shell.state import Budget

__all__ = ["Spending", "context_of"]

_LEAST = 16  # tokens of an answer: some providers let no fewer be asked for


def context_of(response: ModelResponse) -> int:
    """How many tokens the conversation has, with this response as its end; 0 if unknown."""
    return response.usage.input_tokens + response.usage.output_tokens


class Spending:
    """Sums over the requests of one turn; `window` is the model's."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._input = self._output = self._cached = self._context = 0
        self._cost: float | None = None

    def add(self, response: ModelResponse) -> Usage:
        """The turn's usage with this response counted."""
        used = response.usage
        self._input += used.input_tokens
        self._output += used.output_tokens
        self._cached += used.cache_read_tokens
        self._context = context_of(response)
        if (cost := _cost_usd(response)) is not None:
            self._cost = (self._cost or 0.0) + cost
        return self._usage()

    def check(self, allowance: Budget) -> None:
        """Raises `BudgetSpent` where the turn has used what it may."""
        tokens = self._input + self._output
        if allowance.tokens is not None and tokens >= allowance.tokens:
            raise BudgetSpent(f"the budget is spent: this turn has used {tokens:,} tokens")
        if allowance.cost_usd is not None and (self._cost or 0.0) >= allowance.cost_usd:
            raise BudgetSpent(f"the budget is spent: this turn has cost ${self._cost or 0.0:.4f}")

    def unheld(self, allowance: Budget) -> str:
        """What a user should know of a bound that is not heeded, for nobody counts; or ""."""
        if allowance.tokens is not None and not self._input + self._output:
            return "The provider does not count the tokens: the budget of them does not hold here."
        if allowance.cost_usd is not None and self._cost is None:
            return "Nobody says what this model costs: the budget of dollars does not hold here."
        return ""

    def room(self, allowance: Budget, asked: int) -> int | None:
        """How many tokens an answer may have to a request of about `asked`; `None` for any.

        Raises `BudgetSpent` where there is no room for one. A turn's first request is sent
        in any case: a conversation that takes more than the whole budget could not go on
        otherwise, however often it is granted anew.
        """
        if allowance.tokens is None:
            return None
        used = self._input + self._output
        left = allowance.tokens - used
        if left - asked >= _LEAST:
            return left - asked
        if used:
            raise BudgetSpent(
                f"the budget is spent: of its tokens {max(left, 0):,} are left, and the next "
                f"request takes about {asked:,}"
            )
        return max(left, _LEAST)

    def _usage(self) -> Usage:
        extra: dict[str, Any] = {
            "cached_tokens": self._cached,
            "context_tokens": self._context,
            "cost_usd": self._cost,
            "window": self._window.tokens,
        }
        known = {name: value for name, value in extra.items() if value is not None}
        return Usage(self._input, self._output, known)


def _cost_usd(response: ModelResponse) -> float | None:
    """What it cost, where the provider says it or the price list knows the model."""
    if response.usage.cost is not None:
        return float(response.usage.cost)
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None
