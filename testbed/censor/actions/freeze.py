"""The freeze of 2025: after N packets or bytes everything is dropped, without a reset (N4P#490, DPICH)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, cut_late, residual
from testbed.censor.actions.resets import Resets
from testbed.censor.bounded import Bounded, evicted
from testbed.censor.decision import PASS, Decision, Event, Verdict
from testbed.censor.flow import Flow
from testbed.censor.handover import Drop
from testbed.censor.packet import RST, TCP, UDP
from testbed.censor.profile import Profile
from testbed.censor.units import Octets, PacketCount, Seconds, Span

_PACKETS = 25  # DPICH ("l4-25"), M
_MAX_LOCKS = 256  # servers locked at a time for one inside host; our choice


@dataclass(slots=True)
class Count:
    """What a flow has sent so far."""

    packets: int = 0
    octets: int = 0
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Freeze(Action[Count]):
    """Let `packets` or `octets` pass, whichever is reached first, then drop the flow both ways.

    With neither given it is 25 packets. Counting starts with the packet that triggered the rule, so a rule by
    address alone counts the handshake. Use `allow` rules for exemptions (SSH, listed names).
    """

    key: ClassVar[str] = "freeze"
    keeps_inspecting: ClassVar[bool] = True

    packets: PacketCount | None = None
    octets: Octets | None = None  # IP packets' lengths; 16 KB (CF25), 14-34 KB (DPID)
    count: Literal["both", "up", "down"] = "both"  # what is counted; both directions freeze (DPICH)
    udp_lock: Span | None = Seconds(600)  # then all UDP to a frozen UDP flow's server is dropped (N4P#490)
    rst: Literal["none", "client", "server", "both"] = "none"  # N4P#490: none; CF25: packets are injected
    residual: Span | None = None  # None: the profile's; restarted by every packet, counted or frozen

    def begin(self, ctx: Context[None]) -> Count:
        """Nothing has been counted; the flow of a locked server is frozen at once."""
        return Count(frozen=self.wants(ctx.flow, ctx.rule, ctx.now))

    def on_match(self, ctx: Context[Count]) -> Decision:
        """Count the trigger too."""
        if ctx.state.frozen:
            return self._begin(ctx)
        return self.on_packet(ctx)

    def on_packet(self, ctx: Context[Count]) -> Decision:
        """Count until the limit; the packet beyond it is the first to be dropped."""
        count = ctx.state
        if count.frozen:
            return self._silence(ctx)
        if self.wants(ctx.flow, ctx.rule, ctx.now):
            return self._begin(ctx)
        if self.count in ("both", ctx.direction.name.lower()):
            count.packets += 1
            count.octets += ctx.packet.end
        return self._begin(ctx) if self._over(count) else PASS

    def holds_for(self, profile: Profile) -> float:
        """How long a flow is remembered after its last packet."""
        return residual(self.residual, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """There is no time window: a slow flow is counted just as well (N4P#490)."""
        return True

    def needs(self) -> tuple[str, ...]:
        """A copy cannot be dropped, and what is not seen cannot be counted."""
        return (*(("in-path",) if self.rst == "none" else ()), *(("down",) if self.count == "down" else ()))

    @property
    def spreads(self) -> bool:
        """A lock is for all UDP to the server, on whatever port (N4P#490)."""
        return self.udp_lock is not None

    def wants(self, flow: Flow, rule: int, now: float) -> bool:
        """Whether the server is locked."""
        if self.udp_lock is None or flow.key.protocol != UDP:
            return False
        return (flow.host.state_of(rule, _no_locks).get(flow.key.outside) or 0.0) > now

    def also_seen_as(self, label: str) -> tuple[str, ...]:
        """The drop may come before or after the answer has begun."""
        return cut_late(label)

    def _over(self, count: Count) -> bool:
        if self.packets is None and self.octets is None:
            return count.packets > _PACKETS
        return (self.packets is not None and count.packets > self.packets) or (
            self.octets is not None and count.octets > self.octets
        )

    def handovers(self, profile: Profile) -> tuple[Drop, ...]:
        """A frozen flow; its packets restart the time."""
        lasts = self.holds_for(profile)
        return (Drop(lasts, refresh=True),) if lasts > 0 else ()

    def _begin(self, ctx: Context[Count]) -> Decision:
        """Freeze, by a reset if so asked, and lock the server."""
        silence = self._silence(ctx, self._lock(ctx))
        if self.rst == "none" or ctx.packet.protocol != TCP or ctx.packet.flags & RST:
            return silence
        return replace(silence, inject=Resets().made(ctx, self.rst, delivered=False))

    def _silence(self, ctx: Context[Count], events: tuple[Event, ...] = ()) -> Decision:
        """Drop, and leave the rest of the flow to the kernel."""
        ctx.state.frozen = True
        rest = self.handovers(ctx.profile)
        return Decision(Verdict.DROP, handover=rest[0] if rest else None, events=events)

    def _lock(self, ctx: Context[Count]) -> tuple[Event, ...]:
        """Lock the server for UDP. A flow does so once: the kernel handles its later packets."""
        if self.udp_lock is None or ctx.packet.protocol != UDP:
            return ()
        full = ctx.of_host(_no_locks).put(ctx.flow.key.outside, ctx.now + self.udp_lock)
        return evicted(ctx.flow.key, self.key) if full else ()


def _no_locks() -> Bounded[bytes, float]:
    """Until when each server is locked for an inside host: none is."""
    return Bounded(_MAX_LOCKS)
