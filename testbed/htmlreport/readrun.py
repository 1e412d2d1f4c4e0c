"""From a run folder to facts, also of a run that was killed: what cannot be read is named."""

from collections.abc import Iterator, Mapping, MutableSet
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from testbed import __version__
from testbed.errors import TestbedError
from testbed.explain.chosen import ChosenFlow, choose
from testbed.explain.compose import compose
from testbed.explain.evidence import RunEvidence, read
from testbed.explain.flowstory import FlowStory
from testbed.explain.packetsteps import CAPTURE
from testbed.htmlreport.eventcounts import RateLimit, count_events
from testbed.htmlreport.facts import (
    ActedRule,
    BoxPlace,
    MeasuredRow,
    OperatorLine,
    PhaseFacts,
    RunFacts,
)
from testbed.htmlreport.transfers import curves_of
from testbed.live.reader import read_json
from testbed.model import OUTSIDE
from testbed.report.paths import typed
from testbed.report.table import expected, observed
from testbed.scenario.library import folders
from testbed.truth.judge import Row
from testbed.truth.wayjudge import WayRow

MOST_LADDERS: Final = 3  # of one run; our choice
ALL_LADDERS: Final = 40  # of a report; our choice: each shows another mechanism, `explain` has the rest
LadderKey = tuple[str, str]  # what was observed, and the rule's action


def read_run(folder: Path, shown: MutableSet[LadderKey]) -> RunFacts:
    """The facts of a run. `shown`: mechanisms that have a ladder already; those of this run are added.

    Errors: InputError if nothing says what was run.
    """
    evidence = read(folder)
    scenario, summary = evidence.scenario, evidence.summary
    missing = [one for one in evidence.missing if not one.startswith("the run is invalid")]
    rows = tuple(_rows(summary, missing))
    phases = _phases(scenario, summary, evidence.start, rows)
    counts = count_events(evidence.events_file, _limiting(scenario, phases))
    actions = {(box.name, name): action for one in phases for box in one.boxes for name, action in box.rules}
    rules = tuple(_rules(evidence, actions))
    labels = {(row.vantage, row.target): row.observed for row in rows}
    capture = None if evidence.left_out else folder / CAPTURE
    curves = curves_of(capture, evidence.measured, counts.limits, _number(evidence.start.get("epoch")) or 0.0)
    stories = tuple(_stories(evidence, rows, actions, shown, missing))
    versions = _texts(scenario.get("versions"))
    if versions.get("testbed", __version__) != __version__:
        missing.append(f"it was made by testbed {versions['testbed']}, and this is {__version__}")
    if not rows and not summary.get("command") and not summary.get("world"):
        missing.append("no measurement was judged")
    return RunFacts(
        folder=typed(folder),
        scenario=str(scenario.get("name", "?")),
        title=str(scenario.get("title", "")),
        phase=str(summary.get("phase") or evidence.start.get("phase") or scenario.get("default_phase", "?")),
        seed=_whole(summary.get("seed", scenario.get("seed"))),
        time_scale=_number(summary.get("time_scale")) or 1.0,
        verdict=str(summary.get("verdict") or ""),
        valid=summary["valid"] if isinstance(summary.get("valid"), bool) else None,
        exit_status=_whole(summary.get("exit_status")),
        started=str(summary.get("started", "")),
        seconds=_number(summary.get("seconds")),
        vantages=_words(summary.get("vantages")),
        command=_words(summary.get("command")),
        captured=(folder / CAPTURE).exists(),
        timeline=bool(summary.get("phases")) and not summary.get("world"),
        versions=versions,
        files=_texts(scenario.get("files")),
        operators=tuple(_operators(scenario)),
        transit=_whole(_object(scenario.get("world")).get("transit")) or 0,
        phases=phases,
        rows=rows,
        rules=rules,
        events=dict(counts.counts),
        curves=tuple(
            replace(curve, observed=labels.get((curve.vantage, curve.target), "")) for curve in curves
        ),
        stories=stories,
        asked=_asked(read_json(folder / "job.json")),
        ways=tuple(_ways(summary, missing)),
        problems=_words(summary.get("problems")),
        notes=_words(summary.get("notes")),
        missing=tuple(dict.fromkeys([*missing, *counts.missing])),
    )


def _rows(summary: Mapping[str, Any], missing: list[str]) -> Iterator[MeasuredRow]:
    broken = 0
    for one in summary.get("rows") or ():
        try:
            row = _row(one)
            yield MeasuredRow(
                phase=str(one.get("phase") or summary.get("phase", "")),
                vantage=row.vantage,
                target=row.target,
                role=row.role,
                expected=row.expected,
                observed=row.observed,
                verdict=row.verdict,
                seen=observed(row),
                should=expected(row),
                by=row.by,
                kernel=row.kernel,
                others=row.others,
                failure=row.failure,
                rate=row.rate,
                outside_rate=row.outside_rate,
                expected_rate=row.expected_rate,
                trial=row.trial,
            )
        except (KeyError, TypeError, AttributeError):
            broken += 1
    if broken:
        missing.append(f"summary.json: {broken} rows have another form than this testbed writes")


def _asked(job: Mapping[str, Any]) -> dict[str, Any]:
    """With scenarios of the library by their names, and others as one would type them."""
    library = {one.resolve() for one in folders()}

    def named(place: str) -> str:
        path = Path(place)
        if not path.suffix:
            return place
        return path.stem if path.resolve().parent in library else typed(path)

    found = dict(job)
    if isinstance(one := job.get("scenario"), str):
        found["scenario"] = named(one)
    if isinstance(several := job.get("timeline"), list):
        found["timeline"] = [named(str(one)) for one in several]
    return found


def _ways(summary: Mapping[str, Any], missing: list[str]) -> Iterator[WayRow]:
    for one in summary.get("circumvention") or ():
        try:
            yield WayRow.from_json(one)
        except (KeyError, TypeError, AttributeError):
            missing.append("summary.json: a row of circumvention has another form than this testbed writes")


def _row(values: Mapping[str, Any]) -> Row:
    """The row that summary.json has. TypeError or KeyError for anything else."""
    known = {one.name for one in fields(Row)}
    found = {name: value for name, value in values.items() if name in known}
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return Row(**{"role": "expectation", **found, **lists})


def _phases(
    scenario: Mapping[str, Any],
    summary: Mapping[str, Any],
    start: Mapping[str, Any],
    rows: tuple[MeasuredRow, ...],
) -> tuple[PhaseFacts, ...]:
    """The phases that the run had, in the scenario's order."""
    had = {row.phase for row in rows} | {str(summary.get("phase") or start.get("phase", ""))}
    had |= {str(one.get("phase")) for one in summary.get("phases") or () if isinstance(one, dict)}
    known = _object(scenario.get("phases"))
    if not had & set(known):
        had = {str(scenario.get("default_phase"))}
    return tuple(
        PhaseFacts(key, str(_object(one).get("title", "")), tuple(_boxes(_object(one).get("placements"))))
        for key, one in known.items()
        if key in had
    )


def _boxes(placements: Any) -> Iterator[BoxPlace]:
    for one in placements if isinstance(placements, list) else ():
        rules = tuple(
            (str(rule.get("name", "")), next(iter(_object(rule.get("action"))), str(rule.get("action", ""))))
            for rule in one.get("rules", ())
        )
        yield BoxPlace(
            str(one.get("name", "?")),
            str(one.get("operator", "")),
            str(one.get("at", "hop")),
            _whole(one.get("hop")) or 0,
            str(one.get("profile", "")),
            rules,
        )


def _limiting(scenario: Mapping[str, Any], phases: tuple[PhaseFacts, ...]) -> dict[str, RateLimit]:
    """The rules of these phases that have a rate, by "mts/tspu/rule"."""
    found = {}
    for phase in phases:
        for one in _object(_object(scenario.get("phases")).get(phase.key)).get("placements") or ():
            for rule in one.get("rules", ()):
                for action, values in _object(rule.get("action")).items():
                    if (rate := _number(_object(values).get("rate"))) is not None:
                        name = f"{one.get('name')}/{rule.get('name')}"
                        found[name] = RateLimit(name, str(action), rate)
    return found


def _operators(scenario: Mapping[str, Any]) -> Iterator[OperatorLine]:
    for one in _object(scenario.get("world")).get("operators") or ():
        yield OperatorLine(
            str(one.get("key", "?")),
            str(one.get("name", "")),
            _whole(one.get("asn")) or 0,
            str(one.get("kind", "")),
            _whole(one.get("hops")) or 0,
        )


def _rules(evidence: RunEvidence, actions: Mapping[tuple[str, str], str]) -> Iterator[ActedRule]:
    for name, receipt in evidence.receipts.items():
        censor, _, part = name.partition(" (")
        for rule, counts in _object(receipt.get("rules")).items():
            yield ActedRule(
                censor,
                part.rstrip(")"),
                str(rule),
                actions.get((censor, str(rule)), ""),
                _counts(_object(counts).get("claimed")),
                _counts(_object(counts).get("kernel")),
                len(_object(_object(counts).get("flows"))),
            )


def _stories(
    evidence: RunEvidence,
    rows: tuple[MeasuredRow, ...],
    actions: Mapping[tuple[str, str], str],
    shown: MutableSet[LadderKey],
    missing: list[str],
) -> Iterator[FlowStory]:
    """A ladder for what is not as expected, and for each mechanism that has none yet."""
    technique = {rule: action for (_, rule), action in actions.items()}
    made = 0
    behind = [row for row in rows if row.vantage != OUTSIDE and row.trial in (None, 1)]
    for row in sorted(behind, key=lambda row: (row.agrees or row.verdict == "not measured", not row.by)):
        key = (row.observed, technique.get(row.by, row.by))
        if made >= MOST_LADDERS or len(shown) >= ALL_LADDERS:
            return
        if row.agrees and (not (row.by or row.others) or key in shown):
            continue
        story = _story(evidence, row.target, row.vantage, missing)
        if story is not None:
            shown.add(key)
            made += 1
            yield story
    if not rows and len(shown) < ALL_LADDERS and (story := _story(evidence, "", "", missing)) is not None:
        shown.add((story.flow, story.run))
        yield story


def _story(evidence: RunEvidence, target: str, vantage: str, missing: list[str]) -> FlowStory | None:
    try:
        chosen: ChosenFlow = choose(evidence, target, vantage)
        return compose(evidence, chosen)
    except (TestbedError, ValueError, KeyError, TypeError) as error:
        missing.append(f"no ladder{f' of {target} from {vantage}' if target else ''}: {error}")
        return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(one) for key, one in _object(value).items()}


def _counts(value: Any) -> dict[str, int]:
    return {str(key): int(one) for key, one in _object(value).items() if isinstance(one, int)}


def _words(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None
