"""Dataclasses that cost little to define: a program that starts defines a hundred of them.

`dataclass` writes and compiles up to six methods for each class, which is most of what an
import of plain data takes. Here only `__init__` is compiled; the others are shared. All else
is as there: `replace`, `fields`, `asdict` and matching work, and fields have slots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

__all__ = ["frozen", "record"]

_T = TypeVar("_T")


@dataclass_transform(field_specifiers=(field,))
def record(cls: type[_T]) -> type[_T]:
    """Makes `cls` a dataclass with slots: equal where class and fields are, and not hashable."""
    return _made(cls, None)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """The same, hashable, for what never changes: the type checker sees to that."""
    return _made(cls, _hash)


def _made(cls: type[_T], hash: Callable[[Any], int] | None) -> type[_T]:
    shared = {"__eq__": _eq, "__hash__": hash, "__repr__": _repr}
    own = vars(cls)
    shared = {name: method for name, method in shared.items() if name not in own}
    made = dataclass(slots=True, eq=False, repr=False)(cls)
    for name, method in shared.items():
        setattr(made, name, method)
    return made


def _values(record: Any) -> tuple[Any, ...]:
    # What `__init__` takes: all fields, for none is keyword-only here.
    return tuple([getattr(record, name) for name in record.__match_args__])


def _eq(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    said = (f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(said)})"
