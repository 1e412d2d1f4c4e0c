"""A box with a rule for every technique, the packets to throw at it, and what must hold after each.

Checks are written here anew, without the code under test: a checksum that the core computes wrongly is
not computed wrongly twice.
"""

import struct
from collections.abc import Sized
from dataclasses import fields, is_dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from testbed.censor.actions import ACTIONS
from testbed.censor.actions.base import Action
from testbed.censor.core import Censor
from testbed.censor.decision import Decision, Direction, Verdict
from testbed.censor.handover import Pass
from testbed.censor.match.beginning import EarlySizes, SizeRange
from testbed.censor.match.quic import QuicForm
from testbed.censor.names import NameList
from testbed.censor.packet import TCP, UDP
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.softkernel import SoftKernel
from testbed.censor.urls import UrlList
from testbed.censor.wire import Endpoints, IpForm, TcpForm, ip, tcp, udp

LISTED, UNLISTED = "x.com", "nobody.example"
CLIENTS = {4: ip_address("95.24.0.2").packed, 6: ip_address("2a00:1118::2").packed}
SERVERS = {4: ip_address("104.244.42.1").packed, 6: ip_address("2606:1f80:f000::1").packed}
MAX_FLOWS: Final = 40  # small, so that tables overflow within a few steps

_PARAMETERS: Final = {  # of the techniques that need some, or better have shorter times here
    "data-drop": {"protocol": "wireguard", "packets": 2},
    "delay": {"by": 0.2, "jitter": 0.1},
    "divert": {"to4": "5.3.3.17", "to6": "2a02:2699::17"},
    "dns": {"a": ("5.3.3.17",), "aaaa": ("2a02:2699::17",)},
    "fin": {"residual": 5.0},
    "freeze": {"packets": 4, "octets": 4000},
    "learn": {"into": "fuzzed", "after": (0.0, 5.0), "lasts": 30.0},
    "page": {"location": "http://page.example/"},
    "police": {"rate": 8000.0, "burst": 2000},
    "rst": {"to": "both", "residual": 5.0},
    "shape": {"rate": 8000.0, "queue": 4000, "per": "host"},
}
_MATCHES: Final = {
    "page": Match(http_host=NameList(("x.com", "*.x.com"))),
    "dns": Match(dns_qname=NameList(("*x*",))),
    "data-drop": Match(protocol=("wireguard",)),
    "block-host": Match(ip=(ip_network("104.244.42.7/32"), ip_network("2606:1f80:f000::7/128"))),
}
HEADER_PORT: Final = 7000  # rules by port, one per technique, from here on


def action(key: str) -> Action:
    """One technique with parameters that make it act."""
    return ACTIONS[key](**_PARAMETERS.get(key, {}))


def policy(profile: str, sni: str = "drop", miss: float = 0.0) -> Policy:
    """Every technique: by port for each, and by what the payload shows."""
    rules = [
        Rule(f"port-{key}", Match(ports=(HEADER_PORT + n,)), action(key)) for n, key in enumerate(ACTIONS)
    ]
    rules += [Rule(key, match, action(key)) for key, match in _MATCHES.items()]
    rules += [
        Rule("sni", Match(tls_sni=NameList((LISTED, f"*.{LISTED}"))), action(sni)),
        Rule("quic", Match(quic=QuicForm(min_payload=600)), action("drop")),
        Rule("protocols", Match(protocol=("openvpn", "ssh", "dtls", "encrypted")), action("loss")),
        Rule("url", Match(http_url=UrlList(("*x*",)), early_packets=EarlySizes(2, 3, 10)), action("drop")),
        Rule("learned", Match(learned="fuzzed", size=SizeRange(min=60)), action("drop")),
        Rule("outside", Match(opened_by="outside", early_packets=EarlySizes(2, min=40)), action("drop")),
        Rule("type", Match(dns_qtype=("AAAA",), opening=True), action("dns")),
    ]
    return Policy("box", PROFILES[profile], tuple(rules), {sni: miss})


class Watched:
    """A censor every decision of which is checked."""

    def __init__(self, box: Policy, seed: int = 1, *, kernel: bool = True) -> None:
        """`kernel`: a soft kernel carries out handovers; else the core is asked about every packet."""
        self.censor = Censor(box, seed, max_flows=MAX_FLOWS)
        self.kernel = SoftKernel(self.censor, box) if kernel else None
        self.now = 0.0

    def process(self, raw: bytes, direction: Direction) -> Decision:
        """Let it decide, and check."""
        if self.kernel is None:
            decision = self.censor.process(raw, direction, self.now)
        else:
            decision = self.kernel.process(raw, direction, self.now).decision
        check(decision, self.censor.policy, raw)
        assert len(self.censor._flows) <= MAX_FLOWS
        return decision


def check(decision: Decision, box: Policy, raw: bytes) -> None:
    """What holds for every decision."""
    held_fragment = box.profile.fragments.value is not None and is_fragment(raw)
    interferes = (
        decision.verdict is not Verdict.PASS
        or decision.inject
        or decision.release_at is not None
        or (decision.handover is not None and not isinstance(decision.handover, Pass))
    )
    if interferes and not held_fragment:
        assert decision.rule is not None, decision
    if decision.rule is not None:
        assert 0 <= decision.rule < len(box.rules)
    assert (decision.packet is not None) == (decision.verdict is Verdict.REPLACE), decision
    for made in (injection.packet for injection in decision.inject):
        check_packet(made)
    if decision.packet is not None:
        check_packet(decision.packet, check_transport=not is_fragment(raw))
    if decision.handover is not None and not isinstance(decision.handover, Pass):
        rule = box.rules[decision.rule]
        declared = {one for profile in box.profiles_of(rule) for one in rule.action.handovers(profile)}
        assert decision.handover in declared
    names = {"", *(rule.name for rule in box.rules)}
    for event in decision.events:
        assert event.kind in ("match", "act", "miss", "learn", "evict"), event
        assert event.rule in names


def check_packet(raw: bytes, *, check_transport: bool = True) -> None:
    """A whole IP packet: lengths fit, checksums are right."""
    version = raw[0] >> 4
    if version == 4:
        header = (raw[0] & 15) * 4
        assert int.from_bytes(raw[2:4], "big") == len(raw), "total length"
        assert ones_sum(raw[:header]) == 0xFFFF, "IPv4 checksum"
        protocol, pseudo, body = raw[9], raw[12:20], raw[header:]
    else:
        assert version == 6
        assert int.from_bytes(raw[4:6], "big") + 40 == len(raw), "payload length"
        protocol, pseudo, body = raw[6], raw[8:40], raw[40:]
    if not check_transport or is_fragment(raw):
        return
    if protocol in (TCP, UDP, 58):
        assert ones_sum(pseudo + struct.pack("!II", len(body), protocol) + body) == 0xFFFF, "checksum"
    elif protocol == 1:
        assert ones_sum(body) == 0xFFFF, "ICMP checksum"


def ones_sum(data: bytes) -> int:
    """The ones'-complement sum of 16-bit words: 0xFFFF over anything with a right checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def is_fragment(raw: bytes) -> bool:
    """Whether it is an IP fragment (in IPv6 only with the fragment header first)."""
    if len(raw) < 20:
        return False
    if raw[0] >> 4 == 4:
        return bool(int.from_bytes(raw[6:8], "big") & 0x3FFF)
    return len(raw) >= 48 and raw[6] in (0, 43, 44, 60)


def packet(
    version: int, direction: Direction, flags: int | None, payload: bytes = b"", *,
    sport: int = 40000, dport: int = 443, server: int = 1, seq: int = 100, ttl: int = 64,
) -> bytes:  # fmt: skip
    """A TCP segment, or a UDP datagram if `flags` is None, between the two hosts."""
    inside, outside = CLIENTS[version], SERVERS[version][:-1] + bytes([server])
    up = direction is Direction.UP
    ends = Endpoints(inside, outside, sport, dport) if up else Endpoints(outside, inside, dport, sport)
    if flags is None:
        return udp(ends, payload, IpForm(ttl))
    return tcp(ends, TcpForm(seq, 100, flags, 1000), IpForm(ttl), payload)


def fragment(
    version: int,
    direction: Direction,
    payload: bytes,
    offset: int,
    more: bool,
    ip_id: int,
) -> bytes:
    """One IP fragment of a UDP datagram; `offset` in units of 8 bytes."""
    ends = CLIENTS[version], SERVERS[version]
    source, destination = ends if direction is Direction.UP else ends[::-1]
    if version == 6:
        head = struct.pack("!BBHI", UDP, 0, (offset << 3 | more) & 0xFFFF, ip_id)
        return ip(source, destination, 44, head + payload, IpForm())
    raw = bytearray(ip(source, destination, UDP, payload, IpForm(ip_id=ip_id)))
    raw[6:8] = struct.pack("!H", (more << 13 | offset) & 0xFFFF)
    raw[10:12] = b"\0\0"
    raw[10:12] = (~ones_sum(bytes(raw[:20])) & 0xFFFF).to_bytes(2, "big")
    return bytes(raw)


def held(thing: object, seen: set[int] | None = None) -> int:
    """How many entries all containers reachable from `thing` have: what grows if state is not bounded."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, str | int | float | type(None) | type):
        return 0
    seen.add(id(thing))
    own = len(thing) if isinstance(thing, Sized) and not isinstance(thing, tuple) else 0
    return own + sum(held(part, seen) for part in _parts(thing))


def _parts(thing: object) -> list[object]:
    if isinstance(thing, dict):
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset) or type(thing).__name__ == "deque":
        return list(thing)  # type: ignore[call-overload]
    parts = [getattr(thing, name) for name in _slots(thing) if hasattr(thing, name)]
    if is_dataclass(thing):
        parts += [getattr(thing, field.name) for field in fields(thing)]
    return parts + list(getattr(thing, "__dict__", {}).values())


def _slots(thing: object) -> list[str]:
    found: list[str] = []
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        found += [slots] if isinstance(slots, str) else list(slots)
    return found
