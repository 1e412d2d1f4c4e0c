"""One measurement without a world: the vantage, the censors of the phase on its way, the far side."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from testbed.dryrun.agenda import Agenda
from testbed.dryrun.dryclient import DryClient, DryLog
from testbed.dryrun.drysteps import DrySteps
from testbed.dryrun.farside import FarSide, FarWorld
from testbed.dryrun.packedaddress import address_text, packed_address
from testbed.dryrun.way import DryAct, DryLink, Station, Way, WayPacket
from testbed.measurement.ooni import Measurement
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, OUTSIDE_HOST, Addresses, Host, Placement, World
from testbed.model.addressing import addresses_of
from testbed.probe import failure
from testbed.probe.failure import MeasurementError
from testbed.probe.log import ProbePlace
from testbed.probe.lookup import endpoint
from testbed.shapes.known import ClientShape

TIMEOUT: Final = 4.0  # seconds of silence, as the probe's
_PAUSE: Final = 1.0  # seconds between two tries


@dataclass(frozen=True, slots=True)
class DryPlace:
    """Where a measurement is made, and what is in force there."""

    world: World
    placements: tuple[Placement, ...]  # of the phase, every operator's
    vantage: str
    seed: int
    time_scale: float = 1.0

    def drawn(self, number: int) -> "DryPlace":
        """The same with other draws, 0 for these."""
        return replace(self, seed=self.seed + number) if number else self

    @property
    def outside(self) -> "DryPlace":
        """The same world, seen from where nothing filters."""
        return replace(self, placements=(), vantage=OUTSIDE)


@dataclass(frozen=True, slots=True)
class DryTrial:
    """What came of one try: the measurement, and what was done to its packets."""

    measurement: Measurement
    acts: tuple[DryAct, ...]
    packets: tuple[WayPacket, ...] = ()  # at the client's interface, if they were asked for
    drawn: bool = True  # whether a draw had a say: if not, every other makes the same but for DNS's numbers

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that acted, in the order in which they did."""
        return tuple(dict.fromkeys(act.rule for act in self.acts))


_FAR: Final[OrderedDict[int, FarWorld]] = (
    OrderedDict()
)  # by the world's identity, which each entry keeps alive
_MOST_FAR: Final = 8


def _far(world: World) -> FarWorld:
    if (known := _FAR.get(id(world))) is None:
        known = _FAR[id(world)] = FarWorld(world)
        if len(_FAR) > _MOST_FAR:
            _FAR.popitem(last=False)
    return known


def try_out(
    place: DryPlace,
    target: Target,
    shape: ClientShape,
    *,
    ipv: int = 4,
    tries: int = 1,
    draw: int = 0,
    without: str = "",
    packets: bool = False,
) -> list[DryTrial]:
    """Measure the target so often, one try after another past the same censors.

    `draw` numbers the client's first connection; `without` names a rule ("mts/tspu/rule") that is left out;
    `packets`: keep those that pass the client's interface.
    """
    far = _far(place.world)
    agenda = Agenda()
    stations, links = list(_stations(place, target, without)), _links(place)
    way = Way(agenda, stations, links, lambda address: far.hops(place.vantage, address_text(address)))
    client = DryClient(agenda, way, _addresses(place))
    lying = {one.operator: one for one in _left(place.placements, without) if one.at == "resolver"}
    flight = len(shape.flight(target.host, draw)) if shape.flight else 1
    far_side = FarSide(far, way, lying, flight, place.seed)
    chance = shape.varies or far.rotates or any(one.draws for one in links)
    found = []
    for number in range(tries):
        way.acts.clear()
        way.seen = [] if packets else None
        log = DryLog(ProbePlace(place.vantage), agenda)
        steps = DrySteps(log, client, _resolvers(place, ipv), ipv, TIMEOUT, shape, draw + number)
        try:
            target.kind.measure(target, steps)
        except (MeasurementError, OSError, EOFError) as error:
            log.failed(steps.step, failure.of(error))
        made = log.measurement(target.url, ipv, endpoint(_resolvers(place, ipv)[0])[0])
        acts = tuple(way.acts)
        agenda.wait(lambda: False, agenda.now + _PAUSE)
        drawn = chance or far_side.drawn or any(one.core.drawn for one in stations)
        found.append(DryTrial(made, acts, tuple(way.seen or ()), drawn))
    return found


def _left(placements: Sequence[Placement], without: str) -> Iterator[Placement]:
    """The placements without one rule."""
    for one in placements:
        rules = tuple(rule for rule in one.policy.rules if f"{one.name}/{rule.name}" != without)
        yield one if rules == one.policy.rules else replace(one, policy=replace(one.policy, rules=rules))


def _stations(place: DryPlace, target: Target, without: str) -> Iterator[Station]:
    """The censors of the vantage, from the subscriber outwards; then those of a server's own operator."""
    hosts = {host.at for host in place.world.hosts if host.at and _is_target(host, target, place.world)}
    for operator, inwards in ((place.vantage, False), *((key, True) for key in hosts - {place.vantage})):
        mine = [one for one in place.placements if one.operator == operator and one.at == "hop"]
        ordered = sorted(_left(mine, without), key=lambda one: one.hop)
        for one in reversed(ordered) if inwards else ordered:
            yield Station(one, place.seed, place.time_scale, inwards=inwards)


def _links(place: DryPlace) -> list[DryLink]:
    """The vantage's own, where they do anything."""
    if place.vantage == OUTSIDE:
        return []
    operator = place.world.operator(place.vantage)
    own = {packed_address(one) for one in (operator.resolver4, operator.resolver6)}
    uplink = operator.uplink or place.world.backbone
    both = DryLink(operator.access, place.seed), DryLink(uplink, place.seed + 1, own)
    return [one for one in both if one.acts]


def _is_target(host: Host, target: Target, world: World) -> bool:
    names = {name.lower() for name in host.names}
    return target.host in names or target.host in addresses_of(host, world)


def _addresses(place: DryPlace) -> Addresses:
    if place.vantage == OUTSIDE:
        return OUTSIDE_HOST
    operator = place.world.operator(place.vantage)
    return operator.subscriber4, operator.subscriber6


def _resolvers(place: DryPlace, ipv: int) -> tuple[str, ...]:
    """As a subscriber's machine is given them."""
    if place.vantage == OUTSIDE:
        public = place.world.resolvers[0]
        both: Mapping[int, tuple[str, ...]] = {4: public.ipv4[:1], 6: public.ipv6[:1]}
    else:
        operator = place.world.operator(place.vantage)
        both = {4: (operator.resolver4,), 6: (operator.resolver6,)}
    return (*both[ipv], *both[10 - ipv])
