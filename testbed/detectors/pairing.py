"""Verdicts beside what was true: of a scenario's expectations and a tool's report, trials."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from testbed.censor.policy import Rule
from testbed.detectors.trials import Trial
from testbed.detectors.verdicts import Complaint, ToolReport, ToolVerdict
from testbed.model import OUTSIDE, Placement, Scenario
from testbed.truth.expected import Truth, truth
from testbed.truth.judge import also_seen


def cases(scenario: Scenario, phase: str, vantages: Sequence[str] | None = None, ipv: int = 4) -> list[Trial]:
    """A trial without a verdict for everything that is expected in this phase, controls included.

    KeyError if there is no such phase. Each expectation is one trial, however often the scenario tries it.
    """
    return [
        case_of(scenario, phase, one)
        for one in truth(scenario, phase, vantages, ipv)
        if one.role != "reference" and one.vantage != OUTSIDE
    ]


def case_of(scenario: Scenario, phase: str, one: Truth) -> Trial:
    """One expected outcome as a trial without a verdict."""
    place, technique = rule_of(scenario, phase, one.vantage, one.by)
    rule = _rule(place, one.by)
    return Trial(
        scenario=scenario.name,
        phase=phase,
        vantage=one.vantage,
        target=one.target.url,
        outcome=one.outcome,
        role=one.role,
        also=tuple(sorted(also_seen(scenario, phase, one))),
        by=one.by,
        technique=technique,
        profile=place.policy.profile.name if place else "",
        rate=one.rate,
        received=one.received,
        hop=place.hop if place and place.at == "hop" else None,
        residual=_residual(place, rule, one) if place and rule else None,
        connections=rule.action.admits() if rule else None,
        chance=one.share is not None,
    )


def rule_of(scenario: Scenario, phase: str, vantage: str, by: str) -> tuple[Placement | None, str]:
    """Where the rule `by` ("rule" or "policy/rule") is at this vantage, and its technique."""
    policy, _, name = by.rpartition("/")
    for place in scenario.phases[phase].placements if by else ():
        if place.operator == vantage and policy in ("", place.policy.name):
            for rule in place.policy.rules:
                if rule.name == name:
                    return place, rule.action.key
    return None, ""


def _rule(place: Placement | None, by: str) -> Rule | None:
    named = by.rpartition("/")[2]
    return next((rule for rule in place.policy.rules if rule.name == named), None) if place else None


def _residual(place: Placement, rule: Rule, one: Truth) -> float | None:
    """Seconds for which the rule holds a 4-tuple after its act on such a target; None if it holds none."""
    if place.at != "hop":
        return None
    profiles = place.policy.profiles_of(rule)  # of TCP first, of QUIC last
    return rule.action.holds_for(profiles[-1 if one.target.kind.transport == "quic" else 0]) or None


def paired(known: Iterable[Trial], report: ToolReport) -> tuple[list[Trial], list[Complaint]]:
    """The trials with the verdicts about them; and a complaint for each verdict that is about none.

    A target that the tool mentions several times has a trial for each; one that it does not mention keeps its
    trial without a verdict.
    """
    waiting = list(known)
    made: dict[int, list[Trial]] = {number: [] for number in range(len(waiting))}
    complaints = list(report.complaints)
    for verdict in report.verdicts:
        found = [number for number, trial in enumerate(waiting) if about(verdict, trial)]
        if not found:
            complaints.append(Complaint("no such target", verdict.target, f"{verdict.said}: {verdict.words}"))
        for number in found:
            repeat = len(made[number]) + 1
            made[number].append(replace(waiting[number], verdict=verdict, repeat=repeat))
    return [one for number, trial in enumerate(waiting) for one in made[number] or [trial]], complaints


def answer(known: Trial, report: ToolReport) -> tuple[ToolVerdict | None, tuple[Complaint, ...]]:
    """What a report says of one trial's target, as one verdict; and every complaint about the report."""
    mine = [one for one in report.verdicts if about(one, known)]
    strays = [
        Complaint("no such target", one.target, f"{one.said}: {one.words}")
        for one in report.verdicts
        if one not in mine
    ]
    return together(mine), (*report.complaints, *strays)


def together(mine: Sequence[ToolVerdict]) -> ToolVerdict | None:
    """One verdict of several about the same target: blocked if any says so, else free if any does."""
    for said in ("blocked", "free"):
        if found := [one for one in mine if one.said == said]:
            return found[0]
    return mine[0] if mine else None


def about(verdict: ToolVerdict, trial: Trial) -> bool:
    """Whether the verdict is about the trial's target: the same URL, or the name alone for https://NAME/."""
    if verdict.vantage and verdict.vantage != trial.vantage:
        return False
    if not verdict.target:
        return True
    if "://" in verdict.target:
        return _plain(verdict.target) == _plain(trial.target)
    return trial.scheme == "https" and _plain(trial.target) == _plain(f"https://{verdict.target}/")


def _plain(url: str) -> tuple[str, str, int | None, str]:
    """A URL as it is compared: a port that its scheme has anyway is none. What is no URL is itself alone."""
    try:
        parts = urlsplit(url)
        port = parts.port if parts.port != {"http": 80, "https": 443}.get(parts.scheme) else None
    except ValueError:
        return "", url, None, ""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, (parts.hostname or "").lower(), port, path
