"""Packets that somebody else wrote into a connection: how their headers differ from the server's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from testbed.probe.wiretap import ACK, FIN, RST, SYN, SeenPacket

_NEAR: Final = 2  # hops: routes change by so much within a connection. Our choice


@dataclass(frozen=True, slots=True)
class SuspectPacket:
    """One packet of the far end's address, and what is odd about it beside the SYN+ACK."""

    packet: SeenPacket
    odd: tuple[str, ...]  # "hop limit 61, the server's 51"

    def to_json(self) -> dict[str, Any]:
        """Its header fields, and what is odd."""
        return {**fields_of(self.packet), "odd": list(self.odd)}


def fields_of(packet: SeenPacket) -> dict[str, Any]:
    """The header fields that give an injector away."""
    return {
        "flags": packet.flag_names,
        "ttl": packet.ttl,
        "ip_id": packet.ip_id,
        "window": packet.window,
        "options": packet.options.hex(),
        "payload": len(packet.payload),
    }


def suspects(packets: Sequence[SeenPacket]) -> tuple[SuspectPacket, ...]:
    """Of one connection's packets, those from the far end that another machine may have written.

    The SYN+ACK is the measure; the connection has worked with it. A RST is a suspect at once,
    any other packet if its hop limit differs.
    """
    came = [one for one in packets if not one.outgoing]
    own = next((one for one in came if one.flags & SYN and one.flags & ACK), None)
    if own is None:
        return ()
    found = [(one, tuple(_odd(one, own))) for one in came if one is not own]
    ends = RST | FIN
    return tuple(
        SuspectPacket(one, odd)
        for one, odd in found
        if one.flags & RST or (one.flags & ends and odd) or abs(one.ttl - own.ttl) > _NEAR
    )


def alike(found: Sequence[SuspectPacket]) -> list[tuple[SuspectPacket, int]]:
    """One of each kind, with how many there are: packets that differ in nothing but IP-ID and window."""
    first: dict[tuple[object, ...], SuspectPacket] = {}
    count: Counter[tuple[object, ...]] = Counter()
    for one in found:
        kind = (one.packet.flags, one.packet.ttl, len(one.packet.payload), one.packet.ip_id in (0, 1))
        first.setdefault(kind, one)
        count[kind] += 1
    return [(one, count[kind]) for kind, one in first.items()]


def _odd(packet: SeenPacket, own: SeenPacket) -> list[str]:
    found = []
    if abs(packet.ttl - own.ttl) > _NEAR:
        found.append(f"hop limit {packet.ttl}, the server's {own.ttl}")
    if packet.flags & RST:
        found.append(f"{packet.flag_names} on a connection that worked")
    if packet.ip_id in (0, 1) and own.ip_id not in (0, 1):
        found.append(f"IP-ID {packet.ip_id}, the server's {own.ip_id}")
    if not packet.window and own.window and not packet.flags & RST:
        found.append(f"window 0, the server's {own.window}")
    if own.options and packet.flags & RST and packet.options:
        found.append("a RST with TCP options")
    return found
