"""Cutting the flow that decides an outcome out of what passed a client, and giving it drawn ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Final

from testbed.censor.packet import TCP, UDP, Packet
from testbed.dataset.disguise import Disguise
from testbed.dataset.features import FlowPacket, features_of
from testbed.dataset.naming import drawn_address
from testbed.dryrun.ask import RuleBehind
from testbed.dryrun.packedaddress import address_text
from testbed.dryrun.trial import DryPlace, DryTrial
from testbed.dryrun.way import WayPacket, read
from testbed.measurement.target import Target

_DNS: Final = 53
_Ends = tuple[int, int, bytes, int]  # protocol, the client's port, the server's address and port
ReadPacket = tuple[WayPacket, Packet | None]  # with its headers, if they can be parsed


@dataclass(frozen=True)
class CutFlow:
    """A flow as it was seen, without its ends."""

    seen: Sequence[ReadPacket]

    @cached_property
    def packets(self) -> tuple[FlowPacket, ...]:
        """As they are."""
        first = self.seen[0][0].at
        return tuple(
            FlowPacket.of(round(one.at - first, 6), one.raw, head, up=one.up) for one, head in self.seen
        )

    @cached_property
    def features(self) -> Mapping[str, float | int]:
        """Those of its packets: no address and no port has a part in them."""
        return features_of(self.packets)


@dataclass(frozen=True, slots=True)
class LabelledFlow:
    """One flow: packets with drawn addresses and ports, and the truth about it."""

    packets: tuple[FlowPacket, ...]
    truth: Mapping[str, object]  # columns of the table of flows
    features: Mapping[str, float | int]


_UNTOUCHED: Final[Mapping[str, object]] = {
    "label": "ok", "mechanism": "ok", "rule": "", "action": "", "profile": "", "models": "",
}  # fmt: skip


def truth_columns(place: DryPlace, rule: str, trial: DryTrial, label: str) -> Mapping[str, object]:
    """The columns of the rule that acted first ("mts/tspu/rule"), or "" for none."""
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


def transport_of(target: Target, cut: CutFlow) -> str:
    """Of the lookup, or the target's own."""
    ends = _ends(cut.seen[0])
    if ends is not None and ends[3] == _DNS:
        return "dns/tcp" if ends[0] == TCP else "dns/udp"
    return target.kind.transport


def deciding(packets: Sequence[WayPacket], *, lookup: bool) -> CutFlow:
    """The flow that decides the outcome: the lookup, or else the last one.

    What belongs to no flow, as an ICMP error, is the latest one's.
    """
    found: dict[_Ends, list[ReadPacket]] = {}
    for packet in packets:
        one = packet, read(packet.raw)
        ends = _ends(one)
        if ends is not None:
            found.setdefault(ends, []).append(one)
        elif found:
            next(reversed(found.values())).append(one)
    lookups = [flow for ends, flow in found.items() if ends[3] == _DNS]
    return CutFlow(lookups[-1] if lookup and lookups else next(reversed(found.values())))


def _ends(one: ReadPacket) -> _Ends | None:
    packet, head = one
    if head is None or head.protocol not in (TCP, UDP):
        return None
    if packet.up:
        return head.protocol, head.sport, head.destination, head.dport
    return head.protocol, head.dport, head.source, head.sport


def labelled(cut: CutFlow, about: Mapping[str, object], chance: Random) -> LabelledFlow:
    """The flow under drawn addresses and ports."""
    ends, (first, head) = _ends(cut.seen[0]), cut.seen[0]
    assert ends is not None
    assert head is not None
    here = head.source if first.up else head.destination
    client, server = drawn_address(here, chance, client=True), drawn_address(here, chance, client=False)
    ports = {ends[1]: chance.randint(1024, 65535), ends[3]: chance.randint(1024, 65535)}
    packed = {old.to_bytes(2, "big"): new.to_bytes(2, "big") for old, new in ports.items()}
    disguise = Disguise({here: client, ends[2]: server}, packed)
    packets = tuple([one.disguised(disguise.of(one.raw)) for one in cut.packets])
    drawn = {
        "client": address_text(client), "server": address_text(server),
        "client_port": ports[ends[1]], "server_port": ports[ends[3]],
    }  # fmt: skip
    return LabelledFlow(packets, {**about, **drawn}, cut.features)
