"""What the rules of a phase do to a client, asked of the core: truth at the level of policy.

A record's label is that of `testbed.truth.classify`, which judges real measurements, given the measurement
that would be made. Where something is left to chance, it is asked draw by draw.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Literal

from testbed.censor.decision import Direction
from testbed.censor.policy import Policy, Rule
from testbed.dryrun.trial import DryPlace, DryTrial, try_out
from testbed.measurement.kinds import KINDS
from testbed.measurement.ooni import Measurement
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, Placement, Scenario, World
from testbed.scenario.labels import OTHERS_ANSWER, SEEN_AS, SILENT_LABELS, layer_of
from testbed.shapes.known import SHAPES, ClientShape
from testbed.truth.classify import classify
from testbed.truth.expected import Truth
from testbed.truth.observable import with_observable
from testbed.truth.record import TruthRecord
from testbed.truth.references import reference
from testbed.truth.timeline import Timeline

DRAWS: Final = 20  # of what is left to chance; our choice
_FEW: Final = 3  # draws that show whether anything is
_TUNNELS: Final = {"wireguard", "openvpn", "ikev2", "l2tp"}


def askable(target: Target) -> bool:
    """Whether a target can be asked for without a network: built in, or one that says so of itself."""
    return target.kind.scheme in KINDS or target.kind.steps_only


@dataclass(frozen=True, slots=True)
class DryAnswer:
    """What one draw came to."""

    label: str
    trial: DryTrial


class Asker:
    """Asks the censors of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._worlds: dict[str, World] = {}
        self._outsides: dict[tuple[int, str, int, str, int], list[Measurement]] = {}

    def place(self, phase: str, vantage: str) -> DryPlace:
        """A vantage in a phase. KeyError if there is no such phase."""
        scenario = self.scenario
        if phase not in self._worlds:
            self._worlds[phase] = scenario.world_in(phase)
        placements = scenario.phases[phase].placements
        return DryPlace(self._worlds[phase], placements, vantage, scenario.seed, scenario.time_scale)

    def answers(
        self,
        place: DryPlace,
        target: Target,
        shape: ClientShape = SHAPES["probe"],
        *,
        ipv: int = 4,
        tries: int = 1,
        draw: int = 0,
        without: str = "",
    ) -> list[DryAnswer]:
        """The label of each try, as a detector that also measures from outside gives it."""
        outside = self.outside(place, target, shape, ipv=ipv, draw=draw)
        found = try_out(place, target, shape, ipv=ipv, tries=tries, draw=draw, without=without)
        return [DryAnswer(label_of(place, one, outside, number), one) for number, one in enumerate(found)]

    def record(
        self, phase: str, vantage: str, target: Target, *, client: str = "probe", ipv: int = 4
    ) -> TruthRecord:
        """The truth of one client's exchange."""
        shape, place = SHAPES[client], self.place(phase, vantage)
        drawn = self._drawn(place, target, shape, ipv)
        counts = Counter(one.label for one in drawn)
        label = counts.most_common(1)[0][0]
        shown = next(one for one in drawn if one.label == label)
        draw = drawn.index(shown)
        name = self._deciding(place, target, shape, ipv, draw, shown)
        part, info = RuleBehind.of(place, name, shown.trial), self.scenario.phases[phase]
        mechanism = part.mechanism(label) if part else label
        if label in OTHERS_ANSWER and self._behind_portal(place, ipv):
            mechanism = "portal"
        made = TruthRecord(
            level="policy",
            scenario=self.scenario.name,
            phase=phase,
            vantage=vantage,
            target=target.url,
            transport=target.kind.transport,
            ipv=6 if ipv == 6 else 4,
            client=client,
            outcome=label,
            mechanism=mechanism,
            layer=layer_of(mechanism),
            rule=name,
            rules=shown.trial.rules,
            action=part.rule.action.key if part else "",
            direction=part.direction if part else "",
            hop=part.hop if part else None,
            rate=part.rate if part and label == "throttle" else None,
            size=Timeline(shown.trial.measurement).received if label == "freeze" else None,
            residual=part.residual if part else None,
            connections=part.rule.action.admits() if part else None,
            control=control_beside(self.scenario.controls, target),
            onset=note_of_time(info.start),
            end=note_of_time(info.end),
            chances={one: round(number / len(drawn), 4) for one, number in counts.most_common()},
        )
        return with_observable(made)

    def records(
        self, phase: str, expected: Iterable[Truth], clients: Sequence[str] = ("probe",), ipv: int = 4
    ) -> Iterator[TruthRecord]:
        """The truth of each client at each vantage and target of the phase, but the outside's."""
        for one in expected:
            for client in clients:
                if one.vantage != OUTSIDE and self.speaks(client, one.target):
                    yield self.record(phase, one.vantage, one.target, client=client, ipv=ipv)

    def written(self, phase: str, one: Truth, ipv: int) -> str:
        """Where the scenario says what it expects there: file, line, and path in the file."""
        for each in self.scenario.expect:
            same = (each.phase, each.vantage, each.target.url) == (phase, one.vantage, one.target.url)
            if same and each.ipv in (None, ipv):
                return each.place or self.scenario.name
        control = any(one.target.url == target.url for target in self.scenario.controls)
        return self.scenario.controls_place if control else self.scenario.name

    def speaks(self, client: str, target: Target) -> bool:
        """Whether a client of this shape can ask for the target at all."""
        shape = SHAPES[client]
        if not askable(target):
            return False
        if target.kind.scheme not in KINDS:
            return client == "probe"  # it makes its own first bytes
        return (shape.flight if target.kind.transport == "quic" else shape.hello) is not None

    def _drawn(self, place: DryPlace, target: Target, shape: ClientShape, ipv: int) -> list[DryAnswer]:
        """As many draws as are needed; the first has the scenario's own seed."""
        found = self._some(place, target, shape, ipv, range(1))
        policies = [one.policy for one in place.placements if one.operator == place.vantage]
        chance = (shape.varies and bool(policies)) or overloaded(place.world, target) or _lossy(place)
        if chance or found[0].trial.rules or any(map(_left_to_chance, policies)):
            found += self._some(place, target, shape, ipv, range(1, _FEW))
            if chance or any(map(_left_to_chance, policies)) or len({one.label for one in found}) > 1:
                found += self._some(place, target, shape, ipv, range(_FEW, DRAWS))
        return found

    def _behind_portal(self, place: DryPlace, ipv: int) -> bool:
        """Whether somebody else answers there in place of every control."""
        labels = {
            self.answers(place, one, ipv=ipv)[0].label for one in self.scenario.controls if askable(one)
        }
        return bool(labels) and labels <= OTHERS_ANSWER

    def _some(
        self, place: DryPlace, target: Target, shape: ClientShape, ipv: int, draws: range
    ) -> list[DryAnswer]:
        return [self.answers(place.drawn(number), target, shape, ipv=ipv, draw=number)[0] for number in draws]

    def _deciding(
        self, place: DryPlace, target: Target, shape: ClientShape, ipv: int, draw: int, shown: DryAnswer
    ) -> str:
        """The rule without which the outcome is another one; of several that acted, the first such."""
        rules = shown.trial.rules
        if len(rules) < 2:
            return rules[0] if rules else ""
        for name in rules:
            other = self.answers(place.drawn(draw), target, shape, ipv=ipv, draw=draw, without=name)[0]
            if other.label != shown.label:
                return name
        return rules[0]

    def outside(
        self,
        place: DryPlace,
        target: Target,
        shape: ClientShape = SHAPES["probe"],
        *,
        ipv: int = 4,
        draw: int = 0,
    ) -> list[Measurement]:
        """The target from outside: of a server that fails at times, so often that it shows."""
        key = (id(place.world), target.url, ipv, shape.key, draw if shape.varies else 0)
        if key not in self._outsides:
            tries = DRAWS if overloaded(place.world, target) else 1
            made = try_out(place.outside, target, shape, ipv=ipv, draw=draw, tries=tries)
            self._outsides[key] = [one.measurement for one in made]
        return self._outsides[key]


@dataclass(frozen=True)
class RuleBehind:
    """The rule behind an outcome, where it is, and what it acted on."""

    placement: Placement
    rule: Rule
    trial: DryTrial

    @classmethod
    def of(cls, place: DryPlace, name: str, trial: DryTrial) -> "RuleBehind | None":
        """The rule of that name ("mts/tspu/rule"); None for ""."""
        for placement in place.placements:
            for rule in placement.policy.rules:
                if f"{placement.name}/{rule.name}" == name:
                    return cls(placement, rule, trial)
        return None

    @property
    def direction(self) -> Literal["up", "down", "both"]:
        """Which packets it acted on."""
        name = f"{self.placement.name}/{self.rule.name}"
        found = {act.direction for act in self.trial.acts if act.rule == name}
        if len(found) > 1:
            return "both"
        return "up" if found == {Direction.UP} else "down"

    @property
    def hop(self) -> int | None:
        """Its router."""
        return self.placement.hop if self.placement.at == "hop" else None

    @property
    def rate(self) -> float | None:
        """What it lets through, bit/s."""
        rate = getattr(self.rule.action, "rate", None)
        return None if rate is None else float(rate)

    @cached_property
    def residual(self) -> float | None:
        """How long it holds a 4-tuple, s; None if it holds none."""
        tcp = any(one.startswith("tcp") for one in self.trial.measurement.test_keys.flows or ())
        return residual_of(self.placement, self.rule, tcp=tcp)

    def mechanism(self, label: str) -> str:
        """The label of the cause, by what the rule looks for."""
        match, cause = self.rule.match, self.rule.action.cause
        if label in SEEN_AS["quic.sni.drop"] and match.get("quic.sni") is not None:
            return "quic.sni.drop"
        if label in SEEN_AS["vpn.drop"] and _TUNNELS & set(match.get("protocol") or ()):
            return "vpn.drop"
        return cause if cause and label in SEEN_AS.get(cause, ()) else label


def residual_of(placement: Placement, rule: Rule, *, tcp: bool) -> float | None:
    """How long a rule holds a 4-tuple, s; None if it holds none."""
    if placement.at == "resolver":
        return None
    profile = placement.policy.profiles_of(rule)[0 if tcp else -1]
    return rule.action.holds_for(profile) or None


def control_beside(controls: Sequence[Target], target: Target) -> str:
    """A control of the same kind, or any; "" without controls."""
    alike = [one for one in controls if one.kind == target.kind] or list(controls)
    return alike[0].url if alike else ""


def _left_to_chance(policy: Policy) -> bool:
    """Whether a box misses some flows, stands on some paths only, or reads flows in several ways."""
    return bool(any(policy.miss.values()) or policy.bypass or len(policy.profile.models.value) > 1)


def overloaded(world: World, target: Target) -> bool:
    """Whether the target's server fails at times."""
    site = world.site_of(target.host)
    given = [one.behaviour for one in world.hosts if target.host in one.names]
    given += [site.behaviour] if site else []
    return any(one.silent or one.resets for one in given)


def label_of(place: DryPlace, trial: DryTrial, outside: Sequence[Measurement], number: int) -> str:
    """As `testbed.truth.judge` labels a real one: what is silent without a rule, over a bad link, is out."""
    compared = reference(trial.measurement, number, outside, alike=len(outside) > 1)
    label = classify(trial.measurement, compared, limited=bool(trial.rules))
    return "outage" if label in SILENT_LABELS and not trial.rules and _lossy(place) else label


def _lossy(place: DryPlace) -> bool:
    """Whether a link of the vantage loses packets, or all of them."""
    if place.vantage == OUTSIDE:
        return False
    operator = place.world.operator(place.vantage)
    links = operator.access, operator.uplink or place.world.backbone
    return any(one.loss or one.dead for one in links)


def note_of_time(time: datetime | None) -> str | None:
    """A time as records have it: "2022-03-04T08:00:00Z"."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None
