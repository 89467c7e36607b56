"""The terminal's own habits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pyte
import pytest
from prompt_toolkit.data_structures import Size

from agent_shell_cli.repl.rows import grown_rows
from agent_shell_cli.repl.terminal import FrameOutput, reflows, wholly
from campaign.terminals import Emulator


class Gone(io.StringIO):
    """A terminal that went away."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


class Short(io.RawIOBase):
    """A terminal whose writes are cut short, as a signal does."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:7])
        return min(7, len(data))


def output(stdout: io.StringIO, columns: int = 80) -> FrameOutput:
    return FrameOutput(stdout, lambda: Size(rows=24, columns=columns))


def test_frame_is_one_write() -> None:
    """Flushes inside a frame wait for its end."""
    stdout = io.StringIO()
    out = output(stdout)
    with out.whole_frame():
        out.write("a")
        out.flush()
        assert stdout.getvalue() == ""
    assert stdout.getvalue() == "a"


def test_terminal_that_is_gone_is_told_once() -> None:
    """After the first failed write nothing is written, and nothing raises."""
    told: list[bool] = []
    out = output(Gone())
    out.on_gone = lambda: told.append(True)
    for _ in range(3):
        out.write("a")
        out.flush()
    assert told == [True]


def shown(stdout: io.StringIO, rows: int, columns: int) -> list[str]:
    """What stands on a terminal of this size, whatever the program was told."""
    screen = Emulator(rows, columns)
    pyte.Stream(screen).feed(stdout.getvalue())
    return screen.everything()


def test_a_row_is_not_wrapped_where_the_terminal_is_narrower_than_it_has_told() -> None:
    """Also where a frame is more than one write, and the cursor is restored in between."""
    stdout = io.StringIO()
    out = output(stdout, columns=200)
    with out.rows_below():
        out.disable_autowrap()
        out.write("a" * 199)
        for letter in "bcdefghi":
            out.write("\r\n")
            out.write(letter * 199)
    out.flush()
    assert shown(stdout, 20, 40) == [letter * 40 for letter in "abcdefghi"]


def test_the_draft_is_marked_within_the_frame_where_the_terminal_is_lower_than_told() -> None:
    """Rows that have no room stand on the last one: from there no way up is known."""
    stdout = io.StringIO()
    out = output(stdout)
    out.write_raw("done\r\ndone\r\n")
    with out.rows_below():
        out.write("a")
        for letter in "bcdef":
            out.write("\r\n")
            out.write(letter)
        out.cursor_up(4)
        out.go_below(1, 3)
        out.write("!")
    out.write("top")
    out.flush()
    assert shown(stdout, 4, 40) == ["done", "done", "top", "f  !"]


def test_old_frame_is_found_again_after_a_reflow() -> None:
    """Where lines wrap again, the way up counts the rows that they take now, once."""
    size = [80]
    stdout = io.StringIO()
    out = FrameOutput(stdout, lambda: Size(rows=24, columns=size[0]))
    out.reflows = True
    out.drawn([79, 40, 10])
    size[0] = 30
    for amount in (2, 2):
        out.cursor_up(amount)
    out.flush()
    assert stdout.getvalue() == "\x1b[5A\x1b[2A"


def test_rows_that_a_width_takes() -> None:
    """Rows are counted beyond the one that each line took."""
    assert grown_rows([79, 0, 30, 31], 30) == 2 + 0 + 0 + 1


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7200"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "screen-256color", "TMUX": "/tmp/x"}, True),
        ({"TERM": "screen-256color", "STY": "1.x", "VTE_VERSION": "7200"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, True),
    ],
)
def test_who_reflows(environ: dict[str, str], expected: bool) -> None:
    """Only terminals that are known to wrap again are taken to."""
    assert reflows(environ) is expected


def test_write_that_a_signal_cuts_short_is_carried_on(tmp_path: Path) -> None:
    """Also where Python was told not to buffer, nothing of a frame is lost."""
    with (tmp_path / "out").open("wb", buffering=0) as raw:
        unbuffered = io.TextIOWrapper(cast("Any", raw), encoding="utf-8", write_through=True)
        stdout = wholly(unbuffered)
        assert isinstance(stdout.buffer, io.BufferedWriter)
        stdout.write("word")
        stdout.close()
        assert not raw.closed
        unbuffered.detach()
    assert (tmp_path / "out").read_text() == "word"
    terminal = Short()
    out = io.TextIOWrapper(io.BufferedWriter(terminal), encoding="utf-8")
    assert wholly(out) is out
    frame = FrameOutput(out, lambda: Size(rows=24, columns=80))
    frame.write("many more words than that")
    frame.flush()
    assert terminal.taken == b"many more words than that"
