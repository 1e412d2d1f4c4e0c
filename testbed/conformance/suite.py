"""Choosing cases and running them on one ground or both."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches

from testbed.conformance.case import CASES, Case
from testbed.conformance.cases import SUBJECTS
from testbed.conformance.runner import Outcome, run
from testbed.errors import InputError, Problem

assert SUBJECTS  # importing them has filled the list of cases

Tell = Callable[[Outcome], None]


def choose(ids: Sequence[str] = (), profiles: Sequence[str] = ()) -> list[tuple[Case, str]]:
    """The cases of these ids ("C27"; "plain" means the whole row of models), each with its profiles.

    Nothing given means all. Errors: InputError naming every unknown id and profile, and if nothing is left.
    """
    known = [*CASES, *dict.fromkeys(key.partition("/")[0] for key in CASES if "/" in key)]
    there = sorted({profile for case in CASES.values() for profile in case.profiles})
    problems = [_unknown("--case", "case", one, known) for one in ids if one not in known]
    problems += [_unknown("--profile", "profile", one, there) for one in profiles if one not in there]
    if problems:
        raise InputError(*problems)
    chosen = [
        (case, profile)
        for case in sorted(CASES.values(), key=_place)
        if not ids or case.id in ids or case.id.partition("/")[0] in ids
        for profile in case.profiles
        if not profiles or profile in profiles
    ]
    if not chosen:
        remedy = "leave one of --case and --profile out"
        raise InputError.at("--profile", f"no chosen case names {', '.join(profiles)}", remedy)
    return chosen


def run_on_core(chosen: Sequence[tuple[Case, str]], tell: Tell) -> list[Outcome]:
    """All of them on the core alone; `tell` hears each outcome."""
    return list(_told((run(case, profile) for case, profile in chosen), tell))


def run_live(chosen: Sequence[tuple[Case, str]], tell: Tell) -> list[Outcome]:
    """Those that the kernel can carry, in one world of our own; `tell` is called inside it.

    Errors: UnsupportedError if this machine cannot build worlds; InvalidRunError if a censor failed.
    """
    from testbed.conformance.live import Laboratory
    from testbed.world.testing import in_world

    def main() -> list[Outcome]:
        laboratory = Laboratory()
        able = ((case, profile) for case, profile in chosen if case.live)
        made = (run(case, profile, laboratory.ground, live=True) for case, profile in able)
        return list(_told(made, tell))

    return in_world(main)


def _place(case: Case) -> tuple[int, int]:
    """C2 before C10, and the rows of models after all of them, as they were written."""
    number = case.id.removeprefix("C")
    return (0, int(number)) if number.isdigit() else (1, 0)


def _told(outcomes: Iterable[Outcome], tell: Tell) -> Iterator[Outcome]:
    for outcome in outcomes:
        tell(outcome)
        yield outcome


def _unknown(place: str, what: str, given: str, known: Sequence[str]) -> Problem:
    near = get_close_matches(given, known, n=1)
    singles = [one for one in known if "/" not in one]
    remedy = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(singles)}"
    return Problem(place, f"there is no {what} '{given}'", remedy)
