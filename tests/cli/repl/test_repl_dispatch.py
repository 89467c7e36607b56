"""Who answers a turn: the model, or the shell itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agent_shell import AgentEvent, Delta, Engine, Exchange, Notice, State, Turn
from agent_shell_cli.repl.aside import ask_aside
from agent_shell_cli.repl.dispatch import Dispatch, for_model
from agent_shell_cli.repl.router import PROMPT_SENDER


class Recall:
    """Answers with its text, and remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[tuple[str, str]]]] = []
        self.ended = 0

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        history = await turn.history()
        self.seen.append((turn.text, [(e.text, e.answer) for e in history]))
        try:
            yield Delta(f"so: {turn.text}")
        finally:
            self.ended += 1


async def change_model(name: str) -> str:
    return f"model {name!r}"


def dispatch(agent: Recall) -> Dispatch:
    return Dispatch(agent, change_model)


async def answers(agent: Dispatch, *lines: tuple[str, str]) -> list[str]:
    """The answers of a session to these texts from these senders, one after another."""
    said = []
    async with Engine(agent) as engine:
        session = engine.session("s")
        for text, sender in lines:
            accepted = await session.submit(text, sender=sender)
            said.append((await session.receipt(accepted.id)).answer)
    return said


async def test_only_the_prompts_own_lines_are_run() -> None:
    """What somebody else wrote is a text, whatever it looks like."""
    agent = Recall()
    said = await answers(dispatch(agent), ("!echo hi", PROMPT_SENDER), ("!echo hi", "send"))
    assert said == ["hi\n", "so: !echo hi"]


async def test_a_failing_line_is_an_answer() -> None:
    """It has run: nothing is held because of it."""
    assert await answers(dispatch(Recall()), ("!exit 2", PROMPT_SENDER)) == ["\n[exit status 2]"]


async def test_the_model_is_changed_in_its_place() -> None:
    """`/model` is carried out when its turn comes."""
    said = await answers(
        dispatch(Recall()), ("/model a:b", PROMPT_SENDER), ("/model", PROMPT_SENDER)
    )
    assert said == ["model 'a:b'", "model ''"]


async def test_a_model_is_told_of_lines_and_not_of_private_ones() -> None:
    """The output of `!` is in its history, that of `!!` and `/model` is not."""
    agent = Recall()
    lines = ("!echo hi", "!!echo secret", "/model")
    await answers(dispatch(agent), *((line, PROMPT_SENDER) for line in lines), ("what?", "user"))
    ((_, history),) = agent.seen
    told = "I ran this in my shell: echo hi\nThis was its output:\nhi\n"
    assert history == [(told, "I have seen it.")]


def test_of_a_long_output_a_model_sees_the_end() -> None:
    """It says that this is not all."""
    line = Exchange("a", 1, "!x", "y" * 9_000 + "end", State.ANSWERED, PROMPT_SENDER)
    (told,) = for_model([line])
    assert told.text.endswith("the end of its output:\n" + "y" * 7_997 + "end")


async def test_an_aside_sees_the_session_and_leaves_no_trace() -> None:
    """It is asked with the history and with what the running turn has said so far."""
    agent = Recall()
    said: list[str] = []
    past = [Exchange("a", 4, "first", "one", State.ANSWERED)]
    await ask_aside(agent, "s", "and?", past, ("second", "tw"), said.append)
    assert said == ["so: and?"]
    assert agent.seen == [("and?", [("first", "one"), ("second", "tw")])]
    assert (len(past), agent.ended) == (1, 1)


class Endless:
    """Never stops talking."""

    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        yield Notice("begin")
        while True:
            yield Delta("x" * 1000)


async def test_an_aside_has_an_end() -> None:
    """One that never stops is cut off, and that is said."""
    said: list[str] = []
    await ask_aside(Endless(), "s", "and?", [], None, said.append)
    assert said[-1] == "\n[cut off after 65,536 characters]"
