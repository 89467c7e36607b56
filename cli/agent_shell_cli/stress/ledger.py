"""What was acknowledged against what got a receipt, counted outside of the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agent_shell import State
from agent_shell.events import Receipt

__all__ = ["Ledger"]


class Ledger:
    """Every acknowledged id must get exactly one receipt, with its own text as the answer.

    `exact` says that an answer is the follow-up's text and nothing else; otherwise
    it begins with it, for what was edited, merged into or steered goes on behind.
    Holds one entry for each follow-up that is open, and none for what is settled.
    """

    __slots__ = ("_ahead", "_exact", "_open", "_others", "accepted", "misattributed", "settled")

    def __init__(self, *, exact: bool = True) -> None:
        self._exact = exact
        self._open: dict[str, str] = {}
        # Receipts that came before the acknowledgement: a producer may be told later.
        self._ahead: Counter[str] = Counter()
        self.accepted = 0
        self.misattributed = 0
        self.settled = 0
        # All but the answered ones, which are most: an enum is slow to hash.
        self._others: Counter[State] = Counter()

    def acknowledged(self, id: str, text: str) -> None:
        """A producer was told that `text` is accepted as `id`."""
        self.accepted += 1
        if self._ahead and id in self._ahead:
            self._ahead[id] -= 1
            if not self._ahead[id]:
                del self._ahead[id]
        else:
            self._open[id] = text

    def receipt(self, receipt: Receipt) -> None:
        """A receipt was told."""
        self.settled += 1
        text = self._open.pop(receipt.id, None)
        if text is None:
            self._ahead[receipt.id] += 1
        if receipt.state is not State.ANSWERED:
            self._others[receipt.state] += 1
        elif receipt.answer != text and text is not None:
            self.misattributed += self._exact or not receipt.answer.startswith(text)

    def lost(self, left: Iterable[str] = ()) -> int:
        """How many have no receipt, but for the ids that were `left` in the queue."""
        return len(self._open.keys() - set(left))

    @property
    def duplicated(self) -> int:
        """Receipts for what had one already, or was never acknowledged."""
        return self._ahead.total()

    def ended(self, state: State) -> int:
        """How many receipts were told with that state."""
        if state is State.ANSWERED:
            return self.settled - self._others.total()
        return self._others[state]
