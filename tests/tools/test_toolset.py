"""How tools are called: every end is a result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_shell.tools import Gate, Need, Policy, Result, ToolError, Toolset
from agent_shell.tools.toolset import MAX_TEXT

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"town": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["town"],
    "additionalProperties": False,
}


class Weather:
    name = "weather"
    description = "The weather in a town."
    parameters = SCHEMA
    need = Need.NETWORK

    def __init__(self, result: Result | BaseException) -> None:
        self.result = result
        self.called = 0

    async def call(self, arguments, context):
        self.called += 1
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


def tools(result: Result | BaseException | None = None) -> tuple[Weather, Toolset]:
    weather = Weather(result or Result("rain"))
    return weather, Toolset([weather], Gate(Policy()))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "'town' is a required property"),
        ({"town": 3}, "town: 3 is not of type 'string'"),
        ({"town": "x", "days": 0}, "days: 0 is less than the minimum of 1"),
        ({"town": "x", "street": "y"}, "'street' was unexpected"),
        ([1], "must be an object"),
        ("town", "must be an object"),
        (None, "must be an object"),
    ],
)
async def test_arguments_that_do_not_fit_are_told_and_nothing_is_done(arguments, said):
    """With the place and the fault."""
    weather, toolset = tools()
    result = await toolset.call("weather", arguments)
    assert not result.ok
    assert result.text.startswith("weather was not called: ")
    assert result.shown == result.text
    assert said in result.text
    assert weather.called == 0


async def test_an_unknown_name_is_told_with_those_that_there_are():
    """The name may be anything, of any length."""
    result = await tools()[1].call("x" * 5_000, {})
    assert not result.ok
    assert "there are: weather" in result.text
    assert len(result.text) < 200


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ToolError("no such town"), "no such town"),
        (FileNotFoundError(2, "No such file or directory", "x"), "x: No such file or directory"),
        (KeyError("x"), "weather failed: KeyError: 'x'"),
    ],
)
async def test_whatever_a_tool_raises_is_a_result(raised, said):
    """The model is told, and the turn goes on."""
    result = await tools(raised)[1].call("weather", {"town": "x"})
    assert (result.ok, result.text) == (False, said)


async def test_a_cancellation_passes():
    """It is for the turn, not for the model."""
    with pytest.raises(asyncio.CancelledError):
        await tools(asyncio.CancelledError())[1].call("weather", {"town": "x"})


async def test_what_is_no_unicode_text_is_made_one():
    """A lone surrogate, as of a file's name, fits no journal and no request."""
    result = await tools(Result("a\udcffb", "\ud800"))[1].call("weather", {"town": "x"})
    assert (result.text, result.shown) == ("a?b", "?")


async def test_a_result_is_bounded_at_both_ends():
    """Its head and its tail are kept."""
    result = await tools(Result("a" * MAX_TEXT + "z" * MAX_TEXT))[1].call("weather", {"town": "x"})
    assert len(result.text) < MAX_TEXT + 100
    assert result.text[0] == "a"
    assert result.text[-1] == "z"
    assert f"[{MAX_TEXT:,} characters were left out]" in result.text


async def test_a_schema_has_no_url_fetched():
    """A reference to elsewhere is a fault, told without a look there."""
    weather, toolset = tools()
    weather.parameters = {"type": "object", "$ref": "http://127.0.0.1:9/schema.json"}
    result = await toolset.call("weather", {"town": "x"})
    assert "its schema can't be used" in result.text
    assert weather.called == 0


def test_two_tools_of_one_name_are_an_error():
    """The model could not tell them apart."""
    with pytest.raises(ValueError, match="two tools are called 'weather'"):
        Toolset([Weather(Result("")), Weather(Result(""))], Gate(Policy()))


class Shelf:
    """A source with tools of its own."""

    def __init__(self, *tools: Weather) -> None:
        self._offered = tools
        self.closed = False

    async def tools(self):
        return self._offered

    async def close(self):
        self.closed = True


async def test_a_source_can_not_put_a_tool_in_the_place_of_another():
    """The first of a name counts, and that is said."""
    own = Weather(Result("own"))
    shelf = Shelf(Weather(Result("theirs")))
    toolset = Toolset([own], Gate(Policy()), [shelf])
    assert await toolset.tools() == (own,)
    assert toolset.take_problems() == ["two tools are called 'weather': the first counts"]
    assert (await toolset.call("weather", {"town": "x"})).text == "own"
    await toolset.close()
    assert shelf.closed
