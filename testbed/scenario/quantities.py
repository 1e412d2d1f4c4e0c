"""Text to numbers: "140 kbit/s", "16 KiB", "600 s", "5 %".

Every function takes what YAML gave (text or a number) and returns a plain number in the base unit, or
raises `UnitError` with the wrong value and the units that would be right. A bare number has no unit, so
only 0 needs none (a share has no unit).
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

TIME: Final = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
RATE: Final = {
    "bit/s": 1.0,
    "kbit/s": 1e3,
    "Mbit/s": 1e6,
    "Gbit/s": 1e9,
    "B/s": 8.0,
    "kB/s": 8e3,
    "KiB/s": 8192.0,
    "MB/s": 8e6,
    "MiB/s": 8.0 * 1024**2,
}
SIZE: Final = {"B": 1.0, "kB": 1e3, "KiB": 1024.0, "MB": 1e6, "MiB": 1024.0**2}
# Our choice: the kernel's timers, token buckets and counters have room for them.
MOST: Final = {"a time": "36500 d", "a rate": "100 Gbit/s", "a size": "1024 MiB"}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_QUANTITY = re.compile(rf"({_NUMBER})\s*([A-Za-zµ/%]*)", re.ASCII)
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})\s*([A-Za-z/%]*)", re.ASCII)


class UnitError(ValueError):
    """A number whose unit is missing or wrong."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def seconds(value: object) -> float:
    """Such as "600 s", "10 min", 0 -> seconds."""
    return _parse(value, TIME, "a time", "75 s")


def bits_per_second(value: object) -> float:
    """Such as "140 kbit/s", "650 B/s" -> bit/s, more than 0."""
    rate = _parse(value, RATE, "a rate", "140 kbit/s")
    if not rate:
        raise UnitError(f"{value!r} is not a rate: it must be more than 0", "write it like 140 kbit/s")
    return rate


def octets(value: object) -> int:
    """Such as "16 KiB", "1500 B" -> bytes."""
    return round(_parse(value, SIZE, "a size", "16 KiB"))


def share(value: object) -> float:
    """Such as "5 %" or 0.05 -> 0.05; from 0 to 1."""
    number = math.nan
    if isinstance(value, str) and (found := _QUANTITY.fullmatch(value.strip())) and found[2] == "%":
        number = float(found[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    if not 0 <= number <= 1:
        raise UnitError(f"{value!r} is not a share", "write it like 5 % or 0.05, from 0 to 1")
    return number


def rate_range(value: object) -> tuple[float, float]:
    """Such as "130..150 kbit/s" -> (130000.0, 150000.0) bit/s."""
    return _range(value, bits_per_second, "rates", "130..150 kbit/s")


def size_range(value: object) -> tuple[float, float]:
    """Such as "12..20 KiB" -> (12288, 20480) bytes."""
    return _range(value, octets, "sizes", "12..20 KiB")


def share_range(value: object) -> tuple[float, float]:
    """Such as "30..70 %" -> (0.3, 0.7)."""
    return _range(value, share, "shares", "30..70 %")


def time_range(value: object) -> tuple[float, float]:
    """Such as "10..40 min" -> (600.0, 2400.0) seconds."""
    return _range(value, seconds, "times", "10..40 min")


def _range(value: object, parse: Callable[[object], float], what: str, example: str) -> tuple[float, float]:
    found = _RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise UnitError(f"{value!r} is not a range of {what}", f"write it like {example}")
    low, high = (parse(f"{number} {found[3]}") for number in (found[1], found[2]))
    if low > high:
        raise UnitError(f"the range {value!r} is reversed", f"write {found[2]}..{found[1]} {found[3]}")
    return low, high


def _parse(value: object, units: Mapping[str, float], what: str, example: str) -> float:
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise UnitError(f"{value!r} is not {what}: it has no unit", f"write it like {example}")
    found = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise UnitError(f"{value!r} is not {what}", f"write it like {example}")
    number, unit = float(found[1]), found[2]
    if unit not in units:
        fault = f"unknown unit {unit!r}" if unit else "no unit"
        same = [known for known in units if known.lower() == unit.lower()]
        hint = f"did you mean {same[0]!r}?" if same else f"the units of {what[2:]} are {', '.join(units)}"
        raise UnitError(f"{value!r} is not {what}: {fault}", hint)
    largest, _, its_unit = MOST[what].partition(" ")
    if number * units[unit] > float(largest) * units[its_unit]:
        raise UnitError(f"{str(value)[:40]!r} is not {what}: too large", f"write {MOST[what]} at most")
    return number * units[unit]
