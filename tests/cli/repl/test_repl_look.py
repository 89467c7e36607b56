"""Colours by theme, and signs by what the terminal can show."""

from __future__ import annotations

import pytest
from prompt_toolkit.styles import Style

from agent_shell_cli.config.palettes import PALETTES
from agent_shell_cli.repl.look import Look


def look(theme: str = "auto", **environ: str) -> Look:
    return Look.of(color=True, encoding="utf-8", theme=theme, environ=environ)


@pytest.mark.parametrize(
    ("ground", "palette"), [("15;0", "dark"), ("0;15", "light"), ("0;default;7", "light")]
)
def test_the_terminal_may_say_what_its_background_is(ground: str, palette: str) -> None:
    """`auto` believes COLORFGBG, and takes colours that suit both where it says nothing."""
    assert look(COLORFGBG=ground).styles == PALETTES[palette]
    assert look().styles == look(COLORFGBG="odd").styles == PALETTES["auto"]
    assert look("light", COLORFGBG="15;0").styles == PALETTES["light"]


def test_a_user_may_choose_a_colour() -> None:
    """The others stay those of the theme."""
    own = Look.of(color=True, encoding="utf-8", theme="dark", colors={"mark": "bold"})
    assert own.styles == {**PALETTES["dark"], "mark": "bold"}


def test_no_colour_means_none() -> None:
    """Neither a theme nor a colour of the user's counts then."""
    for plain in (
        Look.of(color=False, encoding="utf-8", theme="dark", colors={"mark": "bold"}),
        look("none"),
    ):
        assert (plain.color, plain.styles) == (False, {})


@pytest.mark.parametrize("palette", PALETTES)
def test_every_palette_can_be_drawn(palette: str) -> None:
    """prompt_toolkit knows each word, and every palette has every class."""
    Style.from_dict(PALETTES[palette])
    assert set(PALETTES[palette]) == set(PALETTES["auto"])
