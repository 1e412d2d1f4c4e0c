"""Redirects to another server and spoofs the original destination in its replies.

One mechanism behind the redirection of port 53 to the operator's resolver (BC), the hijack of 8.8.8.8/udp
of August 2026 (N4P#657) and TLS interception, where the other server has certificates of its own (OONI22).
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, ClassVar

from testbed.censor.actions.base import Action, Context, operators_own
from testbed.censor.bounded import evicted
from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.flow import FlowKey
from testbed.censor.packet import ACK, SYN, TCP, UDP
from testbed.censor.profile import Profile
from testbed.censor.rewrite import readdressed
from testbed.censor.units import AddressOf, Between, Seconds, Span

_TRIES = 64  # source ports tried for a reply 4-tuple of its own; our choice


@dataclass(slots=True)
class Detour:
    """The flow as the other server sees it: its replies come back on this 4-tuple."""

    key: FlowKey | None  # None: it is left alone


@dataclass(frozen=True, slots=True)
class Divert(Action[Detour]):
    """Rewrite the destination of what the inside host sends, and the source of what comes back.

    For rules by header, since a TCP connection can be diverted only as a whole; ICMP is not. Without an
    address, flows of that IP version are left alone, and so are flows to the other server itself.

    The replies come from the other server, so on a 4-tuple of their own: it is an alias of the flow
    (`InsideHost.aliases`), which the flow table looks up for every packet that comes down. If two flows would
    share one reply 4-tuple, the later one's source port is changed as well.
    """

    key: ClassVar[str] = "divert"
    only_in_path: ClassVar[bool] = True

    to4: Annotated[str, AddressOf(4)] = operators_own("resolver4", "")
    to6: Annotated[str, AddressOf(6)] = operators_own("resolver6", "")
    port: Annotated[int, Between(1, 65535)] | None = None  # None: as it was
    idle: Span = Seconds(600)  # our choice; the flow is forgotten after this much silence

    def __post_init__(self) -> None:
        if not self.to4 and not self.to6:
            raise ValueError("divert: nowhere to lead to; give to4, to6 or both")

    def begin(self, ctx: Context[None]) -> Detour:
        """Choose the other server's side of a flow that opens now."""
        packet = ctx.packet
        opens = packet.flags & (SYN | ACK) == SYN if packet.protocol == TCP else packet.protocol == UDP
        return Detour(self._other(ctx) if opens and ctx.direction is Direction.UP else None)

    def on_match(self, ctx: Context[Detour]) -> Decision:
        """Divert the flow from its first packet on; a flow that is not held cannot be diverted."""
        return PASS if ctx.flow.hold is None else self.on_packet(ctx)

    def on_packet(self, ctx: Context[Detour]) -> Decision:
        """Rewrite both directions; packets of the original server pass."""
        key, other, packet = ctx.flow.key, ctx.state.key, ctx.packet
        if other is None:
            return PASS
        if ctx.direction is Direction.UP:
            full = ctx.flow.host.aliases.put(other, key)
            raw = readdressed(
                packet, destination=other.outside, sport=other.inside_port, dport=other.outside_port
            )
            return Decision(Verdict.REPLACE, raw, events=evicted(key, self.key) if full else ())
        if (packet.source, packet.sport) != (other.outside, other.outside_port):
            return PASS
        raw = readdressed(packet, source=key.outside, sport=key.outside_port, dport=key.inside_port)
        return Decision(Verdict.REPLACE, raw)

    def holds_for(self, profile: Profile) -> float:
        """The idle time."""
        return self.idle

    def refreshes(self, profile: Profile) -> bool:
        """An active flow stays diverted."""
        return True

    @property
    def leads_to(self) -> tuple[str, ...]:
        """The other server."""
        return tuple(address for address in (self.to4, self.to6) if address)

    def _other(self, ctx: Context[None]) -> FlowKey | None:
        """The flow as the other server sees it; None if it is to be left alone."""
        key, aliases = ctx.flow.key, ctx.flow.host.aliases
        text = self.to4 if ctx.packet.version == 4 else self.to6
        if not text:
            return None
        address = (IPv4Address if ctx.packet.version == 4 else IPv6Address)(text).packed
        other = key._replace(outside=address, outside_port=self.port or key.outside_port)
        if other == key:
            return None
        for step in range(_TRIES):
            candidate = other._replace(inside_port=(key.inside_port + step - 1) % 65535 + 1)
            if aliases.get(candidate) in (None, key):
                return candidate
        return other
