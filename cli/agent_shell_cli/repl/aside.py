"""A question beside the session: it sees the history and leaves no trace in it."""

from __future__ import annotations

from collections.abc import Callable

from agent_shell import Agent, Budget, Delta, Exchange, FollowUp, State
from agent_shell.agents.base import finish

__all__ = ["ask_aside"]

# Of an answer, in characters: nobody reads more beside something else.
_KEPT = 1 << 16


class _Aside:
    """Implements `agent_shell.Turn`, for a turn of no session."""

    number = 0
    id = "aside"
    sender = "user"
    stopping = False
    allowance = Budget()

    def __init__(self, key: str, text: str, past: list[Exchange]) -> None:
        self.session_key = key
        self.text = text
        self._past = past

    async def history(self, limit: int = 1000) -> list[Exchange]:
        """The last `limit` turns of the session that it is asked beside."""
        return self._past[-limit:] if limit > 0 else []

    def take_steers(self, _where: str = "", /) -> list[FollowUp]:
        """Nothing steers it."""
        return []


async def ask_aside(
    agent: Agent,
    key: str,
    question: str,
    history: list[Exchange],
    running: tuple[str, str] | None,
    tell: Callable[[str], None],
) -> None:
    """Has `agent` answer beside session `key`; `tell` gets the answer in pieces.

    `running` is the text of the turn that runs and what it has said so far. Raises
    what the agent raises; ends it when it is cancelled, or has said too much.
    """
    past = list(history)
    if running is not None:
        number = past[-1].turn + 1 if past else 1
        past.append(Exchange("running", number, *running, State.RUNNING))
    said = 0
    events = agent.run(_Aside(key, question, past))
    try:
        async for event in events:
            if isinstance(event, Delta):
                tell(event.text)
                said += len(event.text)
            if said > _KEPT:
                tell(f"\n[cut off after {_KEPT:,} characters]")
                return
    finally:
        await finish(events)
