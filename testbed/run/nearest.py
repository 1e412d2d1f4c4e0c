"""A name among known ones, or an error that suggests the nearest."""

from collections.abc import Iterable
from difflib import get_close_matches

from testbed.errors import InputError


def one_of(asked: str, known: Iterable[str], what: str, where: str, place: str = "") -> str:
    """`asked`, if it is one of `known`; else InputError that names the nearest, in any case of letters."""
    known = tuple(known)
    if asked in known:
        return asked
    names = {name.casefold(): name for name in known}
    nearest = get_close_matches(asked.casefold(), names, n=1)
    remedy = f"did you mean '{names[nearest[0]]}'?" if nearest else f"there are: {', '.join(known)}"
    raise InputError.at(place or f"--{what}", f"{where} has no {what} '{asked}'", remedy)
