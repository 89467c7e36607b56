"""Dataclasses that cost little to define."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import ClassVar

import pytest

from agent_shell.records import frozen, record


@record
class _Place:
    """Two fields, and what is none."""

    kind: ClassVar[str] = "place"
    row: int
    words: list[str] = field(default_factory=list[str])


@record
class _Marked(_Place):
    mark: str = ""


@frozen
class _Name:
    text: str
    secret: str = field(default="", repr=False)


@dataclass(slots=True)
class _Generated:
    row: int
    words: list[str]


def test_a_record_is_what_a_dataclass_is():
    """Rule: replace, asdict, fields and matching work as on any; and fields have slots."""
    place = _Marked(3, ["a"], "x")
    assert asdict(place) == {"row": 3, "words": ["a"], "mark": "x"}
    assert replace(place, row=4) == _Marked(4, ["a"], "x")
    assert [one.name for one in fields(place)] == ["row", "words", "mark"]
    match place:
        case _Marked(row, words, mark):
            assert (row, words, mark) == (3, ["a"], "x")
    with pytest.raises(AttributeError):
        place.other = 1  # type: ignore[attr-defined]
    assert _Place(1).words is not _Place(1).words


def test_records_are_equal_where_class_and_fields_are():
    """Rule: the class counts, a subclass is another, and each field counts, inherited ones too."""
    assert _Place(1, ["a"]) == _Place(1, ["a"])
    assert _Place(1, ["a"]) != _Place(1, ["b"])
    assert _Marked(1, [], "x") != _Marked(2, [], "x")
    assert _Marked(1, []) != _Place(1, [])
    assert _Place(1, []) != _Generated(1, [])


def test_only_what_never_changes_can_be_hashed():
    """Rule: a record has no hash, for it changes; a frozen one has, and equals have the same."""
    assert len({_Name("a"), _Name("a"), _Name("b")}) == 2
    with pytest.raises(TypeError):
        hash(_Place(1))


def test_a_record_says_its_fields_as_a_dataclass_does():
    """Rule: the text is that of a dataclass, and what is to be hidden stays hidden."""
    assert repr(_Place(1, ["a"])) == repr(_Generated(1, ["a"])).replace("_Generated", "_Place")
    assert repr(_Name("a", "hidden")) == "_Name(text='a')"


def test_its_own_methods_stay():
    """Rule: what a class says itself is not replaced."""

    @record
    class Loud:
        text: str

        def __repr__(self) -> str:
            return self.text.upper()

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    assert repr(Loud("a")) == "A"
    assert Loud("a") == Loud("b")
