"""Observed beside expected, with the proof of each; and whether the run is worth anything."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from testbed.censor.actions.base import Action
from testbed.errors import Exit
from testbed.scenario.model import OUTSIDE, Scenario
from testbed.truth import receipts as proofs
from testbed.truth.classify import classify
from testbed.truth.expectations import Role, Truth, truth
from testbed.truth.reading import Reading

Json = Mapping[str, Any]
Verdict = Literal["ok", "differs", "no receipt", "unexpected receipt", "control harmed", "not measured"]
MISSING = "not measured"


@dataclass(frozen=True, slots=True)
class Row:
    """One vantage and target: what was expected, what was seen, and what proves the cause."""

    vantage: str
    target: str
    role: Role
    expected: str  # label
    observed: str  # label, or "not measured"
    verdict: Verdict
    by: str = ""
    claimed: int = 0  # decisions of the rule, all flows of this vantage together
    kernel: int = 0  # packets that the kernel counted for it
    failure: str = ""  # df-007 string of the step that failed
    rate: float | None = None  # bit/s
    outside_rate: float | None = None
    expected_rate: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A whole run. `problems` make it invalid, `notes` are worth a reader's eye."""

    scenario: str
    phase: str
    rows: tuple[Row, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the laboratory itself worked."""
        return not self.problems

    @property
    def agreeing(self) -> int:
        """How many rows are as expected."""
        return sum(row.verdict == "ok" for row in self.rows)

    @property
    def exit_status(self) -> Exit:
        """OK, UNEXPECTED or INVALID."""
        if self.problems:
            return Exit.INVALID
        return Exit.OK if self.agreeing == len(self.rows) else Exit.UNEXPECTED

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self) | {"valid": self.valid, "exit_status": int(self.exit_status)}


def judge(
    scenario: Scenario,
    phase: str,
    measurements: Sequence[Json],
    receipts: proofs.Receipts,
    vantages: Sequence[str] | None = None,
) -> Judgement:
    """Compare a run's measurements (OONI JSON) and receipts with the truth of `phase`.

    `vantages` are those that the run was about; without it, all that were measured.
    """
    made = {(_vantage(m), m.get("input")): m for m in measurements}
    about = list(dict.fromkeys(vantage for vantage, _ in made)) if vantages is None else list(vantages)
    expected = truth(scenario, phase, about)
    rows = [_row(scenario, phase, one, made, receipts) for one in expected]
    rows += _surprises(expected, receipts, about)
    placed = [p.name for p in scenario.phases[phase] if p.operator in about]
    problems = proofs.problems(receipts, placed) + _row_problems(rows) + _probe_problems(measurements)
    if not measurements:
        problems.append("nothing was measured")
    notes = _notes(expected, receipts, about)
    return Judgement(scenario.name, phase, tuple(rows), tuple(problems), tuple(notes))


def _vantage(measurement: Json) -> str:
    return str(measurement.get("annotations", {}).get("vantage", ""))


def _row(
    scenario: Scenario,
    phase: str,
    one: Truth,
    made: Mapping[tuple[str, Any], Json],
    receipts: proofs.Receipts,
) -> Row:
    proof = proofs.proof(receipts, one.vantage, one.by) if one.by else proofs.Proof(0, 0)
    counts = proof.claimed, proof.kernel
    row = Row(one.vantage, one.target, one.role, one.outcome, MISSING, "not measured", one.by, *counts)
    row = replace(row, expected_rate=one.rate)
    mine, outside = made.get((one.vantage, one.target)), made.get((OUTSIDE, one.target))
    if mine is None:
        return row
    observed = classify(mine, mine if one.vantage == OUTSIDE else outside)
    seen, there = Reading(mine), Reading(outside or {})
    rate = seen.speed.bits_per_second if seen.speed else None
    same = observed == one.outcome or _alike(scenario, phase, one, observed)
    return replace(
        row,
        observed=observed,
        verdict=_verdict(one, proof, agrees=same and _within(rate, one.rate)),
        failure=seen.failure or "",
        rate=rate,
        outside_rate=there.speed.bits_per_second if there.speed else None,
    )


def _verdict(one: Truth, proof: proofs.Proof, *, agrees: bool) -> Verdict:
    if not agrees:
        return "control harmed" if one.role == "control" else "differs"
    return "no receipt" if _must_fire(one.by, one.outcome) and not proof.fired else "ok"


def _must_fire(by: str, outcome: str) -> bool:
    return bool(by) and outcome not in ("ok", "broken")


def _within(rate: float | None, wanted: tuple[float, float] | None) -> bool:
    # A trickle that never gets through its handshake has no rate to compare: the label alone is judged.
    return wanted is None or rate is None or wanted[0] <= rate <= wanted[1]


def _alike(scenario: Scenario, phase: str, one: Truth, observed: str) -> bool:
    """Whether what was seen is another symptom of the expected effect, given how the rule acts."""
    return any(observed in action.also_seen_as(one.outcome) for action in _actions(scenario, phase, one))


def _actions(scenario: Scenario, phase: str, one: Truth) -> list[Action]:
    """The actions of the rule that an expectation names, at its vantage."""
    policy, _, name = one.by.rpartition("/")
    return [
        rule.action
        for place in scenario.phases[phase]
        if place.operator == one.vantage and policy in ("", place.policy.name)
        for rule in place.policy.rules
        if rule.name == name
    ]


def _surprises(expected: Sequence[Truth], receipts: proofs.Receipts, about: Sequence[str]) -> list[Row]:
    """Rules that fired at a vantage where nothing at all is expected to interfere."""
    rows: list[Row] = []
    for vantage in dict.fromkeys(about):
        if not any(one.by for one in expected if one.vantage == vantage):
            for by, proof in proofs.fired(receipts, vantage).items():
                rows.append(_surprise(vantage, by, proof))
    return rows


def _surprise(vantage: str, by: str, proof: proofs.Proof) -> Row:
    seen: Verdict = "unexpected receipt"
    return Row(vantage, "(any)", "expectation", "ok", "interference", seen, by, proof.claimed, proof.kernel)


def _row_problems(rows: Sequence[Row]) -> list[str]:
    found: dict[str, None] = {}
    for row in rows:
        where = f"{row.target} from {row.vantage}"
        if row.verdict == "not measured":
            found[f"{where} was not measured"] = None
        elif row.vantage == OUTSIDE and row.role != "expectation" and row.verdict != "ok":
            cause = f" ({row.failure})" if row.failure else ""
            found[f"{where} is {row.observed}{cause}, not {row.expected}: nothing to compare with"] = None
        if _must_fire(row.by, row.expected) and not (row.claimed and row.kernel):
            said = f"the censor claims {row.claimed}, the kernel saw {row.kernel}"
            found[f"rule {row.by} must fire at {row.vantage} and has no receipt: {said}"] = None
    return list(found)


def _probe_problems(measurements: Sequence[Json]) -> list[str]:
    return [
        f"the probe failed at {m.get('input')} from {_vantage(m)}: {bug}"
        for m in measurements
        if (bug := m.get("test_keys", {}).get("x_probe_error"))
    ]


def _notes(expected: Sequence[Truth], receipts: proofs.Receipts, about: Sequence[str]) -> list[str]:
    notes = []
    for vantage in dict.fromkeys(about):
        named = {one.by.rpartition("/")[2] for one in expected if one.vantage == vantage and one.by}
        for by, proof in proofs.fired(receipts, vantage).items():
            if named and by.rpartition("/")[2] not in named:
                notes.append(
                    f"rule {by}, named by no expectation, fired at {vantage} ({proof.kernel} packets)"
                )
    return notes
