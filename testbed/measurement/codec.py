"""JSON objects to frozen dataclasses and back, by the types of the dataclasses' fields.

Reading never fails. A field that is missing or has the wrong type keeps its default, which says that nothing
is known; a list loses items of a wrong type; unknown keys are ignored, except by a class with a `rest` field.
Writing is the reverse, in the order of the fields: what is not known is left out, or is null in a field made
by `nullable`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_MOST = 1e15  # numbers beyond it (and NaN) are nothing that was measured


class Unsaid(Enum):
    """The type of `UNSAID`."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID
StepFailure = str | Literal[Unsaid.UNSAID] | None
"""How a step ended: None is success; OONI's failure string (df-007); UNSAID if the record does not say."""


def nullable(default: Any = None, *, key: str = "") -> Any:
    """A field that is written as null when its value is None. `key` is its name in JSON."""
    return field(default=default, metadata={"key": key, "null": True})


def named(key: str, default: Any = None) -> Any:
    """A field with another name in JSON."""
    return field(default=default, metadata={"key": key})


def rest() -> Any:
    """A field for all keys that no other field has: name -> JSON value."""
    return field(default_factory=dict, metadata={"rest": True})


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    key: str  # in JSON
    null: bool
    rest: bool
    read: Callable[[object], Any]  # UNSAID for a value of the wrong type


def keys(kind: type) -> frozenset[str]:
    """The keys in JSON that have a field of their own."""
    return frozenset(part.key for part in _fields(kind) if not part.rest)


def from_json(kind: type[T], document: object) -> T:
    """A `kind` with everything of `document` that fits."""
    given = document if isinstance(document, Mapping) else {}
    known: dict[str, Any] = {}
    parts = _fields(kind)
    for part in parts:
        if part.rest:
            own = keys(kind)
            known[part.name] = {key: value for key, value in given.items() if key not in own}
        elif part.key in given and (value := part.read(given[part.key])) is not UNSAID:
            known[part.name] = value
    return kind(**known)


def to_json(value: Any) -> dict[str, Any]:
    """The JSON object of a dataclass."""
    document: dict[str, Any] = {}
    for part in _fields(type(value)):
        given = getattr(value, part.name)
        if part.rest:
            document.update(given)
        elif given is not UNSAID and (given is not None or part.null):
            document[part.key] = _plain(given)
    return document


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _fields(kind: type) -> tuple[_Field, ...]:
    if kind not in _KNOWN:
        hints = get_type_hints(kind)
        _KNOWN[kind] = tuple(_field(one, hints[one.name]) for one in fields(kind))
    return _KNOWN[kind]


_KNOWN: Final[dict[type, tuple[_Field, ...]]] = {}


def _field(one: dataclasses.Field[Any], hint: Any) -> _Field:
    given = one.metadata
    if given.get("rest"):
        return _Field(one.name, "", null=False, rest=True, read=_text)
    return _Field(
        one.name, given.get("key") or one.name, null=given.get("null", False), rest=False, read=_reader(hint)
    )


def _reader(hint: Any) -> Callable[[object], Any]:
    """A function from a JSON value to a value of the type, or to UNSAID."""
    if hint == StepFailure:
        return lambda value: value if value is None or isinstance(value, str) else UNSAID
    if get_origin(hint) in (Union, UnionType):
        return _any_reader([option for option in get_args(hint) if option is not NoneType])
    if get_origin(hint) is tuple:
        return _list_reader(get_args(hint))
    if get_origin(hint) is Mapping:
        return _mapping_reader(get_args(hint)[1])
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda value: from_json(hint, value) if isinstance(value, Mapping) else UNSAID
    return _SCALARS[hint]


def _any_reader(options: list[Any]) -> Callable[[object], Any]:
    readers = [_reader(option) for option in options]
    return lambda value: next((read for reader in readers if (read := reader(value)) is not UNSAID), UNSAID)


def _list_reader(arguments: tuple[Any, ...]) -> Callable[[object], Any]:
    many = arguments[-1] is Ellipsis
    readers = [_reader(argument) for argument in arguments if argument is not Ellipsis]

    def read(value: object) -> Any:
        if not isinstance(value, list | tuple) or not (many or len(value) == len(readers)):
            return UNSAID
        each = readers * len(value) if many else readers
        items = [reader(item) for reader, item in zip(each, value, strict=True)]
        if many:
            return tuple(item for item in items if item is not UNSAID)
        return UNSAID if UNSAID in items else tuple(items)

    return read


def _mapping_reader(argument: Any) -> Callable[[object], Any]:
    reader = _reader(argument)

    def read(value: object) -> Any:
        if not isinstance(value, Mapping):
            return UNSAID
        items = {key: reader(item) for key, item in value.items() if isinstance(key, str)}
        return {key: item for key, item in items.items() if item is not UNSAID}

    return read


def _text(value: object) -> Any:
    return value if isinstance(value, str) else UNSAID


def _number(value: object) -> Any:
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST
    return value if good else UNSAID


def _whole(value: object) -> Any:
    number = _number(value)
    return UNSAID if number is UNSAID or number != int(number) else int(number)


def _boolean(value: object) -> Any:
    return value if isinstance(value, bool) else UNSAID


_SCALARS: Final[Mapping[type, Callable[[object], Any]]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _boolean,
}
