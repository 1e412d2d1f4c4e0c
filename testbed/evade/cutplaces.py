"""Where to cut what a client sends first: `3`, `-1`, `name`, `name+1`, several with commas, `every=20`."""

import re
from itertools import pairwise
from typing import Final

_PLACE: Final = re.compile(r"-?[1-9][0-9]*|name(\+[0-9]+)?|every=[1-9][0-9]*", re.ASCII)
_REMEDY: Final = "write numbers of bytes, name, name+1, or every=20"


def checked_places(value: str) -> None:
    """ValueError unless `value` names places: with commas between them; "" is the middle of the name."""
    if value and not all(_PLACE.fullmatch(part) for part in value.split(",")):
        raise ValueError(_REMEDY)


def cuts(value: str, size: int, name: tuple[int, int] | None) -> list[int]:
    """Where that is in data of `size` bytes, in order, its ends left out.

    `name` says where the name begins and ends; without one everything counts as it. Negative
    numbers count from the end.
    """
    begin, end = name or (0, size)
    found: set[int] = set()
    for part in (value or "name").split(","):
        if part.startswith("every="):
            found.update(range(int(part[6:]), size, int(part[6:])))
        elif part == "name":
            found.add((begin + end) // 2)
        elif part.startswith("name+"):
            found.add(begin + int(part[5:]))
        else:
            number = int(part)
            found.add(number if number > 0 else size + number)
    return sorted(at for at in found if 0 < at < size)


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    """The pieces."""
    edges = [0, *places, len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]
