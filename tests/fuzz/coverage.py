"""Which lines of the code under test one call runs, and from where it came to each.

A point is a step from one line to the next together with how often it was taken, in
powers of two: a second line of the input is news, a hundredth is not.
"""

from __future__ import annotations

import ast
import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

__all__ = ["Coverage", "constants"]

_LINES_A_FILE = 1 << 20
_MOST_OFTEN = 4


class Coverage:
    """Watches `modules`, but no function called `dull`; other code is hardly slowed down."""

    def __init__(self, modules: Iterable[ModuleType], dull: frozenset[str] = frozenset()) -> None:
        self._dull = dull
        files = [_file(module) for module in modules]
        self._base = {str(file): number * _LINES_A_FILE for number, file in enumerate(files, 1)}
        self._counts: Counter[int] = Counter()
        self._last = 0
        self._thread = 0

    def of(self, call: Callable[[], None]) -> set[int]:
        """The points of one call; what it raises comes out."""
        self._counts.clear()
        self._last = 0
        self._thread = threading.get_ident()
        try:
            if hasattr(sys, "monitoring"):
                call()
            else:
                self._traced(call)
        finally:
            self._thread = 0
        return {
            step << 3 | min(count.bit_length(), _MOST_OFTEN) for step, count in self._counts.items()
        }

    def _start(self, code: CodeType) -> int | None:
        return None if code.co_name in self._dull else self._base.get(code.co_filename)

    def _step(self, line: int) -> None:
        self._counts[self._last << 32 | line] += 1
        self._last = line

    def _traced(self, call: Callable[[], None]) -> None:
        before = sys.gettrace()
        sys.settrace(self._entered)
        try:
            call()
        finally:
            sys.settrace(before)

    def _entered(self, frame: FrameType, _event: str, _arg: object) -> Any:
        base = self._start(frame.f_code)
        if base is None:
            return None
        step = self._step

        def local(frame: FrameType, event: str, _arg: object) -> Any:
            if event == "line":
                step(base + frame.f_lineno)
            return local

        return local

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """The time in which `of` may be called."""
        # From Python 3.12 on: lines elsewhere are switched off one by one, for good.
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None:
            yield
            return
        tool = next(number for number in range(3, 6) if monitoring.get_tool(number) is None)
        monitoring.use_tool_id(tool, "fuzz")

        def line(code: CodeType, number: int) -> Any:
            start = self._start(code)
            if start is None:
                return monitoring.DISABLE
            if threading.get_ident() == self._thread:
                self._step(start + number)
            return None

        monitoring.register_callback(tool, monitoring.events.LINE, line)
        monitoring.restart_events()
        monitoring.set_events(tool, monitoring.events.LINE)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, monitoring.events.LINE, None)
            monitoring.free_tool_id(tool)


def constants(modules: Iterable[ModuleType]) -> list[bytes]:
    """The short texts and the numbers that stand in the code: what it compares with."""
    found: set[bytes] = set()
    for module in modules:
        for node in ast.walk(ast.parse(_file(module).read_text("utf-8"))):
            if isinstance(node, ast.Constant):
                found.update(_as_bytes(node.value))
    return sorted(found)


def _as_bytes(value: object) -> Iterable[bytes]:
    if isinstance(value, str):
        value = value.encode(errors="surrogatepass")
    if isinstance(value, bytes) and 0 < len(value) <= 24:
        yield value
    elif type(value) is int and 0 <= value < 1 << 32:
        yield value.to_bytes(4 if value > 0xFFFF else 2 if value > 0xFF else 1, "big")


def _file(module: ModuleType) -> Path:
    assert module.__file__ is not None
    return Path(module.__file__)
