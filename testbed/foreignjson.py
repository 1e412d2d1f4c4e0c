"""JSON that somebody else wrote: a detector, a student, a page. Whatever is wrong with it is a ValueError."""

import json
import math
import re
from typing import Any, Final

_LONGEST: Final = 20  # characters of an integer that fits 64 bits, with its sign
_HALF: Final = re.compile(
    r"\\u[dD][89a-fA-F]|[\ud800-\udfff]"
)  # maybe one half of a character that takes two


def json_value(text: str | bytes) -> Any:
    """Its value, which can be written as JSON and UTF-8 again.

    Numbers that others could not read (NaN, infinite, beyond 64 bits) are None, half a character is "?".

    Errors: ValueError for what is no JSON, no UTF-8, or nested too deeply.
    """
    words = text if isinstance(text, str) else text.decode("utf-8")
    try:
        value = json.loads(words, parse_float=_finite, parse_int=_integer, parse_constant=_none)
        if _HALF.search(words):
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST else None


def _none(_name: str) -> None:
    return None
