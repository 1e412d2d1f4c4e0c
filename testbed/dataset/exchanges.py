"""Exchanges drawn and made: each gives a flow, with its packets and what is true of it.

Only targets that a phase's censors interfere with are drawn, and half of the exchanges, by a coin, are made
without those censors: neither a name nor what a target serves says whether a flow is filtered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random
from typing import Final

from testbed.censor.packet import TCP, UDP, Packet, parse
from testbed.dataset.disguise import Disguise
from testbed.dataset.features import FlowPacket
from testbed.dataset.naming import NamedPhase, drawn_address, named_phase
from testbed.dryrun.ask import Asker, RuleBehind, label_of, overloaded
from testbed.dryrun.trial import DryPlace, DryTrial, try_out
from testbed.dryrun.way import WayPacket
from testbed.model import OUTSIDE, Scenario
from testbed.scenario.labels import CAUSELESS
from testbed.shapes.known import SHAPES
from testbed.truth.expected import Truth, truth

_DNS: Final = 53
_Ends = tuple[int, int, bytes, int]  # protocol, the client's port, the server's address and port
_Seen = tuple[WayPacket, Packet | None]  # with its headers, if they can be parsed


@dataclass(frozen=True, slots=True)
class LabelledFlow:
    """One flow: packets with drawn addresses and ports, and the truth about it."""

    packets: tuple[FlowPacket, ...]
    truth: Mapping[str, object]  # columns of the table of flows


class Exchanges:
    """Everything that may be drawn of some scenarios."""

    def __init__(self, scenarios: Sequence[Scenario], clients: Sequence[str], ipv: Sequence[int]) -> None:
        self._scenarios, self._clients, self._ipv = scenarios, tuple(clients), tuple(ipv)
        self._phases: list[tuple[Scenario, str, list[Truth]]] = []
        for scenario in scenarios:
            asker = Asker(scenario)
            for phase in scenario.phases:
                cases = [
                    one for one in truth(scenario, phase)
                    if one.vantage != OUTSIDE and one.outcome not in CAUSELESS
                    and not overloaded(scenario.world, one.target)
                    and any(asker.speaks(client, one.target) for client in self._clients)
                ]  # fmt: skip
                if cases:
                    self._phases.append((scenario, phase, cases))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self._phases

    def block(self, chance: Random) -> Iterator[LabelledFlow]:
        """Flows of one drawn phase under names of its own, without end."""
        scenario, phase, cases = chance.choice(self._phases)
        named = named_phase(scenario, phase, cases, chance)
        asker = Asker(scenario)
        while True:
            one = self._flow(scenario, phase, named, asker, chance)
            if one.truth["label"] != "broken":  # it fails outside, too: there is no address of that version
                yield one

    def _flow(
        self, scenario: Scenario, phase: str, named: NamedPhase, asker: Asker, chance: Random
    ) -> LabelledFlow:
        case = chance.choice(named.cases)
        client = chance.choice([one for one in self._clients if asker.speaks(one, case.target)])
        ipv, filtered, draw = chance.choice(self._ipv), chance.random() < 0.5, chance.getrandbits(31)
        given = named.placements if filtered else ()
        place = DryPlace(named.world, given, case.vantage, draw, scenario.time_scale)
        shape = SHAPES[client]
        trial = try_out(place, case.target, shape, ipv=ipv, draw=draw, packets=True)[0]
        # What the server does is the same for every client: seldom asked, for it takes as long as the flow.
        plain = SHAPES["probe"] if asker.speaks("probe", case.target) else shape
        label = label_of(place, trial, asker.outside(place, case.target, plain, ipv=ipv), 0)
        lookup = case.outcome.startswith("dns.") or label.startswith("dns.")
        seen = _deciding(trial.packets, lookup=lookup)
        about = {
            "scenario": scenario.name, "phase": phase, "vantage": case.vantage, "ipv": ipv,
            "client_shape": client, "filtered": filtered, "name": case.target.host,
            "transport": _transport(case, seen), **_truth(place, trial, label),
        }  # fmt: skip
        return _labelled(seen, about, chance)


_UNTOUCHED: Final[Mapping[str, object]] = {
    "label": "ok", "mechanism": "ok", "rule": "", "action": "", "profile": "", "models": "",
}  # fmt: skip


def _truth(place: DryPlace, trial: DryTrial, label: str) -> Mapping[str, object]:
    rule = trial.rules[0] if trial.rules else ""
    cause = RuleBehind.of(place, rule, trial)
    if cause is None:
        return {**_UNTOUCHED, "label": label, "mechanism": label}
    policy = cause.placement.policy
    return {
        "label": label,
        "mechanism": cause.mechanism(label),
        "rule": rule,
        "action": cause.rule.action.key,
        "profile": policy.profile.name,
        "models": ",".join(key for key, _ in policy.profile.models.value),
    }


def _transport(case: Truth, seen: Sequence[_Seen]) -> str:
    """Of the lookup, or the target's own."""
    ends = _ends(seen[0])
    if ends is not None and ends[3] == _DNS:
        return "dns/tcp" if ends[0] == TCP else "dns/udp"
    return case.target.kind.transport


def _deciding(packets: Sequence[WayPacket], *, lookup: bool) -> list[_Seen]:
    """The flow that decides the outcome: the lookup, or else the last one.

    What belongs to no flow, as an ICMP error, is the latest one's.
    """
    found: dict[_Ends, list[_Seen]] = {}
    for packet in packets:
        one = packet, parse(packet.raw)
        ends = _ends(one)
        if ends is not None:
            found.setdefault(ends, []).append(one)
        elif found:
            next(reversed(found.values())).append(one)
    lookups = [flow for ends, flow in found.items() if ends[3] == _DNS]
    return lookups[-1] if lookup and lookups else next(reversed(found.values()))


def _ends(one: _Seen) -> _Ends | None:
    packet, head = one
    if head is None or head.protocol not in (TCP, UDP):
        return None
    if packet.up:
        return head.protocol, head.sport, head.destination, head.dport
    return head.protocol, head.dport, head.source, head.sport


def _labelled(seen: Sequence[_Seen], about: Mapping[str, object], chance: Random) -> LabelledFlow:
    """The flow under drawn addresses and ports."""
    ends, (first, head) = _ends(seen[0]), seen[0]
    assert ends is not None
    assert head is not None
    here = head.source if first.up else head.destination
    client, server = drawn_address(here, chance, client=True), drawn_address(here, chance, client=False)
    ports = {ends[1]: chance.randint(1024, 65535), ends[3]: chance.randint(1024, 65535)}
    packed = {old.to_bytes(2, "big"): new.to_bytes(2, "big") for old, new in ports.items()}
    disguise = Disguise({here: client, ends[2]: server}, packed)
    packets = tuple(
        FlowPacket.of(round(one.at - first.at, 6), disguise.of(one.raw), read, up=one.up)
        for one, read in seen
    )
    return LabelledFlow(packets, {
        **about, "client": str(ip_address(client)), "server": str(ip_address(server)),
        "client_port": ports[ends[1]], "server_port": ports[ends[3]],
    })  # fmt: skip
