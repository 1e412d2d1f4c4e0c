"""VPN filters of 2023: the handshake completes, and silence follows the first data packets (N4P#274)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import PASS, Decision, Handover, HandoverKind, Verdict
from testbed.censor.packet import TCP, UDP, Packet
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds

_PACKETS = {"wireguard": 2, "openvpn": 15}  # N4P#274, second-hand: M
_WIREGUARD_DATA = b"\x04\0\0\0"
_WIREGUARD_LEAST = 32  # bytes: header and tag of an empty packet, which is a keepalive
_OPENVPN_DATA = (6, 9)  # P_DATA_V1, P_DATA_V2: the upper five bits of the first byte


@dataclass(frozen=True, slots=True)
class DropAfterData(Action):
    """Let `packets` data packets of the protocol pass, then drop the flow. Other packets are not counted."""

    key: ClassVar[str] = "data-drop"
    hands_over: ClassVar[frozenset[HandoverKind]] = frozenset({HandoverKind.DROP})

    protocol: Literal["wireguard", "openvpn"]
    packets: int | None = None  # both directions together; None: 2 for WireGuard, 15 for OpenVPN
    residual: Seconds | None = None  # None: the profile's; restarted by every packet, counting or silent

    def on_match(self, ctx: Context) -> Decision:
        """The trigger may be data already, of a session older than the rule."""
        return self.on_packet(ctx)

    def on_packet(self, ctx: Context) -> Decision:
        """Count data packets; the one beyond the limit is the first to vanish."""
        limit = _PACKETS[self.protocol] if self.packets is None else self.packets
        count = ctx.flow.state if isinstance(ctx.flow.state, int) else 0
        if count <= limit and is_data(self.protocol, ctx.packet):
            ctx.flow.state = count = count + 1
        if count <= limit:
            return PASS
        handover = Handover(HandoverKind.DROP, self.holds_for(ctx.profile), refresh=True)
        return Decision(Verdict.DROP, handover=handover, rule=ctx.rule)

    def holds_for(self, profile: Profile) -> float:
        """How long a session is remembered after its last packet."""
        return residual(self.residual, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """A quiet tunnel is still the same one."""
        return True


def is_data(protocol: str, packet: Packet) -> bool:
    """Whether the packet carries tunnelled data; over TCP the segment's first frame tells."""
    payload = packet.payload
    if protocol == "wireguard":
        return (
            packet.protocol == UDP
            and payload[:4] == _WIREGUARD_DATA
            and len(payload) >= _WIREGUARD_LEAST
            and len(payload) % 16 == 0
        )
    opcode_at = 2 if packet.protocol == TCP else 0  # after the frame's length
    return len(payload) > opcode_at and payload[opcode_at] >> 3 in _OPENVPN_DATA
