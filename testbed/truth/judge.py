"""Observed beside expected, with the proof of each; and whether the run is valid."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from testbed.errors import Exit
from testbed.measurement.kinds.dns import DnsKind, record_type
from testbed.measurement.ooni import Measurement
from testbed.model import OUTSIDE, Placement, Scenario, World
from testbed.scenario.labels import CAUSELESS, OTHERS_ANSWER, SEEN_AS, SILENT_LABELS
from testbed.truth import proofs
from testbed.truth.classify import classify, slow
from testbed.truth.expected import Role, Truth, truth
from testbed.truth.outage import silent_share
from testbed.truth.proofs import FlowDirection
from testbed.truth.references import reference, serves_inside_only
from testbed.truth.timeline import Timeline

ByVantageAndUrl = Mapping[tuple[str, str], list[Measurement]]  # by vantage and URL, in the order measured
RowVerdict = Literal["ok", "differs", "no receipt", "unexpected receipt", "control harmed", "not measured"]
MISSING = "not measured"
_OF_A_FILTER = {"dns.drop", "dns.rst", "ip.drop", "ip.icmp", "tls.sni.rst", "tls.sni.drop", "http.drop",
                "freeze", "quic.drop", "vpn.drop"}  # fmt: skip
"""What no server does by itself. A redirect, another certificate or another address it may well give."""
_BUSY = "this machine was too busy to measure"
_LOST = "packets were lost or late in the world itself"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: what was expected, what was seen, and what proves the cause."""

    vantage: str
    target: str  # URL
    role: Role
    expected: str  # label
    observed: str  # label, or "not measured"
    verdict: RowVerdict
    by: str = ""
    claimed: int = 0  # decisions of the rule about this measurement's flows
    kernel: int = 0  # packets of these flows that the kernel counted for it
    others: tuple[str, ...] = ()  # further rules that acted on these flows, "mts/tspu/rule"
    directions: Mapping[str, FlowDirection] = field(
        default_factory=dict
    )  # rule that acted -> up, down or both
    unowned: bool = False  # interference that no rule of any censor had a part in
    slow: bool = False  # slower than outside, although no rule acted on its flows
    failure: str = ""  # df-007 string of the step that failed
    rate: float | None = None  # bit/s
    outside_rate: float | None = None
    expected_rate: tuple[float, float] | None = None
    received: int | None = None  # bytes that came on the target's connection
    expected_received: tuple[float, float] | None = None
    trial: int | None = None  # from 1, where the target was measured more than once
    tries: int | None = None  # where the outcome of a share of several tries is expected: one row for all
    hits: int | None = None  # how many of them had the expected outcome
    stray: str = ""  # label of a try that had neither this outcome nor none
    expected_share: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A whole run. `problems` make it invalid, `notes` do not."""

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
    measurements: Sequence[Measurement],
    receipts: proofs.CensorReceipts,
    vantages: Sequence[str] | None = None,
    ipv: int = 4,
) -> Judgement:
    """Compare a run's measurements and receipts with the truth of `phase`.

    `vantages` are those that the run was about; without it, all that were measured. A target measured several
    times from one vantage has a row for each, or one where a share of the tries is expected; trial n is
    compared with trial n from outside. `ipv` is the IP version that was measured.
    """
    made: ByVantageAndUrl = defaultdict(list)
    for measurement in measurements:
        made[measurement.vantage, measurement.target].append(measurement)
    about = list(dict.fromkeys(vantage for vantage, _ in made)) if vantages is None else list(vantages)
    expected = truth(scenario, phase, about, ipv)
    rows: list[Row] = []
    world = scenario.world_in(phase)
    controls = [target.url for target in scenario.controls]
    expected_outside = {e.target.url for e in expected if (e.vantage, e.role) == (OUTSIDE, "expectation")}
    for one in expected:
        excuse = _excuse(world, one.vantage)
        other = also_seen(scenario, phase, one)
        each = list(_rows(one, made, receipts, other, at_times=one.target.url in expected_outside))
        each = _turned_away(each, one, made)
        if _partly_out(one.vantage, controls, made, receipts):
            each = [_in_outage(row, one) for row in each]
        if _behind_portal(one.vantage, controls, made):
            each = [_at_portal(row, one) for row in each]
        for row in [_together(each, one)] if one.share else each:
            lossy = "loss" in excuse or "dead" in excuse
            unowned, late = row.unowned and not lossy, row.slow and not excuse
            rows += [replace(row, unowned=unowned, slow=late)]
    rows += _surprises(expected, receipts, about)
    placed = [p for p in scenario.phases[phase].placements if p.operator in about]
    problems = proofs.problems(receipts, [p.name for p in placed])
    problems += _row_problems(rows) + _probe_errors(measurements)
    if not measurements:
        problems.append("nothing was measured")
    notes = _notes(expected, receipts, about) + _idle_rules(expected, receipts, placed)
    notes += _slow_rows(rows) + proofs.notes(receipts)
    return Judgement(scenario.name, phase, tuple(rows), tuple(problems), tuple(notes))


def _rows(
    one: Truth,
    made: ByVantageAndUrl,
    receipts: proofs.CensorReceipts,
    also_seen: Collection[str],
    *,
    at_times: bool,
) -> Iterator[Row]:
    """A row for each measurement, or one that says so. `at_times`: the site fails outside at times, too."""
    url = one.target.url
    row = Row(one.vantage, url, one.role, one.outcome, MISSING, "not measured", one.by)
    row = replace(row, expected_rate=one.rate, expected_received=one.received, expected_share=one.share)
    mine, outside = made.get((one.vantage, url), []), made.get((OUTSIDE, url), [])
    if not mine:
        yield row
    for number, measurement in enumerate(mine):
        trial = number + 1 if len(mine) > 1 else None
        compared = reference(measurement, number, outside, alike=at_times)
        yield _row(replace(row, trial=trial), one, measurement, compared, receipts, also_seen)


def _turned_away(rows: list[Row], one: Truth, made: ByVantageAndUrl) -> list[Row]:
    """The rows of the vantage outside, where the server serves at operators only."""
    tried = [some for (place, url), some in made.items() if url == one.target.url and place != OUTSIDE]
    inside = [each for some in tried for each in some]
    outside = made.get((OUTSIDE, one.target.url), ())
    if (one.vantage, one.role) != (OUTSIDE, "expectation") or not serves_inside_only(outside, inside):
        return rows
    verdict: RowVerdict = "ok" if one.outcome == "refused" else "differs"
    return [replace(row, observed="refused", verdict=verdict) for row in rows]


def _row(
    row: Row,
    one: Truth,
    measurement: Measurement,
    reference: Measurement | None,
    receipts: proofs.CensorReceipts,
    also_seen: Collection[str],
) -> Row:
    """What became of one measurement, by what happened to its own flows."""
    acts = proofs.on_flows(receipts, measurement.test_keys.flows or ())
    acted = proofs.fired_on(acts)
    mine = proofs.of_rule(acts, one.vantage, one.by) if one.by else proofs.NOTHING
    observed, rate = classify(measurement, reference, limited=bool(acted)), _rate(measurement)
    received = Timeline(measurement).received
    agrees = (observed == one.outcome or observed in also_seen) and _within(rate, one.rate)
    agrees = agrees and _within(received, one.received)
    return replace(
        row,
        observed=observed,
        verdict=_verdict(one, mine, agrees=agrees, by_others=bool(acted)),
        claimed=mine.claimed,
        kernel=mine.kernel,
        others=tuple(name for name in acted if not one.by or not proofs.is_rule(name, one.vantage, one.by)),
        directions={name: acts[name].direction for name in acted if acts[name].direction},
        unowned=not acted and observed in _OF_A_FILTER and not (agrees and not one.by),
        slow=not acted and slow(measurement, reference),
        failure=Timeline(measurement).failure or "",
        rate=rate,
        received=received,
        outside_rate=_rate(reference) if reference else None,
    )


def _partly_out(
    vantage: str, controls: Sequence[str], made: ByVantageAndUrl, receipts: proofs.CensorReceipts
) -> bool:
    """Whether a control got no answer there, though it works from outside and no rule acted on its flows."""
    labels = [
        classify(one, outside[0], limited=False)
        for url in controls
        if vantage != OUTSIDE and (outside := made.get((OUTSIDE, url)))
        for one in made.get((vantage, url), ())
        if not proofs.fired_on(proofs.on_flows(receipts, one.test_keys.flows or ()))
    ]
    return silent_share(labels) > 0


def _behind_portal(vantage: str, controls: Sequence[str], made: ByVantageAndUrl) -> bool:
    """Whether somebody else answers in place of every control, though they are themselves from outside."""
    labels = [
        classify(one, outside[0])
        for url in controls
        if vantage != OUTSIDE and (outside := made.get((OUTSIDE, url)))
        for one in made.get((vantage, url), ())
    ]
    return bool(labels) and set(labels) <= OTHERS_ANSWER


def _at_portal(row: Row, one: Truth) -> Row:
    """The row of a vantage whose access network answers for everybody until one logs in."""
    if row.observed not in OTHERS_ANSWER:
        return row
    if one.outcome != "portal":
        return replace(
            row, observed="portal", verdict="control harmed" if one.role == "control" else "differs"
        )
    return replace(row, observed="portal")


def _in_outage(row: Row, one: Truth) -> Row:
    """The row of a vantage that is out at least in part: what got no answer and met no rule is its outage."""
    if row.observed not in SILENT_LABELS or row.claimed or row.others:
        return row
    verdict: RowVerdict = "ok" if one.outcome == "outage" else row.verdict
    return replace(row, observed="outage", verdict=verdict, unowned=True)


def _together(rows: Sequence[Row], one: Truth) -> Row:
    """The tries of which a share is expected to have the outcome, and the others to be ok, as one row."""
    hits = [row for row in rows if row.verdict == "ok"]
    stray = [row for row in rows if row.verdict != "ok" and row.observed != "ok"]
    low, high = one.share or (0.0, 1.0)
    within = low <= len(hits) / len(rows) <= high
    first = (stray or hits or rows)[0]
    return replace(
        first,
        verdict=first.verdict if stray else "ok" if within else "differs",
        claimed=sum(row.claimed for row in rows),
        kernel=sum(row.kernel for row in rows),
        others=tuple(dict.fromkeys(other for row in rows for other in row.others)),
        directions={name: way for row in rows for name, way in row.directions.items()},
        unowned=any(row.unowned for row in rows),
        slow=any(row.slow for row in rows),
        trial=None,
        tries=len(rows),
        hits=len(hits),
        stray=stray[0].observed if stray else "",
    )


def _rate(measurement: Measurement) -> float | None:
    speed = measurement.test_keys.speed
    return speed.bits_per_second if speed else None


def _verdict(one: Truth, proof: proofs.Proof, *, agrees: bool, by_others: bool) -> RowVerdict:
    if not agrees:
        return "control harmed" if one.role == "control" else "differs"
    if not _must_fire(one.by, one.outcome) or proof.fired:
        return "ok"
    return "differs" if by_others else "no receipt"  # the effect is there, and another rule's


def _must_fire(by: str, outcome: str) -> bool:
    return bool(by) and outcome not in CAUSELESS


def _within(rate: float | None, limits: tuple[float, float] | None) -> bool:
    # A trickle that never gets through its handshake has no rate to compare: the label alone is judged.
    return limits is None or rate is None or limits[0] <= rate <= limits[1]


def also_seen(scenario: Scenario, phase: str, one: Truth) -> set[str]:
    """Labels of other symptoms of the expected effect, as the actions of the rule that causes it say."""
    policy, _, name = one.by.rpartition("/")
    actions = [
        rule.action
        for place in scenario.phases[phase].placements
        if place.operator == one.vantage and policy in ("", place.policy.name)
        for rule in place.policy.rules
        if rule.name == name
    ]
    found = {*SEEN_AS.get(one.outcome, ())}
    found.update(label for action in actions for label in action.also_seen_as(one.outcome))
    if one.second and not (isinstance(one.target.kind, DnsKind) and record_type(one.target)):
        found.update(label for action in actions for label in action.also_seen_over_ipv6(one.outcome))
    return found


def _excuse(world: World, vantage: str) -> tuple[str, ...]:
    """What the links of the world itself do to this vantage's packets."""
    links = [world.backbone]
    links += [
        link for one in world.operators if one.key == vantage for link in (one.access, one.uplink) if link
    ]
    return tuple(
        what
        for what in ("rate", "delay", "jitter", "loss", "dead")
        if any(getattr(one, what) for one in links)
    )


def _surprises(expected: Sequence[Truth], receipts: proofs.CensorReceipts, about: Sequence[str]) -> list[Row]:
    """Rules that fired at a vantage where nothing at all is expected to interfere."""
    rows: list[Row] = []
    for vantage in dict.fromkeys(about):
        if not any(one.by for one in expected if one.vantage == vantage):
            for by, proof in proofs.fired(receipts, vantage).items():
                rows.append(_surprise(vantage, by, proof))
    return rows


def _surprise(vantage: str, by: str, proof: proofs.Proof) -> Row:
    seen: RowVerdict = "unexpected receipt"
    return Row(vantage, "(any)", "expectation", "ok", "interference", seen, by, proof.claimed, proof.kernel)


def _row_problems(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(problem for row in rows for problem in _problems_of(row)))


def _problems_of(row: Row) -> Iterator[str]:
    where = f"{row.target} from {row.vantage}"
    seen = row.observed + (f" ({row.failure})" if row.failure else "")
    if row.verdict == "not measured":
        yield f"{where} was not measured"
    elif row.vantage == OUTSIDE and row.role != "expectation" and row.verdict != "ok":
        yield f"{where} is {seen}, not {row.expected}: nothing to compare with"
    elif row.verdict == "control harmed":
        yield f"the control {where} was harmed: {seen}"
    elif _must_fire(row.by, row.expected) and not (row.kernel and row.claimed) and not row.others:
        said = f"the censor claims {row.claimed}, the kernel saw {row.kernel}"
        yield f"rule {row.by} must fire at {row.vantage} and has no receipt for {row.target}: {said}"
    elif row.unowned:
        yield f"{where} is {seen}, and no rule acted on its flows: {_LOST}"
    if row.slow and row.verdict != "ok":
        yield f"{where} was slow, and no rule acted on its flows: {_BUSY}"


def _probe_errors(measurements: Sequence[Measurement]) -> list[str]:
    return [
        f"the probe failed at {one.target} from {one.vantage}: {one.test_keys.probe_error}"
        for one in measurements
        if one.test_keys.probe_error
    ]


def _notes(expected: Sequence[Truth], receipts: proofs.CensorReceipts, about: Sequence[str]) -> list[str]:
    notes = []
    for vantage in dict.fromkeys(about):
        named = {one.by.rpartition("/")[2] for one in expected if one.vantage == vantage and one.by}
        for by, proof in proofs.fired(receipts, vantage).items():
            if named and by.rpartition("/")[2] not in named:
                notes.append(
                    f"rule {by}, named by no expectation, fired at {vantage} ({proof.kernel} packets)"
                )
    return notes


def _slow_rows(rows: Sequence[Row]) -> list[str]:
    late = [f"{row.target} from {row.vantage}" for row in rows if row.slow and row.verdict == "ok"]
    return [f"slow, though no rule acted on their flows: {', '.join(late)}"] if late else []


def _idle_rules(
    expected: Sequence[Truth], receipts: proofs.CensorReceipts, placed: Sequence[Placement]
) -> list[str]:
    """Rules that did nothing and that no expectation names."""
    idle = [
        f"{place.name}/{rule.name}"
        for place in placed
        for rule in place.policy.rules
        if place.name in receipts
        and not rule.action.exempts
        and not any(
            one.by and proofs.is_rule(f"{place.name}/{rule.name}", one.vantage, one.by) for one in expected
        )
        and f"{place.policy.name}/{rule.name}" not in proofs.fired(receipts, place.operator)
    ]
    return [f"did nothing, and no expectation names them: {', '.join(idle)}"] if idle else []
