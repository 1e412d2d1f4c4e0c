"""From packets captured on both sides of a censor to what it did with each."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from testbed.censor.packet import ICMP6, TCP, UDP, Packet, parse
from testbed.ladder.recorder import CapturedPacket
from testbed.ladder.words import flags, words

_LATE = 0.015  # seconds between the two places; more means delayed (otherwise 0.1 to about 5 ms)
_REWRITTEN_WITHIN = 1.0  # seconds
_LINK_LOCAL = 130  # ICMPv6 types from here on are neighbour and listener discovery
_CLOCK = 0.0005  # seconds: the far time stamp may be slightly earlier than the near one


class Fate(StrEnum):
    """What the censor did to a packet."""

    PASSED = "passed"
    DROPPED = "dropped"
    REWRITTEN = "rewritten"
    INJECTED = "injected"
    DELAYED = "delayed"


@dataclass(frozen=True, slots=True)
class Arrow:
    """One packet: as it arrived at the censor, and as it left."""

    up: bool  # from the subscriber's side
    fate: Fate
    start: float  # seconds: first captured
    end: float  # captured on the other side; `start` if never
    before: Packet | None  # None: injected
    after: Packet | None  # None: dropped
    name: str = ""  # of `before`, else of `after`
    after_name: str = ""
    again: bool = False  # sent before: a retransmission
    flow: int = 0  # 1, 2, … in the order of their first packets; TCP and UDP only


def arrows(
    sights: Iterable[CapturedPacket], hops: int, ports: Sequence[int] = (), *, may_delay: bool = True
) -> list[Arrow]:
    """The arrows in order of time.

    `hops`: routers between the two places, by which a packet's TTL differs. `ports`: far ports to
    include, none means all; ICMP and fragments are always included. `may_delay`: whether a rule delayed
    packets, by its receipt; otherwise a late one is a busy machine's.
    """
    seen = [
        (sight, packet)
        for sight in sights
        if (packet := parse(sight.raw)) and _included(packet, sight.up, ports)
    ]
    found = []
    for up in (True, False):
        way = [pair for pair in seen if pair[0].up is up]
        sent = [pair for pair in way if pair[0].near is up]
        received = [pair for pair in way if pair[0].near is not up]
        found += _one_way(up, sent, received, hops, may_delay=may_delay)
    found.sort(key=lambda arrow: arrow.start)
    return _labelled(found)


_Pair = tuple[CapturedPacket, Packet]


def _included(packet: Packet, up: bool, ports: Sequence[int]) -> bool:  # noqa: FBT001
    if packet.protocol == ICMP6 and packet.raw[packet.transport_at] >= _LINK_LOCAL:
        return False
    if packet.fragment or packet.protocol not in (TCP, UDP) or not ports:
        return True
    return (packet.dport if up else packet.sport) in ports


def _one_way(
    up: bool,  # noqa: FBT001
    sent: list[_Pair],
    received: list[_Pair],
    hops: int,
    *,
    may_delay: bool,
) -> list[Arrow]:
    """One direction: packets that only lost TTL, then changed ones; the others have one end."""
    arriving: dict[bytes, deque[_Pair]] = defaultdict(deque)
    for pair in received:
        arriving[_without_ttl(pair[1])].append(pair)
    made, lost = [], []
    for sight, packet in sent:
        same = arriving[_without_ttl(packet)]
        while same and same[0][0].t < sight.t - _CLOCK:
            same.popleft()  # without a sender: it stays in `strangers`
        if same:
            other, after = same.popleft()
            # Fragments wait for the last one.
            late = packet.fragment or (may_delay and other.t - sight.t > _LATE)
            made.append(Arrow(up, Fate.DELAYED if late else Fate.PASSED, sight.t, other.t, packet, after))
        else:
            lost.append((sight, packet))
    known = {id(arrow.after) for arrow in made}
    strangers = [pair for pair in received if id(pair[1]) not in known]
    for sight, packet in lost:
        changed = next((pair for pair in strangers if _rewritten((sight, packet), pair, hops)), None)
        if changed is None:
            made.append(Arrow(up, Fate.DROPPED, sight.t, sight.t, packet, None))
        else:
            strangers.remove(changed)
            made.append(Arrow(up, Fate.REWRITTEN, sight.t, changed[0].t, packet, changed[1]))
    made += [Arrow(up, Fate.INJECTED, sight.t, sight.t, None, packet) for sight, packet in strangers]
    return made


def _without_ttl(packet: Packet) -> bytes:
    """The packet without the fields that every router changes: TTL and header checksum."""
    raw = packet.raw[: packet.end]
    return raw[:8] + raw[9:10] + raw[12:] if packet.version == 4 else raw[:7] + raw[8:]


def _rewritten(sent: _Pair, got: _Pair, hops: int) -> bool:
    """Whether a packet without a sender is a rewritten one that did not arrive.

    Its TTL fits, and its IP-ID and either its sequence number or its contents are unchanged.
    """
    (before_seen, before), (after_seen, after) = sent, got
    if not -_CLOCK <= after_seen.t - before_seen.t <= _REWRITTEN_WITHIN or before.protocol != after.protocol:
        return False
    if before.hop_limit - after.hop_limit != hops or before.ip_id != after.ip_id:
        return False
    if before.protocol == TCP and not before.fragment:
        return (before.seq, before.ack) == (after.seq, after.ack)
    return before.payload == after.payload


def _labelled(found: list[Arrow]) -> list[Arrow]:
    """Add names, flow numbers and retransmission marks."""
    numbers: dict[tuple[object, ...], int] = {}
    sent: set[tuple[object, ...]] = set()
    labelled = []
    for arrow in found:
        packet = arrow.before or arrow.after
        assert packet is not None
        number, again = 0, False
        if packet.protocol in (TCP, UDP) and not packet.fragment:
            number = numbers.setdefault(_flow(packet, up=arrow.up), len(numbers) + 1)
        if packet.protocol == TCP and packet.sequence_space and arrow.fate is not Fate.INJECTED:
            place = (number, arrow.up, packet.seq, packet.sequence_space, flags(packet))
            again = place in sent
            sent.add(place)
        name = words(packet).name
        after = words(arrow.after).name if arrow.fate is Fate.REWRITTEN and arrow.after else ""
        if after == name and arrow.before and arrow.after:
            after += _readdressed(arrow.before, arrow.after, up=arrow.up)
        labelled.append(
            Arrow(
                *(arrow.up, arrow.fate, arrow.start, arrow.end, arrow.before, arrow.after),
                name=name,
                after_name=after,
                again=again,
                flow=number,
            )
        )
    return labelled


def _flow(packet: Packet, *, up: bool) -> tuple[object, ...]:
    """By the subscriber's end, because a diverted flow's packets have two far ends."""
    mine = (packet.source, packet.sport) if up else (packet.destination, packet.dport)
    return (packet.protocol, *mine)


def _readdressed(before: Packet, after: Packet, *, up: bool) -> str:
    from ipaddress import ip_address

    old, new = (before.destination, after.destination) if up else (before.source, after.source)
    return "" if old == new else f" {'to' if up else 'as from'} {ip_address(new)}"
