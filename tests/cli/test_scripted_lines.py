"""From bytes to follow-ups: nothing is lost, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_shell_cli.options import InputForm
from agent_shell_cli.scripted.lines import BadLine, Cutter, Item, Line, make_cutter

_LIMIT = 50
_BYTES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"\n", b"\r\n", b"\xef\xbb\xbf", b"\0", b"  ", b'{"text": "x"}']),
        st.just(b"y" * 80),
    ),
    max_size=20,
).map(b"".join)


def _cut(cutter: Cutter, pieces: list[bytes]) -> list[Item]:
    items = [item for piece in pieces for item in cutter.feed(piece)]
    return items + cutter.end()


def _in_pieces(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(_BYTES)
def test_every_line_is_accepted_or_reported(data: bytes) -> None:
    """Each line that is not blank becomes one item with its number, in order.

    A byte order mark at the very beginning is no part of the first.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = [number for number, line in enumerate(lines, 1) if line.strip(b" \t\r")]
    items = _cut(make_cutter(InputForm.LINES, _LIMIT), [data])
    assert [item.number for item in items] == expected


@given(_BYTES)
def test_an_accepted_line_is_the_line(data: bytes) -> None:
    """The text of an accepted line is its bytes, without line end and byte order mark."""
    lines = data.split(b"\n")
    for item in _cut(make_cutter(InputForm.LINES, _LIMIT), [data]):
        if isinstance(item, Line):
            line = lines[item.number - 1].removesuffix(b"\r")
            bare = line.removeprefix(b"\xef\xbb\xbf") if item.number == 1 else line
            assert item.text.encode() == bare


@given(st.sampled_from(InputForm), _BYTES, st.lists(st.integers(0, 2000), max_size=8))
def test_where_the_input_is_cut_makes_no_difference(
    form: InputForm, data: bytes, places: list[int]
) -> None:
    """The items are the same, whatever pieces the bytes come in."""
    whole = _cut(make_cutter(form, _LIMIT, "p"), [data])
    assert _cut(make_cutter(form, _LIMIT, "p"), _in_pieces(data, places)) == whole


@given(_BYTES)
def test_the_whole_input_is_one_item(data: bytes) -> None:
    """As text, the input becomes one follow-up behind the prompt, or one report."""
    (item,) = _cut(make_cutter(InputForm.TEXT, _LIMIT, "prompt"), [data])
    assert isinstance(item, BadLine) or item.text.startswith("prompt")


def test_a_line_without_end_takes_no_memory() -> None:
    """Of a line beyond the limit its bytes are counted and not kept."""
    cutter = make_cutter(InputForm.LINES, _LIMIT)
    chunk = b"x" * 1_000_000
    for _ in range(300):
        assert cutter.feed(chunk) == []
    (item,) = cutter.end()
    assert isinstance(item, BadLine)
    assert "line 1 has 300,000,000 bytes and the limit is 50" in item.reason


def test_a_bad_byte_in_a_text_is_named_by_line_and_byte() -> None:
    """Also where the whole input is one follow-up, a bad byte is named by its line."""
    (item,) = _cut(make_cutter(InputForm.TEXT, _LIMIT), [b"ab\ncd\xff"])
    assert isinstance(item, BadLine)
    assert "line 2 is not UTF-8: byte 3 of it is 0xff" in item.reason
