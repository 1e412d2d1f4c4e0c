"""A closer look at what is blocked: some of the field instruments, from the same place, as one value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from testbed.errors import InputError, InvalidRunError, nearest
from testbed.measurement.ooni import CloserLook
from testbed.probe.field import look
from testbed.probe.fieldsite import FieldFinding, FieldSite
from testbed.world.children import Call

CLOSER: Final = ("hop", "residual", "connections")
"""The instruments that say more of an interference than its label, in order: who has opened too many
connections may open no more for a while."""
_TOGETHER: Final = 4  # sites looked at at once per vantage; our choice


@dataclass(frozen=True, slots=True)
class SitesAtVantage:
    """What to look at from one vantage. `enter` moves the calling process there."""

    vantage: str
    sites: Sequence[FieldSite]
    enter: Callable[[], None]


def chosen_closer(text: str) -> tuple[str, ...]:
    """The instruments that "hop,residual" names, in the order in which they are used; "" is none.

    InputError for an unknown one.
    """
    asked = [one.strip() for one in text.split(",") if one.strip()]
    for one in asked:
        if one not in (*CLOSER, "all"):
            raise InputError.at("--with", f"there is no instrument {one!r} here", nearest(one, CLOSER))
    return CLOSER if "all" in asked else tuple(name for name in CLOSER if name in asked)


def look_closer(tasks: Sequence[SitesAtVantage]) -> list[list[CloserLook]]:
    """A child for each vantage, side by side; the looks in the order of the tasks and their sites.

    Call it from a process without other threads: it forks. InvalidRunError if a child dies.
    """
    calls = [Call(partial(_look, one), name=f"the closer look in {one.vantage}") for one in tasks]
    try:
        return [call.result() for call in calls]
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        raise InvalidRunError(f"a closer look failed: {error}\n{notes}".strip()) from error


def _look(task: SitesAtVantage) -> list[CloserLook]:
    task.enter()
    with ThreadPoolExecutor(_TOGETHER) as pool:
        return list(pool.map(lambda site: as_one(look(site)), task.sites))


def as_one(findings: Iterable[FieldFinding]) -> CloserLook:
    """The findings about one site as one value."""
    values: dict[str, Any] = {}
    words = []
    for one in findings:
        given: Mapping[str, Any] = one.values
        for name in ("hop", "residual", "connections"):
            if given.get(name) is not None and not (name == "connections" and given[name] == 0):
                values["residual_of_ports" if one.what == "other ports" else name] = given[name]
        if given.get("hop") is not None:
            values["routers"] = tuple(given.get("routers", ()))
        words.append(" ".join(part for part in (one.instrument, one.what) if part) + f": {one.words}")
    return CloserLook(**values, words=tuple(words))
