"""Whether Python values are what a class's types and their marks say: nobody parses those of a Python file.

The marks are those of `testbed.censor.units`, which the values in YAML keep to by `testbed.scenario.values`.
"""

import dataclasses
import math
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from testbed.censor.cited import Cited
from testbed.censor.units import Between, InOrder
from testbed.scenario.problems import shown

_WORDS: dict[Any, str] = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}


class ValueFault(NamedTuple):
    """What is wrong with a value, and where in it."""

    where: str  # "residual['drop'].value"
    what: str  # "is 'many'"
    remedy: str  # "expected a number"

    def __str__(self) -> str:
        return f"{self.where} {self.what}"


def faults_of(thing: Any) -> Iterator[ValueFault]:
    """What is wrong with the fields of a dataclass' object."""
    hints = get_type_hints(type(thing), include_extras=True)
    for field in dataclasses.fields(thing):
        yield from _faults(field.name, getattr(thing, field.name), hints[field.name])


def _faults(where: str, value: Any, hint: Any) -> Iterator[ValueFault]:
    if hasattr(hint, "__metadata__"):
        inner, *marks = get_args(hint)
        wrong = [*_faults(where, value, inner)]
        yield from wrong or [found for mark in marks for found in _by_mark(where, value, mark)]
        return
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        if not any(_none(_faults(where, value, one)) for one in arguments):
            yield from _faults(where, value, arguments[0])
    elif origin is Literal:
        if value not in arguments:
            yield ValueFault(where, _is(value), f"expected one of {', '.join(map(repr, arguments))}")
    elif origin is Cited:
        yield from _cited(where, value, arguments[0])
    elif origin is tuple:
        yield from _tuple(where, value, arguments)
    else:
        yield from _whole(where, value, origin, arguments)


def _whole(where: str, value: Any, kind: Any, inner: tuple[Any, ...]) -> Iterator[ValueFault]:
    """Of a collection, a dataclass or a plain value."""
    if kind is frozenset or issubclass(kind, Mapping):
        yield from _collection(where, value, kind, inner)
    elif not _fits(value, kind):
        yield ValueFault(where, _is(value), f"expected {_WORDS.get(kind, f'a {kind.__name__}')}")
    elif dataclasses.is_dataclass(value):
        for found in faults_of(value):
            yield found._replace(where=f"{where}.{found.where}")


def _fits(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, kind)


def _by_mark(where: str, value: Any, mark: object) -> Iterator[ValueFault]:
    if isinstance(mark, Between) and not mark.least <= value <= mark.most:
        yield ValueFault(where, _is(value), f"expected {mark.least} to {mark.most}")
    elif isinstance(mark, InOrder) and value[0] > value[1]:
        yield ValueFault(where, _is(value), "write the smaller one first")
    elif not isinstance(mark, Between | InOrder):
        raise TypeError(f"{where}: values of a Python file cannot be marked with {mark!r} yet")


def _cited(where: str, value: Any, inner: Any) -> Iterator[ValueFault]:
    if not isinstance(value, Cited):
        yield ValueFault(where, _is(value), f"write {where}=our_choice({value!r:.40})")
        return
    yield from _faults(where, value.value, inner)
    if not isinstance(value.source, str) or not value.source:
        yield ValueFault(f"{where}.source", _is(value.source), "name where it was measured, or our_choice(…)")
    yield from _faults(f"{where}.confidence", value.confidence, Literal["H", "M", "L"])


def _tuple(where: str, value: Any, kinds: tuple[Any, ...]) -> Iterator[ValueFault]:
    several = kinds[-1] is Ellipsis
    if not isinstance(value, tuple) or not (several or len(value) == len(kinds)):
        what = "a tuple" if several else f"a tuple of {len(kinds)}"
        yield ValueFault(where, _is(value), f"expected {what}")
        return
    for number, one in enumerate(value):
        yield from _faults(f"{where}[{number}]", one, kinds[0] if several else kinds[number])


def _collection(where: str, value: Any, kind: Any, inner: tuple[Any, ...]) -> Iterator[ValueFault]:
    if not isinstance(value, kind):
        yield ValueFault(where, _is(value), f"expected a {'frozenset' if kind is frozenset else 'dict'}")
        return
    for one in value:
        yield from _faults(where, one, inner[0])
        if isinstance(value, Mapping):
            yield from _faults(f"{where}[{one!r}]", value[one], inner[1])


def _is(value: object) -> str:
    return f"is {shown(value)}"


def _none(faults: Iterator[ValueFault]) -> bool:
    return next(faults, None) is None
