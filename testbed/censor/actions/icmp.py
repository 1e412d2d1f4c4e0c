"""Refusal by ICMP: the packet is dropped and its sender gets "destination unreachable"."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context
from testbed.censor.decision import PASS, Decision, Direction, Injection, Verdict
from testbed.censor.packet import ICMP, ICMP6
from testbed.censor.wire import IpForm, icmp_unreachable


@dataclass(frozen=True, slots=True)
class Icmp(Action[None]):
    """Answer each packet of the inside host with an ICMP error whose source is the destination."""

    key: ClassVar[str] = "icmp"

    code: Literal["net-unreachable", "host-unreachable", "port-unreachable", "admin-prohibited"] = (
        "admin-prohibited"
    )

    def on_match(self, ctx: Context[None]) -> Decision:
        """Drop and refuse. No ICMP error is sent about ICMP (RFC 1122 §3.2.2)."""
        if ctx.direction is not Direction.UP:
            return PASS
        if ctx.packet.protocol in (ICMP, ICMP6):
            return Decision(Verdict.DROP)
        form = IpForm(ctx.profile.reset.value.hop_limit, ctx.profile.reset.value.ip_id)
        error = Injection(icmp_unreachable(ctx.packet, self.code, form), Direction.DOWN)
        return Decision(Verdict.DROP, inject=(error,))
