"""Exemption: a flow that a later rule would match is left alone (as vk.com's addresses: NTC1823 #3)."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context, ResolverReply
from testbed.censor.decision import Decision
from testbed.censor.handover import PASSED


@dataclass(frozen=True, slots=True)
class Allow(Action[None]):
    """Stop inspecting this flow."""

    key: ClassVar[str] = "allow"
    exempts: ClassVar[bool] = True

    def on_match(self, ctx: Context[None]) -> Decision:
        """Pass, and inspect no more."""
        return PASSED

    def resolver_reply(self, query: bytes) -> ResolverReply:
        """The genuine answer."""
        return ResolverReply(true=True)
