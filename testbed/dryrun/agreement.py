"""Whether the expectations that a scenario writes follow from its rules: part of `testbed check`.

Each is asked of the core with the probe's shape, over both IP versions. Where a rule leaves something to
chance, it is asked draw by draw, and what may happen is accepted.
"""

import multiprocessing
import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from testbed.dryrun.ask import Asker, DryAnswer, askable
from testbed.dryrun.farside import PLAYED
from testbed.dryrun.trial import DryPlace
from testbed.errors import InputError, Problem
from testbed.measurement.kinds.dns import DnsKind, question
from testbed.model import OUTSIDE, Scenario
from testbed.scenario.labels import CAUSELESS
from testbed.scenario.loader import load
from testbed.scenario.plugin import blaming_plugins
from testbed.truth.expected import Truth, truth
from testbed.truth.judge import also_seen
from testbed.truth.timeline import Timeline

DRAWS: Final = 10  # that are asked before an expectation is called impossible; our choice


@dataclass
class _Fault:
    """One thing that is wrong, at the places where it is."""

    message: str
    remedy: str
    where: dict[str, dict[str, None]] = field(default_factory=dict)  # phase -> vantages

    @property
    def places(self) -> str:
        """Where it is: "from mts and obit in phases a and b"."""
        phases: dict[tuple[str, ...], list[str]] = {}
        for phase, vantages in self.where.items():
            phases.setdefault(tuple(vantages), []).append(phase)
        return "; ".join(
            f"from {_listed(vantages)} in {'phase' if len(some) == 1 else 'phases'} {_listed(some)}"
            for vantages, some in phases.items()
        )


@dataclass(frozen=True)
class CheckedScenario:
    """What is wrong with one scenario, and what is to be said of it otherwise."""

    problems: tuple[Problem, ...]
    remarks: tuple[str, ...] = ()


def checked(names: Sequence[str], jobs: int | None = None) -> list[CheckedScenario]:
    """Load each scenario and compare its expectations with its rules; several side by side.

    `jobs`: processes at once; None is one for each processor.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(names))
    if jobs < 2:
        return [_checked(name) for name in names]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as pool:
        return list(pool.map(_checked, names))


def _checked(name: str) -> CheckedScenario:
    try:
        scenario = load(name)
    except InputError as error:
        return CheckedScenario(error.problems)
    return CheckedScenario(tuple(Agreement(scenario).problems()), scenario.remarks)


class Agreement:
    """Compares what is written with what the rules give, for one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.unasked: set[str] = set()  # schemes of targets that only their own class can ask for
        self._asker = Asker(scenario)
        self._known: dict[tuple[object, ...], list[DryAnswer]] = {}

    def problems(self) -> list[Problem]:
        """Every expectation that does not follow, by the place where it is written."""
        found: dict[tuple[str, str, str], _Fault] = {}
        for phase in self.scenario.phases:
            for ipv in (4, 6):
                every = truth(self.scenario, phase, ipv=ipv)
                named = {one.vantage for one in every if one.by}
                for one in every:
                    place = self._asker.written(phase, one, ipv)
                    for message, remedy in self._blamed_faults(place, phase, one, ipv, named):
                        fault = found.setdefault((place, one.target.url, remedy), _Fault(message, remedy))
                        fault.where.setdefault(phase, {})[one.vantage] = None
        return [
            Problem(place, f"{fault.message}, {fault.places}", fault.remedy)
            for (place, *_), fault in found.items()
        ]

    def _blamed_faults(
        self, place: str, phase: str, one: Truth, ipv: int, named: Collection[str]
    ) -> list[tuple[str, str]]:
        """As `_faults`; what a plug-in raises when it is asked is a fault of its file, too.

        `named`: vantages where some rule is expected to act.
        """
        try:
            with blaming_plugins(place):
                faults = list(self._faults(phase, one, ipv))
                return faults or ([] if one.vantage in named else list(self._unnamed(phase, one, ipv)))
        except InputError as error:
            return [(problem.message, problem.remedy) for problem in error.problems]

    def _faults(self, phase: str, one: Truth, ipv: int) -> Iterator[tuple[str, str]]:
        """What is wrong with one expectation: message and remedy."""
        if not askable(one.target):
            self.unasked.add(one.target.kind.scheme)
            return
        if one.vantage == OUTSIDE and one.role != "control":
            return
        place = self._asker.place(phase, one.vantage)
        accepted = {one.outcome, *also_seen(self.scenario, phase, one)}
        first = self._answers(place, one, ipv, 0)
        if failing_itself(place, one) and not any(answer.trial.rules for answer in first):
            return  # no rule acts, as it must be; the rest only a run can tell
        if one.share is not None:
            yield from self._share(place, one, ipv, accepted)
        elif not any(_agrees(answer, one, accepted) for answer in first) and not self._possible(
            place, one, ipv, accepted
        ):
            yield _said(one, first[0], accepted, ipv if self._differs(place, one, ipv) else None)

    def _unnamed(self, phase: str, one: Truth, ipv: int) -> Iterator[tuple[str, str]]:
        """A rule that acts unseen where none is expected to: a run calls it interference."""
        if one.vantage == OUTSIDE or not askable(one.target):
            return
        for answer in self._answers(self._asker.place(phase, one.vantage), one, ipv, 0):
            for rule in answer.trial.rules[:1] if answer.label == one.outcome else ():
                name = rule.split("/", 1)[1]
                message = f"{one.target.url}: {one.outcome!r} is expected, and {name} acts on its packets"
                cause = f"by: {name.rpartition('/')[2]}"
                yield message, f"write 'outcome: {one.outcome}, {cause}', or change the rules"

    def _possible(self, place: DryPlace, one: Truth, ipv: int, accepted: set[str]) -> bool:
        """Whether some other draw gives it. Nothing is left to chance if the first few are alike."""
        return any(
            _agrees(answer, one, accepted)
            for draw in range(1, DRAWS)
            for answer in self._answers(place, one, ipv, draw)
        )

    def _share(self, place: DryPlace, one: Truth, ipv: int, accepted: set[str]) -> Iterator[tuple[str, str]]:
        """The share of the tries, over several draws."""
        drawn = [self._answers(place, one, ipv, draw) for draw in range(DRAWS)]
        every = [answer for answers in drawn for answer in answers]
        hits = [answer for answer in every if _agrees(answer, one, accepted)]
        stray = next((a for a in every if a not in hits and a.label != "ok"), None)
        assert one.share is not None
        low, high = one.share
        if stray is not None:
            yield _said(one, stray, accepted, None)
        elif not hits or not low <= len(hits) / len(every) <= high:
            got = f"{100 * len(hits) / len(every):.0f} % of {len(every)} tries"
            wanted = f"{100 * low:g}..{100 * high:g} % of the tries at {one.target.url}"
            message = f"{one.outcome!r} is expected of {wanted}"
            remedy = "change 'share', or the rule's chance ('miss:')"
            yield (
                f"{message}, and by the rules it is {got}",
                remedy if hits else "expect 'ok', or change the rules",
            )

    def _differs(self, place: DryPlace, one: Truth, ipv: int) -> bool:
        """Whether the other IP version gives something else."""
        other = self._answers(place, one, 10 - ipv, 0)[0].label
        return other != self._answers(place, one, ipv, 0)[0].label

    def _answers(self, place: DryPlace, one: Truth, ipv: int, draw: int) -> list[DryAnswer]:
        """Asked once for all operators that have the same boxes in the same places."""
        mine = tuple(
            (id(each.policy), each.hop, each.at)
            for each in place.placements
            if each.operator == place.vantage
        )
        links: object = None
        country = ""
        if place.vantage != OUTSIDE:
            operator = place.world.operator(place.vantage)
            links, country = (operator.access, operator.uplink), operator.country
        hosts = place.vantage if any(host.at for host in place.world.hosts) else ""
        key = (id(place.world), mine, links, country, hosts, one.target.url, one.tries, ipv, draw)
        if key not in self._known:
            answers = self._asker.answers(place.drawn(draw), one.target, ipv=ipv, tries=one.tries, draw=draw)
            self._known[key] = answers
        return self._known[key]


def failing_itself(place: DryPlace, one: Truth) -> bool:
    """Whether only a run can tell: answers that differ by resolver, or a program that serves.

    Without a network nobody knows whose the addresses are that another resolver gives, nor what a program
    that serves would say.
    """
    asked = question(one.target) if isinstance(one.target.kind, DnsKind) else one.target.host
    if any(
        asked in host.names and {service.key for service in host.services} - PLAYED
        for host in place.world.hosts
    ):
        return True
    site = place.world.site_of(asked)
    return site is not None and one.outcome == "ok" and site.answers == "by resolver"


def _agrees(answer: DryAnswer, one: Truth, accepted: set[str]) -> bool:
    """As `testbed.truth.judge` judges a real one."""
    if answer.label not in accepted:
        return False
    if one.by and one.outcome not in CAUSELESS:
        _, _, name = one.by.rpartition("/")
        policy = one.by.rpartition("/")[0]
        acted = [rule.split("/", 2) for rule in answer.trial.rules]
        if not any(rule == name and policy in ("", censor) for _, censor, rule in acted):
            return False
    keys = answer.trial.measurement.test_keys
    rate = keys.speed.bits_per_second if keys.speed else None
    received = Timeline(answer.trial.measurement).received
    return _within(rate, one.rate) and _within(received, one.received)


def _within(found: float | None, limits: tuple[float, float] | None) -> bool:
    return limits is None or found is None or limits[0] <= found <= limits[1]


def _said(one: Truth, answer: DryAnswer, accepted: set[str], ipv: int | None) -> tuple[str, str]:
    """What is wrong, and what to do."""
    over = f" over IPv{ipv}" if ipv else ""
    rules = tuple(rule.split("/", 1)[1] for rule in answer.trial.rules)
    by = f", by {_listed(rules)}" if rules else ", and no rule acts"
    wanted = f"{one.outcome!r}" + (f" by {one.by}" if one.by else "")
    message = f"{one.target.url}{over}: {wanted} is expected, and the rules give {answer.label!r}"
    if answer.label in accepted and not (one.by and not rules):
        speed = answer.trial.measurement.test_keys.speed
        if one.rate is not None and speed and not _within(speed.bits_per_second, one.rate):
            return (
                f"{message} at {(speed.bits_per_second or 0) / 1000:.0f} kbit/s",
                "change 'rate', or the rule",
            )
        received = Timeline(answer.trial.measurement).received
        if one.received is not None and not _within(received, one.received):
            return f"{message} after {received} bytes", "change 'received', or the rule"
    if ipv:
        remedy = f"give it 'ip: {10 - ipv}', and another expectation for 'ip: {ipv}'"
        return f"{message}{by}", f"{remedy}, or change the rules"
    cause = f", by: {rules[0].rpartition('/')[2]}" if rules and answer.label not in CAUSELESS else ""
    return f"{message}{by}", f"write 'outcome: {answer.label}{cause}', or change the rules"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
