"""What fuzzing found in the program, and what holds since."""

from __future__ import annotations

import json

import pytest

from agent_shell_cli.options import InputForm
from agent_shell_cli.repl.folding import Folds
from agent_shell_cli.repl.history import InputHistory
from agent_shell_cli.scripted.lines import BadLine, Line, make_cutter

_BOM = b"\xef\xbb\xbf"


class TestScriptedInput:
    """From bytes to follow-ups."""

    @pytest.mark.parametrize("form", InputForm)
    @pytest.mark.parametrize("data", [_BOM, _BOM + b"\r\n", _BOM + b"  \n\n"])
    def test_a_byte_order_mark_alone_is_no_follow_up(self, form, data):
        """An empty file of an editor that writes one has nothing to answer."""
        cutter = make_cutter(form, 1000)
        assert cutter.feed(data) + cutter.end() == []

    def test_a_line_behind_a_byte_order_mark_alone_is_one(self):
        """It keeps its number."""
        cutter = make_cutter(InputForm.LINES, 1000)
        assert cutter.feed(_BOM + b"\ntwo\n") == [Line(2, "two")]

    def test_the_place_of_a_bad_byte_counts_the_byte_order_mark(self):
        """It is that of the file, where other tools will look for it."""
        cutter = make_cutter(InputForm.LINES, 1000)
        (item,) = cutter.feed(_BOM + b"ab\xff\n")
        assert isinstance(item, BadLine)
        assert "byte 6 of it is 0xff" in item.reason

    @pytest.mark.parametrize(
        "value", [{"k" * 60_000: "x"}, {"text": "x", "lane": "l" * 60_000}], ids=["key", "lane"]
    )
    def test_a_reason_is_short_however_long_what_is_wrong(self, value):
        """It shows the beginning, which is enough to find it."""
        cutter = make_cutter(InputForm.JSONL, 1 << 20)
        (item,) = cutter.feed(json.dumps(value).encode() + b"\n")
        assert isinstance(item, BadLine)
        assert item.reason.startswith("line 1 has ")
        assert len(item.reason) < 200


def test_an_input_nested_without_an_end_costs_no_other(tmp_path):
    """A record of the history that no parser gets to the bottom of is left out."""
    said: list[str] = []
    history = InputHistory(lambda: tmp_path, Folds(3, 0), said.append)
    history.store_string("kept")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(b"[" * 100_000 + b"\n" + file.read_bytes())
    assert list(
        InputHistory(lambda: tmp_path, Folds(3, 0), said.append).load_history_strings()
    ) == ["kept"]
    assert said == []
