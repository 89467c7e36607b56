"""A short campaign over real terminals, and proof that its judge can find a fault.

The long one is `python tests/campaign/words.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from campaign.terminals import Emulator
from campaign.words import Scenario, counted, watch
from campaign.wordsmith import KINDS, answer, words_in

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("markdown", "pty", 40, 2000, 400, 1, typing=True),
        Scenario("mixed", "pty", 80, 2000, 400, 2, typing=True, resizes=20),
        Scenario("wide", "slow", 200, 2000, 150, 3, typing=True),
        Scenario("rtl", "dumb", 80, 2000, 300, 4, typing=True),
        Scenario("long", "plain", 80, 2000, 300, 5),
        Scenario("emoji", "no color", 80, 2000, 300, 6, typing=True),
        Scenario("markdown", "raw", 80, 2000, 300, 7, typing=True),
        pytest.param(
            Scenario("mixed", "tmux", 80, 500, 250, 8, typing=True, resizes=20), marks=needs_tmux
        ),
    ],
    ids=str,
)
def test_no_word_is_lost_or_doubled(tmp_path: Path, scenario: Scenario) -> None:
    """Every word stands once in what the terminal keeps, and every key in the draft."""
    outcome = watch(scenario, tmp_path)
    assert outcome.ok, outcome


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_the_campaign_number_their_words(kind: str) -> None:
    """A text has its words once, in order, and is the same each time."""
    text = answer(kind, 300, 1)
    assert text == answer(kind, 300, 1)
    words = words_in(text)
    assert len(words) >= 300
    assert words == sorted(set(words))


def test_judge_sees_what_is_lost_doubled_and_out_of_order() -> None:
    """Each fault that a screen can have is counted."""
    scenario = Scenario("prose", "pty", 80, 2000, 5, 1)
    whole = "w00001w w00002w w00003w w00004w w00005w"
    assert counted(scenario, whole).ok
    assert counted(scenario, whole.replace("w00003w", "")).lost == ["w00003w"]
    assert counted(scenario, whole + " w00002w").doubled == ["w00002w"]
    assert counted(scenario, "w00002w w00001w w00003w w00004w w00005w").out_of_order == 1


def test_emulator_keeps_what_a_narrow_window_cuts() -> None:
    """What does not fit is not forgotten, what is erased is, and wrapped rows are one line."""
    screen = Emulator(4, 10)
    screen.draw("0123456789abc")
    screen.resize(4, 5)
    assert screen.everything() == ["0123456789abc"]
    screen.erase_in_line(0)
    assert screen.everything() == ["0123456789abc"]
    screen.cursor_up(1)
    screen.cursor.x = 2
    screen.erase_in_line(0)
    assert screen.everything() == ["01", "abc"]
    for _ in range(6):
        screen.linefeed()
    screen.resize(2, 5)
    assert screen.everything() == ["01", "abc"]
