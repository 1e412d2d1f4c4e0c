"""Choosing cases and running them on one backend or both."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby

from testbed.conformance.backend import Backend, CoreBackend
from testbed.conformance.case import CASES, Case, Dialogue, MissingMechanismError
from testbed.conformance.cases import SUBJECTS
from testbed.conformance.exchange import Exchange
from testbed.conformance.steps import StepResult
from testbed.errors import InputError, Problem, nearest

assert SUBJECTS  # importing them has filled the list of cases

OpenBackend = Callable[[Dialogue], AbstractContextManager[Backend]]
"""Opens a backend for a dialogue: its boxes are at work while the context lasts."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One line of the table. `held` is None if a mechanism does not exist yet; `seen` then names it."""

    id: str
    profile: str
    source: str
    confidence: str
    live: bool
    held: bool | None
    expected: str
    seen: str

    def as_dict(self) -> dict[str, object]:
        """The JSON object."""
        return asdict(self)


OnResult = Callable[[CaseResult], None]


def choose(ids: Sequence[str] = (), profiles: Sequence[str] = ()) -> list[tuple[Case, str]]:
    """The cases of these ids ("C27"; "plain" means the whole row of models), each with its profiles.

    Without arguments, all. Errors: InputError naming every unknown id and profile, or if no case is left.
    """
    known = [*CASES, *dict.fromkeys(key.partition("/")[0] for key in CASES if "/" in key)]
    there = sorted({profile for case in CASES.values() for profile in case.profiles})
    problems = [_unknown("--case", "case", one, known) for one in ids if one not in known]
    problems += [_unknown("--profile", "profile", one, there) for one in profiles if one not in there]
    if problems:
        raise InputError(*problems)
    chosen = [
        (case, profile)
        for case in sorted(CASES.values(), key=_order)
        if not ids or case.id in ids or case.id.partition("/")[0] in ids
        for profile in case.profiles
        if not profiles or profile in profiles
    ]
    if not chosen:
        remedy = "leave one of --case and --profile out"
        raise InputError.at("--profile", f"no chosen case names {', '.join(profiles)}", remedy)
    return chosen


def run_on_core(chosen: Sequence[tuple[Case, str]], on_result: OnResult) -> list[CaseResult]:
    """Run these cases on the core alone; `on_result` is called with each result."""
    return list(_reported((run(case, profile) for case, profile in chosen), on_result))


def run_live(chosen: Sequence[tuple[Case, str]], on_result: OnResult) -> list[CaseResult]:
    """Run those of the cases that the kernel can carry out, in one world; `on_result` is called inside it.

    Errors: UnsupportedError if this machine cannot build worlds; InvalidRunError if a censor failed.
    """
    from testbed.conformance.live import LiveWorld
    from testbed.world.enter import isolated_call

    def main() -> list[CaseResult]:
        world = LiveWorld()
        able = ((case, profile) for case, profile in chosen if case.live)
        results = (run(case, profile, world.backend, live=True) for case, profile in able)
        return list(_reported(results, on_result))

    return isolated_call(main)


@contextmanager
def on_core(dialogue: Dialogue) -> Iterator[Backend]:
    """The core alone."""
    yield CoreBackend(dialogue.boxes, dialogue.routers, dialogue.seed)


def run(case: Case, profile: str, backend: OpenBackend = on_core, *, live: bool = False) -> CaseResult:
    """Run one case under one profile: all its dialogues, each after its twin without rules."""

    def result(seen: str, *, held: bool | None) -> CaseResult:
        return CaseResult(case.id, profile, case.source, case.confidence, live, held, case.expected, seen)

    try:
        dialogues = tuple(case.build(profile))
    except MissingMechanismError as missing:
        return result(f"not implemented: {missing}", held=None)
    sentences, held = [], True
    for dialogue in dialogues:
        label = f"{dialogue.label}: " if dialogue.label else ""
        failed = [one for one in _steps(dialogue.twin(), backend, twin=True) if not one.held]
        if failed:
            return result(f"invalid: {label}without the rule, {failed[0].seen}", held=False)
        steps = list(_steps(dialogue, backend, twin=False))
        held &= all(one.held for one in steps)
        sentences.append(label + _joined([one.seen for one in steps if not (one.routine and one.held)]))
    return result("; ".join(sentences), held=held)


def _steps(dialogue: Dialogue, backend: OpenBackend, *, twin: bool) -> Iterable[StepResult]:
    """Run a dialogue's steps, up to the first that fails."""
    with backend(dialogue) as opened:
        exchange = Exchange(opened)
        for step in dialogue.steps:
            result = step.run_twin(exchange) if twin else step.run(exchange)
            yield result
            if not result.held:
                return
        late = opened.late()
        if number := len(late.at["L"]) + len(late.at["R"]):
            yield StepResult(held=False, seen=f"{number} packets came late (expected: none)")


def _joined(sentences: Sequence[str]) -> str:
    """Sentences in a row; equal neighbours once, with their number."""
    runs = [(sentence, len(list(group))) for sentence, group in groupby(sentences)]
    return "; ".join(f"{sentence} ({number} times)" if number > 1 else sentence for sentence, number in runs)


def _order(case: Case) -> tuple[int, int]:
    """C2 before C10, then the rows of models, as they were written."""
    number = case.id.removeprefix("C")
    return (0, int(number)) if number.isdigit() else (1, 0)


def _reported(results: Iterable[CaseResult], on_result: OnResult) -> Iterator[CaseResult]:
    for result in results:
        on_result(result)
        yield result


def _unknown(place: str, what: str, name: str, known: Sequence[str]) -> Problem:
    return Problem(place, f"there is no {what} {name!r}", nearest(name, known))
