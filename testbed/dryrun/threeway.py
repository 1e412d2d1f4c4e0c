"""Policy, file and wire beside each other, exchange by exchange."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from testbed.censor.policy import Rule
from testbed.dryrun.agreement import failing_itself
from testbed.dryrun.ask import Asker, askable, control_beside, note_of_time, residual_of
from testbed.model import OUTSIDE, Placement
from testbed.scenario.labels import layer_of
from testbed.truth.expected import Truth, truth
from testbed.truth.judge import Row, also_seen
from testbed.truth.observable import with_observable
from testbed.truth.proofs import is_rule
from testbed.truth.record import TruthRecord


@dataclass(frozen=True, slots=True)
class Difference:
    """One exchange about which the three do not agree."""

    place: str  # where the scenario writes what it expects
    phase: str
    vantage: str
    target: str
    ipv: int
    policy: str  # "tls.sni.rst by mts/tspu/rule"; "not asked" where nobody can
    expected: str
    wire: str

    def __str__(self) -> str:
        where = f"{self.target} from {self.vantage} in phase {self.phase}"
        over = " over IPv6" if self.ipv == 6 else ""
        said = f"policy says {self.policy}; file expects {self.expected}; wire saw {self.wire}"
        return f"{self.place}: {where}{over}: {said}"

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self)


def differences(asker: Asker, phase: str, rows: Sequence[Row], ipv: int) -> Iterator[Difference]:
    """What does not agree in one phase. `rows` are the judged measurements of a run of it."""
    expected = {(one.vantage, one.target.url): one for one in truth(asker.scenario, phase, _about(rows), ipv)}
    for row in rows:
        one = expected.get((row.vantage, row.target))
        if one is None:  # a rule that fired where nothing at all is expected
            wire = f"{row.observed} by {row.by}"
            yield Difference(
                asker.scenario.name, phase, row.vantage, row.target, ipv, "ok", row.expected, wire
            )
            continue
        policy = _policy(asker, phase, one, ipv)
        if row.verdict == "ok" and (policy is None or _alike(asker, phase, one, policy, row)):
            continue
        said = "not asked" if policy is None else _with_rule(_shares(policy), policy.rule)
        wire = _with_rule(_seen(row), ", ".join(acting(asker, phase, row)))
        file = _with_rule(one.outcome, one.by)
        place = _place(asker, phase, one, ipv)
        yield Difference(place, phase, row.vantage, row.target, ipv, said, file, wire)


def wire_records(asker: Asker, phase: str, rows: Sequence[Row], ipv: int) -> Iterator[TruthRecord]:
    """What acted on each exchange's own flows, in the shape of policy's records."""
    scenario = asker.scenario
    info = scenario.phases[phase]
    expected = {(one.vantage, one.target.url): one for one in truth(scenario, phase, _about(rows), ipv)}
    for row in rows:
        one = expected.get((row.vantage, row.target))
        if one is None or row.vantage == OUTSIDE or row.verdict == "not measured":
            continue
        rules = acting(asker, phase, row)
        cause = _rule_named(asker, phase, rules[0]) if rules else None
        label = one.outcome if row.verdict == "ok" else row.observed
        made = TruthRecord(
            level="wire",
            scenario=scenario.name,
            phase=phase,
            vantage=row.vantage,
            target=row.target,
            transport=one.transport,
            ipv=6 if ipv == 6 else 4,
            client="probe",
            outcome=row.observed,
            mechanism=label,
            layer=layer_of(label),
            rule=rules[0] if rules else "",
            rules=rules,
            action=cause[1].action.key if cause else "",
            direction=row.directions.get(rules[0], "") if rules else "",
            hop=cause[0].hop if cause and cause[0].at == "hop" else None,
            rate=row.rate,
            size=row.received if row.observed == "freeze" else None,
            residual=residual_of(*cause, tcp=one.transport not in ("quic", "dns/udp")) if cause else None,
            control=control_beside(scenario.controls, one.target),
            onset=note_of_time(info.start),
            end=note_of_time(info.end),
            chances={row.observed: 1.0},
        )
        yield with_observable(made)


def acting(asker: Asker, phase: str, row: Row) -> tuple[str, ...]:
    """The rules that acted on a row's flows, by their whole names."""
    mine = [
        f"{place.name}/{rule.name}"
        for place in asker.scenario.phases[phase].placements
        for rule in place.policy.rules
        if row.by and is_rule(f"{place.name}/{rule.name}", row.vantage, row.by)
    ]
    return (*(mine[:1] if row.claimed and row.kernel else ()), *row.others)


def _about(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.vantage for row in rows))


def _policy(asker: Asker, phase: str, one: Truth, ipv: int) -> TruthRecord | None:
    if one.vantage == OUTSIDE or not askable(one.target):
        return None
    return asker.record(phase, one.vantage, one.target, ipv=ipv)


def _alike(asker: Asker, phase: str, one: Truth, policy: TruthRecord, row: Row) -> bool:
    """Whether policy allows what was seen, by the rule that was seen."""
    if failing_itself(asker.place(phase, one.vantage), one) and not policy.rules:
        return True
    accepted = {one.outcome, *also_seen(asker.scenario, phase, one)}
    if row.observed not in policy.chances and not accepted & {row.observed} & _also(policy, accepted):
        return False
    acted = acting(asker, phase, row)
    return not policy.certain or not policy.rule or not policy.blocked or policy.rule in acted


def _also(policy: TruthRecord, accepted: set[str]) -> set[str]:
    """What else may be seen, if policy gives one symptom of the expected effect."""
    return accepted if accepted & set(policy.chances) else set()


def _seen(row: Row) -> str:
    failure = f" ({row.failure})" if row.failure else ""
    rate = f" at {row.rate / 1000:.0f} kbit/s" if row.rate is not None and row.expected_rate else ""
    tries = f" in {row.hits} of {row.tries} tries" if row.tries is not None else ""
    return f"{row.stray or row.observed}{failure}{rate}{tries}"


def _shares(policy: TruthRecord) -> str:
    if policy.certain:
        return policy.outcome
    return " or ".join(f"{label} ({100 * share:g} %)" for label, share in policy.chances.items())


def _with_rule(what: str, rule: str) -> str:
    return f"{what} by {rule}" if rule else what


def _place(asker: Asker, phase: str, one: Truth, ipv: int) -> str:
    return asker.written(phase, one, ipv)


def _rule_named(asker: Asker, phase: str, name: str) -> tuple[Placement, Rule] | None:
    """The rule "mts/tspu/rule", and where it is."""
    for place in asker.scenario.phases[phase].placements:
        for rule in place.policy.rules:
            if f"{place.name}/{rule.name}" == name:
                return place, rule
    return None
