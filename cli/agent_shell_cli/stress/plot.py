"""Plots of a row of figures in block characters: pure functions from points to lines."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Point", "columns_of", "plot", "short"]

Point = tuple[float, float]

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII = " .:#"


def columns_of(points: Sequence[Point], width: int) -> list[float | None]:
    """`points` (x, y), with x rising, as the mean y of each of `width` equal parts of the x axis.

    A part without a point has the figure of the one before it.
    """
    if not points:
        return [None] * width
    first, last = points[0][0], points[-1][0]
    sums, counts = [0.0] * width, [0] * width
    for x, y in points:
        place = int((x - first) / (last - first) * width) if last > first else 0
        sums[min(place, width - 1)] += y
        counts[min(place, width - 1)] += 1
    columns: list[float | None] = []
    for total, count in zip(sums, counts, strict=True):
        columns.append(total / count if count else columns[-1])
    return columns


def plot(
    points: Sequence[Point], *, width: int = 60, height: int = 8, ascii_only: bool = False
) -> list[str]:
    """An area from 0 up to the figures, `height` rows, with an axis of each; no colour.

    The top of the vertical axis is the greatest figure of a column.
    """
    glyphs = _ASCII if ascii_only else _BLOCKS
    columns = columns_of(points, width)
    top = max((figure for figure in columns if figure is not None), default=0.0)
    steps = len(glyphs) - 1
    levels = [round((figure or 0.0) / top * height * steps) if top > 0 else 0 for figure in columns]
    labels = [""] * height
    labels[0], labels[-1] = short(top), "0"
    margin = max(len(label) for label in labels)
    bar, corner, line = ("|", "+", "-") if ascii_only else ("┤", "└", "─")
    rows = [
        f"{label:>{margin}} {bar}"
        + "".join(
            glyphs[min(max(level - steps * (height - 1 - row), 0), steps)] for level in levels
        )
        for row, label in enumerate(labels)
    ]
    first, last = (short(points[0][0]), short(points[-1][0])) if points else ("", "")
    indent = " " * margin
    return [
        *(row.rstrip() for row in rows),
        f"{indent} {corner}{line * width}",
        f"{indent}  {first}{last:>{width - len(first)}}",
    ]


def short(figure: float) -> str:
    """A figure in a few characters, as on an axis."""
    if figure >= 1_000_000:
        return f"{figure / 1_000_000:.3g}M"
    if figure >= 10_000:
        return f"{figure / 1000:.3g}k"
    return f"{figure:.0f}" if figure == int(figure) or figure >= 1000 else f"{figure:.1f}"
