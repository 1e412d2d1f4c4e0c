"""Checking the rest of a file whose shape is wrong in places.

A part that does not fit its model is replaced by `INVALID`, which means "wrong, and already reported". Later
checks skip it and everything that refers to it, so that the user reads all problems at once.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

INVALID: Final[Any] = type(
    "Invalid", (), {"__repr__": lambda _: "INVALID", "__deepcopy__": lambda self, _: self}
)()

UNKNOWN: Final = "?"  # for a required text that is missing or wrong

_REQUIRED: Final = {"title": UNKNOWN, "period": UNKNOWN, "sources": [UNKNOWN], "default_phase": UNKNOWN}


def _validate(value: object, validate: ValidatorFunctionWrapHandler) -> Any:
    return value if value is INVALID else validate(value)


OR_INVALID: Final = WrapValidator(_validate)
"""Marks a type: its value, or INVALID."""


def with_invalid_parts(data: dict[str, Any], wrong: Iterable[tuple[str | int, ...]]) -> dict[str, Any]:
    """A copy of a scenario file's data in which the parts at the wrong paths are INVALID, or left out."""
    copy = deepcopy(data)
    for loc in wrong:
        cut = _smallest_part(loc, copy)
        *path, last = cut
        holder: Any = copy
        for step in path:
            if not _has(holder, step) or holder[step] is INVALID:
                break  # what it lies in has been left out already
            holder = holder[step]
        else:
            if path:
                holder[last] = INVALID
            elif last in _REQUIRED:
                copy[str(last)] = _REQUIRED[str(last)]
            else:
                copy.pop(str(last), None)
    return copy


def _smallest_part(loc: tuple[str | int, ...], data: dict[str, Any]) -> tuple[str | int, ...]:
    """The rule, censor, phase, expectation or top-level key that a path lies in."""
    length = {"censors": 2, "phases": 2, "expect": 2, "circumvention": 2}.get(str(loc[0]), 1)
    if loc[0] == "censors" and len(loc) > 4 and loc[2] == "rules":
        length = 4
    cut = loc[:length]
    holder: Any = data
    for step in cut[:-1]:
        holder = holder[step] if _has(holder, step) else None
        if holder is INVALID:
            return cut  # all of what it lies in is left out
    return cut if isinstance(holder, dict | list) else loc[:1]


def _has(holder: Any, step: str | int) -> bool:
    """Whether a mapping or list has that key or number."""
    if isinstance(holder, dict):
        return step in holder
    return isinstance(holder, list) and isinstance(step, int) and step < len(holder)
