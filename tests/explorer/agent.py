"""An agent of which each step comes when the explorer says so."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from agent_shell import Delta, ModelUnreachable, RateLimited, Turn
from agent_shell.agents.base import AgentEvent
from explorer.loop import Clock, depth

__all__ = ["Play", "PuppetAgent", "Run", "Watcher"]

_MARK: contextvars.ContextVar[int] = contextvars.ContextVar("_MARK", default=0)


@dataclass(frozen=True)
class Play:
    """What a turn does, step by step; each waits for the explorer, but after a `!`.

    `say`, `steers` (takes what is to steer it), `history`, `fail`, `limit`,
    `unreachable`, `dies` (cancels itself). At the end, `clean_up` is waited for too, and
    `breaks` raises out of it; `stubborn` does not heed a cancellation.
    """

    steps: tuple[str, ...] = ("say",)
    clean_up: bool = False
    breaks: bool = False
    stubborn: bool = False


@dataclass
class Run:
    """One run of the agent on one follow-up."""

    turn: Turn
    key: str
    number: int
    id: str
    text: str
    depth: int
    inherited: int
    steps: list[str] = field(default_factory=list[str])
    said: list[str] = field(default_factory=list[str])
    took: list[str] = field(default_factory=list[str])
    gate: asyncio.Future[None] | None = None
    doing: str = ""
    cancelled: bool = False
    over: bool = False
    failed: str = ""


class Watcher(Protocol):
    """Who is told what the agent does."""

    def begun(self, process: str, run: Run) -> None:
        """It has the turn."""
        ...

    def said(self, process: str, run: Run) -> None:
        """It says the last word of `run.said`."""
        ...


class PuppetAgent:
    """Plays `plays` by the follow-up's text; a text that runs again is answered."""

    def __init__(
        self,
        name: str,
        plays: Mapping[str, Play],
        watcher: Watcher,
        clock: Clock,
        word_s: float,
    ) -> None:
        self.name, self.plays, self.watcher = name, plays, watcher
        self.clock, self.word_s = clock, word_s
        self.runs: list[Run] = []
        self.played: set[str] = set()
        self.finishing = False  # nothing goes wrong any more

    def run(self, turn: Turn) -> _Stream:
        """Answers the turn."""
        play = self.plays.get(turn.text.split("\n")[0], self.plays.get("", Play()))
        if turn.text in self.played or self.finishing:
            play = Play()
        self.played.add(turn.text)
        return _Stream(self, turn, play)


class _Stream:
    """Not an async generator, which would outlive a process that is thrown away."""

    def __init__(self, agent: PuppetAgent, turn: Turn, play: Play) -> None:
        self._agent, self._play = agent, play
        self._run = Run(
            turn,
            turn.session_key,
            turn.number,
            turn.id,
            turn.text,
            depth(),
            _MARK.get(),
            list(play.steps),
        )
        _MARK.set(turn.number)
        self._begun = self._cleaned = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AgentEvent:
        run = self._run
        if not self._begun:
            self._begun = True
            self._agent.runs.append(run)
            self._agent.watcher.begun(self._agent.name, run)
        try:
            while run.steps:
                event = await self._step(run.steps.pop(0))
                if event is not None:
                    return event
        except (Exception, asyncio.CancelledError):
            await self._clean_up()
            raise
        await self._clean_up()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """The engine does not want the rest."""
        self._run.cancelled = True
        await self._clean_up()

    async def _step(self, what: str) -> AgentEvent | None:
        if not what.startswith("!"):
            await self._wait(what)
        run = self._run
        match what.lstrip("!"):
            case "say":
                self._agent.clock.now += self._agent.word_s
                run.said.append(f"{run.text}.{len(run.said) + 1} ")
                self._agent.watcher.said(self._agent.name, run)
                return Delta(run.said[-1])
            case "steers":
                run.took += [steer.id for steer in run.turn.take_steers()]
            case "history":
                await run.turn.history()
            case failure:
                run.failed = failure
                error = _FAILURES[failure]()
                raise error
        return None

    async def _wait(self, what: str) -> None:
        run = self._run
        while True:
            run.gate, run.doing = asyncio.get_running_loop().create_future(), what
            try:
                await run.gate
                return
            except asyncio.CancelledError:
                run.cancelled = True
                if not self._play.stubborn or self._agent.finishing:
                    raise
            finally:
                run.gate = None

    async def _clean_up(self) -> None:
        if self._cleaned:
            return
        self._cleaned = True
        try:
            if self._play.clean_up:
                await self._wait("clean up")
            if self._play.breaks:
                self._run.failed = "clean-up"
                raise RuntimeError("the clean-up broke")
        finally:
            self._run.over = True


_FAILURES: dict[str, Callable[[], BaseException]] = {
    "fail": lambda: RuntimeError("boom"),
    "limit": lambda: RateLimited("slow down", 5.0),
    "unreachable": lambda: ModelUnreachable("nobody there"),
    "dies": asyncio.CancelledError,
}
