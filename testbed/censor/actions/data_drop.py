"""The handshake completes and packets after the first data are dropped: VPNs in 2023, FakeTLS in 2026."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context, cut_late, residual
from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.handover import Drop
from testbed.censor.packet import TCP, UDP, Packet
from testbed.censor.parsers import Protocol
from testbed.censor.parsers.message import Message
from testbed.censor.profile import Profile
from testbed.censor.units import PacketCount, Span

_PACKETS = {"wireguard": 2, "openvpn": 15}  # N4P#274, second-hand: M


@dataclass(slots=True)
class DataSeen:
    """Data packets of a flow so far, and how far its TLS handshake has come."""

    begun_by: Direction  # who sent the trigger
    packets: int = 0
    answered: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class DropAfterData(Action[DataSeen]):
    """Let `packets` data packets of the protocol pass, then drop the flow. Other packets are not counted.

    With `protocol: tls` and no packet it is the filter of FakeTLS proxies of 2026: the handshake completes,
    application data are dropped (mtg#547). As TLS 1.3 sends most of its handshake as data, only what comes
    after the client's answer to the server counts (our choice). A segment is classified by its beginning.
    """

    key: ClassVar[str] = "data-drop"
    only_in_path: ClassVar[bool] = True

    protocol: Protocol
    packets: PacketCount | None = None  # both ways together; None: 2 for WireGuard, 15 for OpenVPN, else 0
    residual: Span | None = None  # None: the profile's; restarted by every packet, counted or dropped

    def begin(self, ctx: Context[None]) -> DataSeen:
        """None yet."""
        return DataSeen(ctx.direction)

    def on_match(self, ctx: Context[DataSeen]) -> Decision:
        """The trigger may be data already, of a session older than the rule."""
        return self.on_packet(ctx)

    def on_packet(self, ctx: Context[DataSeen]) -> Decision:
        """Count data packets; the one beyond the limit is the first to be dropped."""
        limit = _PACKETS.get(self.protocol, 0) if self.packets is None else self.packets
        seen = ctx.state
        if seen.packets <= limit and self._counts(ctx):
            seen.packets += 1
        if seen.packets <= limit:
            return PASS
        rest = self.handovers(ctx.profile)
        return Decision(Verdict.DROP, handover=rest[0] if rest else None)

    def _counts(self, ctx: Context[DataSeen]) -> bool:
        """Whether the packet carries data: of TLS, only after the handshake."""
        seen, packet = ctx.state, ctx.packet
        if self.protocol != "tls" or seen.complete or not packet.has_payload:
            return is_data(self.protocol, packet)
        if ctx.direction is not seen.begun_by:
            seen.answered = True
        elif seen.answered and not _repeats_hello(packet.payload):
            seen.complete = True  # by this packet, the client's Finished
        return False

    def holds_for(self, profile: Profile) -> float:
        """How long a session is remembered after its last packet."""
        return residual(self.residual, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """An idle tunnel is still the same one."""
        return True

    def handovers(self, profile: Profile) -> tuple[Drop, ...]:
        """The flow; each of its packets restarts the time."""
        lasts = self.holds_for(profile)
        return (Drop(lasts, refresh=True),) if lasts > 0 else ()

    def also_seen_as(self, label: str) -> tuple[str, ...]:
        """The drop may come before or after the answer has begun."""
        return cut_late(label)


def _repeats_hello(payload: bytes) -> bool:
    """Whether a client's segment is a ClientHello: sent again, or after a HelloRetryRequest."""
    rest = payload[6:] if payload[:1] == b"\x14" else payload  # behind a ChangeCipherSpec (RFC 8446 D.4)
    return rest[:1] == b"\x16" and rest[5:6] == b"\x01"


def is_data(protocol: Protocol, packet: Packet) -> bool:
    """Whether the packet carries tunnelled data of the protocol."""
    if packet.protocol not in (TCP, UDP):
        return False
    from testbed.censor.parsers.registry import recognise  # only policies with this action need it

    found = recognise(protocol, packet.payload, "tcp" if packet.protocol == TCP else "udp")
    return isinstance(found, Message) and found.kind == "data"
