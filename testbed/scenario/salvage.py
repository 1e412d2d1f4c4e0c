"""What is left of a file whose shape is wrong in places, so that the rest can still be checked.

A part that does not fit its model is replaced by `HOLE`, which stands for "wrong, and said so already":
later checks step over it and over everything that refers to it, and the user reads all problems at once.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

HOLE: Final[Any] = type("Hole", (), {"__repr__": lambda _: "HOLE", "__deepcopy__": lambda self, _: self})()

UNKNOWN: Final = "?"  # for a required text that is missing or wrong

_REQUIRED: Final = {"title": UNKNOWN, "period": UNKNOWN, "sources": [UNKNOWN], "default_phase": UNKNOWN}


def _or_hole(value: object, validate: ValidatorFunctionWrapHandler) -> Any:
    return value if value is HOLE else validate(value)


HOLED: Final = WrapValidator(_or_hole)


def with_holes(data: dict[str, Any], wrong: Iterable[tuple[str | int, ...]]) -> dict[str, Any]:
    """A copy of a scenario file's data in which the parts at the wrong paths are holes, or gone."""
    copy = deepcopy(data)
    for loc in wrong:
        cut = _smallest_part(loc, copy)
        *path, last = cut
        holder: Any = copy
        for step in path:
            holder = holder[step]
            if holder is HOLE:
                break
        else:
            if path:
                holder[last] = HOLE
            elif last in _REQUIRED:
                copy[str(last)] = _REQUIRED[str(last)]
            else:
                copy.pop(str(last), None)
    return copy


def _smallest_part(loc: tuple[str | int, ...], data: dict[str, Any]) -> tuple[str | int, ...]:
    """The rule, censor, phase, expectation or top-level key that a path lies in."""
    length = {"censors": 2, "phases": 2, "expect": 2}.get(str(loc[0]), 1)
    if loc[0] == "censors" and len(loc) > 4 and loc[2] == "rules":
        length = 4
    cut = loc[:length]
    holder: Any = data
    for step in cut[:-1]:
        fits = isinstance(holder, dict) or (isinstance(holder, list) and isinstance(step, int))
        holder = holder[step] if fits else None
    return cut if isinstance(holder, dict | list) else loc[:1]
