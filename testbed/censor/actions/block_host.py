"""The IP block of 2022: no packet from inside reaches the host unchanged (CP22 Fig. 6)."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context
from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.packet import ICMP, ICMP6, TCP
from testbed.censor.profile import Profile
from testbed.censor.wire import rewritten_as_reset

_HOLD = 60.0  # s; our choice. Afterwards a flow is matched, and reported, again


@dataclass(frozen=True, slots=True)
class BlockHost(Action[None]):
    """Drop packets to the blocked host; if it opened the flow, rewrite them as RST/ACK.

    The blocked host's own packets pass, so it gets the inside host's SYN/ACK, and all after it, as RST/ACK.
    ICMP is dropped both ways (NEVOD; N4P#106: no ping reply).
    """

    key: ClassVar[str] = "block-host"
    only_in_path: ClassVar[bool] = True
    either_opener: ClassVar[bool] = True

    def on_match(self, ctx: Context[None]) -> Decision:
        """As every packet."""
        return self.on_packet(ctx)

    def on_packet(self, ctx: Context[None]) -> Decision:
        """By direction and by who opened the flow."""
        if ctx.packet.protocol in (ICMP, ICMP6):
            return Decision(Verdict.DROP)
        if ctx.direction is Direction.DOWN:
            return PASS
        if ctx.flow.client is Direction.DOWN and ctx.packet.protocol == TCP:
            return Decision(Verdict.REPLACE, rewritten_as_reset(ctx.packet))
        return Decision(Verdict.DROP)

    def holds_for(self, profile: Profile) -> float:
        """Until the flow is idle for a minute."""
        return _HOLD

    def refreshes(self, profile: Profile) -> bool:
        """The block itself has no end (IMC22q p.3)."""
        return True
