"""Curves as SVG, for a page that loads nothing: pure functions from points to markup."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from agent_shell_cli.stress.plot import Point, short

__all__ = ["chart", "steps_to"]

_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 10, 26


def chart(curves: Sequence[Sequence[Point]]) -> str:
    """All curves over the same axes, which begin at 0; the class of the k-th is `ck`.

    A curve that ends before the longest one is marked where it ends.
    """
    points = [point for curve in curves for point in curve]
    last, most = max(x for x, _ in points), max(y for _, y in points)
    xs, ys = steps_to(last), steps_to(most)
    right, top = max(xs[-1], last), max(ys[-1], most)

    def place(point: Point) -> Point:
        x = _LEFT + point[0] / right * (_WIDTH - _LEFT - _RIGHT)
        return x, _HEIGHT - _BOTTOM - point[1] / top * (_HEIGHT - _TOP - _BOTTOM)

    marks = [*_grid(xs, ys, place((0, 0)), place((right, top)), right, top)]
    for number, curve in enumerate(curves):
        placed = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, curve))
        marks.append(f'<polyline class="c{number}" points="{placed}"/>')
        if curve and curve[-1][0] < last / 2:
            x, y = place(curve[-1])
            marks.append(f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(marks)}</svg>'


def steps_to(most: float) -> list[float]:
    """About five round figures from 0 up to `most`, of which there may be less than all."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / 4
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * of for of in (1, 2, 5, 10) if unit * of >= raw)
    return [step * number for number in range(int(most / step) + 1)]


def _grid(
    xs: Iterable[float],
    ys: Iterable[float],
    origin: Point,
    corner: Point,
    right: float,
    top: float,
) -> Iterable[str]:
    for y in ys:
        at = origin[1] + y / top * (corner[1] - origin[1])
        yield f'<path class="grid" d="M{origin[0]} {at:.1f}H{corner[0]}"/>'
        yield f'<text class="y" x="{_LEFT - 6}" y="{at + 4:.1f}">{short(y)}</text>'
    for x in xs:
        at = origin[0] + x / right * (corner[0] - origin[0])
        yield f'<text class="x" x="{at:.1f}" y="{_HEIGHT - 8}">{short(x)}</text>'
