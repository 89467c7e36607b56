"""The loop: change an input, run it, keep it if it runs a line that none ran before."""

from __future__ import annotations

import contextlib
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FrameType

from fuzz.coverage import Coverage, constants
from fuzz.mutation import Mutator
from fuzz.target import Target

__all__ = ["Finding", "Fuzzer", "Hang", "time_limit"]

# Longer than any input may take; a test machine under load is not to blame for a finding.
_LIMIT_S = 20.0
_MINIMISING_RUNS = 2_000


class Hang(BaseException):
    """An input took longer than any may."""


@dataclass(slots=True)
class Finding:
    """An input that broke a rule: as small as it could be made, and what it raised."""

    data: bytes
    said: str
    trace: str


@contextlib.contextmanager
def time_limit(seconds: float = _LIMIT_S) -> Iterator[None]:
    """Raises `Hang` out of a body that takes longer; only in the main thread of a Unix."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"took more than {seconds:g} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Fuzzer:
    """One target under test; `findings` has one input for each way in which it failed.

    An input that takes longer than `limit_s` seconds is one.
    """

    def __init__(
        self,
        target: Target,
        seed: int,
        corpus: Iterable[bytes] = (),
        *,
        limit_s: float = _LIMIT_S,
    ) -> None:
        self._limit_s = limit_s
        self.executions = 0
        self.findings: dict[str, Finding] = {}
        self._target = target
        self._rng = random.Random(seed)
        self._coverage = Coverage(target.modules, target.dull)
        tokens = sorted({*target.tokens, *constants(target.modules)})
        self._mutator = Mutator(self._rng, tokens, target.limit)
        # The shortest input known for each point: together they are the corpus.
        self._owners: dict[int, bytes] = {}
        self._points: list[int] = []
        self._kept: list[bytes] = []
        self._untried = list(dict.fromkeys((*corpus, *target.seeds)))

    @property
    def points(self) -> int:
        """How many points of the code any input has reached."""
        return len(self._points)

    @property
    def size(self) -> int:
        """How many inputs are worked with."""
        return len(set(self._owners.values()))

    def run(
        self,
        *,
        seconds: float | None = None,
        executions: int | None = None,
        watch: Callable[[], object] = lambda: None,
    ) -> None:
        """Tries inputs for that long, or until it has tried so many; calls `watch` after each."""
        begun, most = time.monotonic(), executions
        until = None if seconds is None else begun + seconds
        with self._coverage.watching():
            while (most is None or self.executions < most) and (
                until is None or time.monotonic() < until
            ):
                self._try(self._next())
                watch()

    def smallest(self, count: int) -> list[bytes]:
        """At most `count` inputs that together reach as much as so many can."""
        with self._coverage.watching():
            reach = {data: self._points_of(data) for data in sorted(set(self._owners.values()))}
        chosen: list[bytes] = []
        missing = set(self._points)
        while missing and len(chosen) < count:
            best = max(reach, key=lambda data: (len(reach[data] & missing), -len(data)))
            if not reach[best] & missing:
                break
            chosen.append(best)
            missing -= reach[best]
        return chosen

    def _next(self) -> bytes:
        if self._untried:
            return self._untried.pop()
        return self._mutator.mutate(self._choose(), self._choose())

    def _choose(self) -> bytes:
        if not self._kept:
            return b""
        if self._rng.random() < 0.3:
            return self._rng.choice(self._kept)
        # By point, not by input: what few inputs reach is tried as often as the rest.
        return self._owners[self._rng.choice(self._points)]

    def _try(self, data: bytes) -> None:
        self.executions += 1
        try:
            points = self._points_of(data)
        except (Exception, Hang) as error:
            self._found(data, error)
            return
        news = [point for point in points if point not in self._owners]
        self._points.extend(news)
        if news:
            self._kept.append(data)
        for point in points:
            owner = self._owners.get(point)
            if owner is None or len(data) < len(owner):
                self._owners[point] = data

    def _points_of(self, data: bytes) -> set[int]:
        with time_limit(self._limit_s):
            return self._coverage.of(lambda: self._target.run(data))

    def _found(self, data: bytes, error: BaseException) -> None:
        key = _key(error)
        if key in self.findings:
            return
        small = data if isinstance(error, Hang) else self._minimised(data, key)
        said = f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        self.findings[key] = Finding(small, said, trace)

    def _minimised(self, data: bytes, key: str) -> bytes:
        """The input with every piece taken out that the failure can do without."""
        runs = 0
        size = max(1, len(data) // 2)
        while size and runs < _MINIMISING_RUNS:
            at, before = 0, len(data)
            while at < len(data) and runs < _MINIMISING_RUNS:
                shorter = data[:at] + data[at + size :]
                runs += 1
                if self._fails_alike(shorter, key):
                    data = shorter
                else:
                    at += size
            size = size if size == 1 and len(data) < before else size // 2
        return data

    def _fails_alike(self, data: bytes, key: str) -> bool:
        try:
            with time_limit(self._limit_s):
                self._target.run(data)
        except (Exception, Hang) as error:
            return _key(error) == key
        return False


def _key(error: BaseException) -> str:
    """What makes two failures one: their type and the place that raised."""
    if isinstance(error, Hang):
        return "Hang"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {frame.filename}:{frame.lineno}"
