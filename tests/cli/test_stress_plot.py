"""The plots of a flood: pure functions from figures to lines."""

from __future__ import annotations

from agent_shell_cli.stress.plot import columns_of, plot


def test_a_column_has_the_mean_of_its_points():
    """Many points share a column."""
    points = [(0.0, 1.0), (1.0, 3.0), (2.0, 10.0), (3.0, 20.0)]
    assert columns_of(points, 2) == [2.0, 15.0]


def test_a_column_without_a_point_goes_on_as_the_one_before():
    """Few points still give an unbroken line."""
    assert columns_of([(0.0, 1.0), (10.0, 2.0)], 4) == [1.0, 1.0, 1.0, 2.0]


def test_a_flat_line_fills_the_whole_area():
    """What never changes is as high everywhere, above an axis that starts at 0."""
    assert plot([(1.0, 24.0), (5000.0, 24.0)], width=6, height=3) == [
        "24 ┤██████",
        "   ┤██████",
        " 0 ┤██████",
        "   └──────",
        "    1 5000",
    ]


def test_a_rising_line_rises():
    """Each column is as high as its figure, to an eighth of a row."""
    points = [(float(x), float(x)) for x in range(1, 5)]
    assert plot(points, width=4, height=2) == [
        "4 ┤  ▄█",
        "0 ┤▄███",
        "  └────",
        "   1  4",
    ]


def test_without_unicode_the_plot_is_ascii():
    """Where the terminal has no block characters, others stand for them."""
    lines = plot([(1.0, 1.0), (2.0, 3.0), (3.0, 2.0)], width=9, height=4, ascii_only=True)
    assert "\n".join(lines).isascii()
    assert lines[0].startswith("3 |")
    assert lines[-2] == "  +---------"


def test_no_figures_and_zeros_are_an_empty_plot():
    """A run that was cut off early has little to show."""
    assert plot([], width=4, height=2)[:2] == ["0 ┤", "0 ┤"]
    assert plot([(1.0, 0.0), (2.0, 0.0)], width=4, height=2)[:2] == ["0 ┤", "0 ┤"]


def test_great_figures_are_short():
    """The labels do not push the plot aside."""
    lines = plot([(1.0, 34_500.0), (1_000_000.0, 34_500.0)], width=20, height=2)
    assert lines[0].startswith("34.5k ┤")
    assert lines[-1].endswith("1M")
