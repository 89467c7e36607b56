"""What a scripted model says, and what it expects to be asked: a test's script reads as a story.

    Story(
        user("mend the sum"),
        say("I look first."), call("read", path="sums.py"),
        result("read", "return a - b"),
        call("edit", path="sums.py", old="a - b", new="a + b"),
        result("edit"),
        say("Mended."),
    )

`user`, `result` and `request` begin the next request that the model expects; what follows
up to the next of them is its answer. The formats of the providers are none of a story's
business: the same one is told over each of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Say:
    """A text, sent word by word."""

    text: str


@dataclass(frozen=True)
class Call:
    """A tool call, its arguments in fragments; `arguments` as text are sent as they are."""

    tool: str
    arguments: Mapping[str, Any] | str
    id: str = ""


@dataclass(frozen=True)
class Used:
    """What the answer says of its usage, in tokens; `input` counts the `cached` ones in."""

    input: int
    output: int
    cached: int = 0


@dataclass(frozen=True)
class Wait:
    """Nothing is sent until `event` is set; before all else, not even the answer's head."""

    event: asyncio.Event


@dataclass(frozen=True)
class Cut:
    """The connection ends here: `reset` by the peer, or closed as if that were all."""

    reset: bool = True


@dataclass(frozen=True)
class Stall:
    """Nothing more comes, and the connection stays open."""


@dataclass(frozen=True)
class Garble:
    """An event that is no JSON."""

    data: str = '{"id": "x", "cho'


@dataclass(frozen=True)
class Forever:
    """The same text again and again, until the client goes."""

    text: str


@dataclass(frozen=True)
class ErrorEvent:
    """The stream says that it failed, after it had begun."""

    kind: str
    message: str


@dataclass(frozen=True)
class Truncated:
    """The answer ends here for it is as long as it may be."""


@dataclass(frozen=True)
class Refuse:
    """No answer but an error: `body` as it is, or made from the message in the format's way."""

    status: int
    message: str
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    echoes_key: bool = False


Part = Say | Call | Used | Wait | Cut | Stall | Garble | Forever | ErrorEvent | Truncated | Refuse


def say(text: str) -> Say:
    return Say(text)


def call(tool: str, /, **arguments: Any) -> Call:
    return Call(tool, arguments)


def refuse(status: int, message: str = "", *, retry_after: str | None = None) -> Refuse:
    """An error of that status; `retry_after` is the header's value, as it is."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Refuse(status, message or f"refused with {status}", headers=headers)


def html_page(status: int) -> Refuse:
    """What a proxy in between answers."""
    body = f"<html><head><title>{status} Bad Gateway</title></head><body>nginx</body></html>"
    return Refuse(status, "", headers={"content-type": "text/html"}, body=body)


@dataclass(frozen=True)
class Called:
    """A tool call that the history has."""

    id: str
    tool: str
    arguments: str


@dataclass(frozen=True)
class Returned:
    """A tool's result that the history has."""

    id: str
    text: str


@dataclass(frozen=True)
class Said:
    """One message of a request, whatever its format."""

    role: str
    text: str = ""
    calls: tuple[Called, ...] = ()
    results: tuple[Returned, ...] = ()


@dataclass
class Asked:
    """One request that the server received, and what became of it; times of the loop's clock."""

    format: str
    body: dict[str, Any]
    headers: dict[str, str]
    said: list[Said]
    number: int
    at: float
    violations: list[str] = field(default_factory=list[str])
    gone_at: float | None = None  # when the client left in the middle of the answer
    complete: bool = False
    bytes_sent: int = 0

    @property
    def news(self) -> list[Said]:
        """What came since the model spoke last."""
        last = max(
            (at for at, said in enumerate(self.said) if said.role == "assistant"), default=-1
        )
        return [said for said in self.said[last + 1 :] if said.role != "system"]

    @property
    def users(self) -> list[str]:
        """All that the user side said, in order."""
        return [said.text for said in self.said if said.role == "user" and said.text]

    @property
    def results(self) -> list[tuple[str, str]]:
        """The tool and the text of each result among the news."""
        tools = {called.id: called.tool for said in self.said for called in said.calls}
        return [(tools.get(r.id, "?"), r.text) for said in self.news for r in said.results]


Brain = Callable[[Asked], Sequence[Part]]
"""Whatever decides what the model answers."""


class Unexpected(AssertionError):
    """The model was asked something else than its story says."""


@dataclass(frozen=True)
class Expectation:
    """What must hold for the request; `why` names it."""

    why: str
    holds: Callable[[Asked], bool]


def request() -> Expectation:
    """Any request."""
    return Expectation("a request", lambda asked: True)


def user(text: str) -> Expectation:
    """The user side said something new with `text` in it."""
    return Expectation(
        f"the user says {text!r}",
        lambda asked: any(text in said.text for said in asked.news if said.role == "user"),
    )


def result(tool: str, text: str = "") -> Expectation:
    """A new result of `tool`, with `text` in it."""
    return Expectation(
        f"{tool} returns {text!r}",
        lambda asked: any(name == tool and text in said for name, said in asked.results),
    )


def that(why: str, holds: Callable[[Asked], bool]) -> Expectation:
    """Whatever else must hold."""
    return Expectation(why, holds)


class Story:
    """A model that follows its script, one answer a request."""

    def __init__(self, *steps: Expectation | Part) -> None:
        self._scenes = _scenes(steps)
        self._next = 0

    def __call__(self, asked: Asked) -> Sequence[Part]:
        """The answer to the next request; raises `Unexpected`."""
        if self._next >= len(self._scenes):
            raise Unexpected(f"the story is over, and yet: {_short(asked)}")
        expected, answer = self._scenes[self._next]
        self._next += 1
        for expectation in expected:
            if not expectation.holds(asked):
                raise Unexpected(
                    f"scene {self._next}: expected that {expectation.why}, got: {_short(asked)}"
                )
        return answer

    @property
    def left(self) -> int:
        """How many answers nobody has asked for."""
        return len(self._scenes) - self._next


def _scenes(
    steps: Sequence[Expectation | Part],
) -> list[tuple[list[Expectation], list[Part]]]:
    scenes: list[tuple[list[Expectation], list[Part]]] = []
    for step in steps:
        if isinstance(step, Expectation):
            if not scenes or scenes[-1][1]:
                scenes.append(([], []))
            scenes[-1][0].append(step)
        else:
            if not scenes:
                scenes.append(([], []))
            scenes[-1][1].append(step)
    return scenes


def _short(asked: Asked) -> str:
    return " | ".join(str(dataclasses.astuple(said))[:300] for said in asked.news) or "nothing new"
