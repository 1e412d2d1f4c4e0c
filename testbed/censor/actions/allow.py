"""Exempt: a flow that a later rule would hit is left alone (a white list, such as vk.com's: NTC1823 #3)."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context
from testbed.censor.decision import PASS, Decision


@dataclass(frozen=True, slots=True)
class Allow(Action):
    """Stop looking at this flow. The core hands it to the kernel as any flow that it has given up on."""

    key: ClassVar[str] = "allow"

    def on_match(self, ctx: Context) -> Decision:
        """Pass, and inspect no more."""
        ctx.flow.inspecting = False
        return PASS
