"""What each rule did to each flow: as the core decided it, and as the kernel saw it.

The kernel counts by the 4-tuple of the packet that leaves changed or forged, or does not leave, which need
not be the flow's: an ICMP message has another, and so has a diverted packet. So the 4-tuples that the
decisions about a flow produce are noted, and what was counted under them is that flow's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from testbed.censor.decision import Decision, Verdict
from testbed.censor.flow import FlowKey
from testbed.censor.handover import Pass
from testbed.censor.packet import parse

MOST_FLOWS = 1 << 14  # per rule; our choice: bounds memory, and the time that reading the kernel's side takes
_PLAIN4 = 0x45  # version 4, a header without options


@dataclass(slots=True)
class FlowActs:
    """One rule and one flow."""

    claimed: int = 0  # decisions that acted or handed the flow over
    kernel: int = 0  # packets that the kernel saw leave changed or forged, or dropped
    up: int = 0  # packets from inside that were acted on: decided, or dropped by the kernel after a handover
    down: int = 0  # the same of packets from outside


@dataclass(slots=True)
class Acts:
    """All rules of one censor."""

    rules: int
    unjoined: int = 0  # decisions about flows beyond the limit: they are in the rules' sums only
    _by_rule: list[dict[FlowKey, FlowActs]] = field(init=False)
    _left_as: list[dict[bytes, FlowActs]] = field(init=False)  # by the 4-tuples that the kernel sees
    _decided: list[dict[FlowKey, list[int]]] = field(init=False)  # packets up and down that decisions changed
    _handed: list[dict[bytes, tuple[FlowKey, int]]] = field(init=False)  # 4-tuple -> flow, and 0 for up

    def __post_init__(self) -> None:
        self._by_rule = [{} for _ in range(self.rules)]
        self._left_as = [{} for _ in range(self.rules)]
        self._decided = [{} for _ in range(self.rules)]
        self._handed = [{} for _ in range(self.rules)]

    def note(self, decision: Decision, raw: bytes) -> None:
        """A decision in a rule's name is about to be carried out on the packet `raw`."""
        rule, flow = decision.rule, decision.flow
        if rule is None or flow is None:
            return
        acts = self._by_rule[rule].get(flow)
        if acts is None:
            if len(self._by_rule[rule]) >= MOST_FLOWS:
                self.unjoined += 1
                return
            acts = self._by_rule[rule][flow] = FlowActs()
        acts.claimed += 1
        left_as = self._left_as[rule]
        replaced = decision.packet if decision.verdict is Verdict.REPLACE else None
        left_as.setdefault(wire_key(replaced or raw), acts)
        key = wire_key(raw)
        upwards = key.startswith(flow.inside + flow.inside_port.to_bytes(2, "big"))
        if decision.verdict is not Verdict.PASS or decision.inject or decision.release_at is not None:
            self._decided[rule].setdefault(flow, [0, 0])[0 if upwards else 1] += 1
        for injection in decision.inject:
            left_as.setdefault(wire_key(injection.packet), acts)
        if decision.handover is not None and not isinstance(decision.handover, Pass):
            left_as.setdefault(reversed_key(key), acts)
            self._handed[rule].setdefault(key, (flow, 0 if upwards else 1))
            self._handed[rule].setdefault(reversed_key(key), (flow, 1 if upwards else 0))

    def joined(self, seen: Sequence[Mapping[bytes, int]]) -> list[dict[str, FlowActs]]:
        """For each rule, what it did by flow; `seen` has what the kernel counted by rule and 4-tuple."""
        for mine in self._by_rule:
            for one in mine.values():
                one.kernel = 0  # `seen` has all of them each time
        for acts, counted in zip(self._left_as, seen, strict=True):
            for key, packets in counted.items():
                if key in acts:
                    acts[key].kernel += packets
        for rule, mine in enumerate(self._by_rule):
            both = {flow: list(counts) for flow, counts in self._decided[rule].items()}
            for key, (flow, way) in self._handed[rule].items():
                given = both.setdefault(flow, [0, 0])
                given[way] = max(given[way], seen[rule].get(key, 0))
            for flow, (up, down) in both.items():
                mine[flow].up, mine[flow].down = up, down
        return [{str(flow): acts for flow, acts in one.items()} for one in self._by_rule]


def wire_key(raw: bytes) -> bytes:
    """Addresses, ports and protocol of a packet, as nft concatenates them: each part fills 4 bytes.

    Of other protocols than TCP and UDP, the bytes in the place of the ports; b"" for later fragments.
    """
    if raw[0] == _PLAIN4 and len(raw) >= 24 and not (raw[6] & 0x1F or raw[7]):
        return b"".join(
            (raw[12:16], raw[20:22], b"\0\0", raw[16:20], raw[22:24], b"\0\0", raw[9:10], b"\0\0\0")
        )
    packet = parse(raw)
    if packet is None or packet.later:
        return b""
    at = packet.transport_at
    near, far, protocol = raw[at : at + 2], raw[at + 2 : at + 4], bytes([packet.protocol])
    return b"".join((packet.source, near, b"\0\0", packet.destination, far, b"\0\0", protocol, b"\0\0\0"))


def reversed_key(key: bytes) -> bytes:
    """The 4-tuple of the other direction."""
    half = (len(key) - 4) // 2
    return key[half : 2 * half] + key[:half] + key[2 * half :] if key else key
