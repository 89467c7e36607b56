"""Records a session of the real program on a pseudo-terminal, as an animated SVG.

    python docs/record.py [docs/session.svg]

Needs what the tests need (`pip install -e '.[test]'`). Everything in the picture was
written by the program; only the keys are scripted, and the model is `echo`, which
repeats its input at a pace.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pexpect
import pyte

ROOT = Path(__file__).parents[1]
COLUMNS, ROWS = 82, 17
CELL_W, CELL_H, EDGE = 8.0, 17, 14
# Of the terminal's colours; what is not here has the colour of text.
_COLORS = {
    "red": "#f47067",
    "green": "#8ddb8c",
    "brown": "#f0c674",
    "blue": "#6cb6ff",
    "magenta": "#dcbdfb",
    "cyan": "#76e3ea",
}
_TEXT, _QUIET, _GROUND = "#d8dee4", "#8b949e", "#161b22"
_STYLE = (
    "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    f"font-size:13px;white-space:pre;fill:{_TEXT}}}.b{{font-weight:bold}}.q{{fill:{_QUIET}}}"
)
_QUESTION = (
    "Say how a turn ends: it hands the session over. Its last act is **one decision**, "
    "which starts the next turn in a fresh task and returns. The stack is as deep at "
    "the last follow-up as at the first, and nobody waits for anybody."
)
_KEY_S = 0.035
_LAST_S = 3.0

Row = tuple[tuple[str, bool, bool, bool, str], ...]


class _Screen(pyte.Screen):  # type: ignore[misc, unused-ignore]
    """A screen that also knows what is faint."""

    def select_graphic_rendition(self, *attributes: int, **named: object) -> None:
        """Notes faint text as italics, which nothing here has."""
        super().select_graphic_rendition(*(3 if one == 2 else one for one in attributes), **named)


@dataclass(slots=True)
class Show:
    """The program, its screen, and every frame with the second at which it stood."""

    child: pexpect.spawn[str]
    screen: _Screen
    stream: pyte.Stream
    frames: list[tuple[float, list[Row]]]
    begun: float

    def watch(self, seconds: float, holds: Callable[[], bool] = lambda: False) -> None:
        """Records for so long, or until `holds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not holds():
            try:
                self.stream.feed(self.child.read_nonblocking(1 << 16, timeout=min(left, 0.05)))
            except pexpect.TIMEOUT:
                continue
            rows = [_row(self.screen, y) for y in range(ROWS)]
            if not self.frames or rows != self.frames[-1][1]:
                self.frames.append((time.monotonic() - self.begun, rows))

    def until(self, expected: str) -> None:
        """Records until this is on the screen."""
        self.watch(30, lambda: any(expected in line for line in self.screen.display))
        assert any(expected in line for line in self.screen.display), self.screen.display

    def type(self, text: str, pause: float = 0.5) -> None:
        """Types letter by letter, and looks at it for a moment."""
        for letter in text:
            self.child.send(letter)
            self.watch(_KEY_S)
        self.watch(pause)

    def press(self, key: str, pause: float = 0.8) -> None:
        """Presses one key."""
        self.child.send(key)
        self.watch(pause)


def _row(screen: _Screen, y: int) -> Row:
    """A row as pieces of one look: colour, bold, faint, reverse, text."""
    pieces: list[tuple[str, bool, bool, bool, str]] = []
    for x in range(COLUMNS):
        cell: Any = screen.buffer[y][x]
        look: tuple[str, bool, bool, bool] = (cell.fg, cell.bold, cell.italics, cell.reverse)
        # The cursor, where it stands in the draft.
        if not screen.cursor.hidden and (y, x) == (screen.cursor.y, screen.cursor.x):
            look = (*look[:3], True)
        if pieces and pieces[-1][:4] == look:
            pieces[-1] = (*look, pieces[-1][4] + cell.data)
        else:
            pieces.append((*look, cell.data))
    return tuple(pieces)


def record() -> list[tuple[float, list[Row]]]:
    """Plays the session."""
    with tempfile.TemporaryDirectory() as data:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "cli")]),
            "PYTHONUTF8": "1",
            "TERM": "xterm-256color",
            "HOME": data,
            "AGENT_SHELL_DATA_DIR": data,
            "AGENT_SHELL_CONFIG_DIR": data,
        }
        child = pexpect.spawn(
            sys.executable,
            ["-m", "agent_shell_cli", "chat", "-m", "echo:3.6"],
            env=environ,
            cwd=data,
            encoding="utf-8",
            dimensions=(ROWS, COLUMNS),
        )
        child.delaybeforesend = None
        screen = _Screen(COLUMNS, ROWS)
        show = Show(child, screen, pyte.Stream(screen), [], time.monotonic())
        show.until("❯")  # noqa: RUF001 (the prompt sign)
        show.frames.clear()
        show.begun = time.monotonic()
        _play(show)
        child.close(force=True)
        return show.frames


def _play(show: Show) -> None:
    show.watch(0.6)
    show.type(_QUESTION[:60], 0)
    show.child.send(_QUESTION[60:])
    show.press("\r", 1.2)
    show.type("then run the tests")
    show.press("\r")
    show.type("and write the changelog")
    show.press("\r", 1.2)
    show.press("\x1b\x1b[A", 1.0)  # Alt+Up
    show.press("\r", 0.8)
    show.type(", in two lines")
    show.press("\r", 1.0)
    show.press("\x1b", 2.5)  # Esc
    show.press("\r", 1.0)
    show.until("and write the changelog, in two lines")
    show.watch(3.5)


def _runs(
    frames: list[tuple[float, list[Row]]], length: float
) -> Iterator[tuple[int, Row, float, float]]:
    """Each row with its place, and from when to when it stands there."""
    for y in range(ROWS):
        since, row = 0.0, frames[0][1][y]
        ends: list[tuple[float, list[Row]]] = [*frames[1:], (length, [()] * ROWS)]
        for at, rows in ends:
            if rows[y] != row:
                if "".join(piece[4] for piece in row).strip() or any(p[3] for p in row):
                    yield y, row, since, at
                since, row = at, rows[y]


def _drawn(y: int, row: Row) -> str:
    parts: list[str] = []
    x, top = 0, EDGE + y * CELL_H
    for color, bold, faint, reverse, text in row:
        left, width = EDGE + x * CELL_W, len(text) * CELL_W
        x += len(text)
        said = text.rstrip()
        if reverse:
            parts.append(
                f'<rect x="{left:g}" y="{top}" width="{width:g}" height="{CELL_H}" fill="{_TEXT}"/>'
            )
        if not said:
            continue
        fill = _GROUND if reverse else _COLORS.get(color.removeprefix("bright"), "")
        classes = f"{'b' * bold}{' q' * (faint and not fill)}".strip()
        parts.append(
            f'<text x="{left:g}" y="{top + 13}" textLength="{len(said) * CELL_W:g}"'
            + (f' class="{classes}"' if classes else "")
            + (f' style="fill:{fill}"' if fill else "")
            + f">{escape(said)}</text>"
        )
    return "".join(parts)


def svg(frames: list[tuple[float, list[Row]]]) -> str:
    """The picture; it plays over and over, and its last frame stands for a while."""
    length = frames[-1][0] + _LAST_S
    width, height = COLUMNS * CELL_W + 2 * EDGE, ROWS * CELL_H + 2 * EDGE
    rules: list[str] = []
    shapes: list[str] = []
    for number, (y, row, since, until) in enumerate(_runs(frames, length)):
        first, last = f"{100 * since / length:.3f}%", f"{100 * until / length:.3f}%"
        hidden = "" if since == 0 else "0%{visibility:hidden}"
        end = "" if until >= length else f"{last}{{visibility:hidden}}"
        rules.append(f"@keyframes k{number}{{{hidden}{first}{{visibility:visible}}{end}}}")
        name = f"animation:k{number} {length:.2f}s step-end infinite"
        # Where nothing is animated the last frame stands.
        still = "" if until >= length else ";visibility:hidden"
        shapes.append(f'<g style="{name}{still}">{_drawn(y, row)}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" '
        'aria-label="A session of agent-shell: follow-ups are typed while an answer streams">'
        f"<style>{_STYLE}{''.join(rules)}</style>"
        f'<rect width="100%" height="100%" rx="8" fill="{_GROUND}"/>{"".join(shapes)}</svg>\n'
    )


def main() -> None:
    """Records, and writes the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "docs" / "session.svg")
    target: Path = parser.parse_args().target
    picture = svg(record())
    target.write_text(picture, encoding="utf-8")
    print(f"{target.name}: {len(picture.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
