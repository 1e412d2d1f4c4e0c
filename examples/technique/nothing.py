"""The smallest technique: it holds the flow and lets everything pass."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context
from testbed.censor.decision import PASS, Decision
from testbed.censor.profile import Profile


@dataclass(frozen=True, slots=True)
class Nothing(Action[None]):
    """Do nothing. Both methods answer what the base class answers anyway."""

    key: ClassVar[str] = "nothing"

    def on_match(self, ctx: Context[None]) -> Decision:
        """The packet that triggered the rule."""
        return PASS

    def on_packet(self, ctx: Context[None]) -> Decision:
        """Every later packet of the flow, both ways, for as long as the rule holds it."""
        return PASS

    def holds_for(self, profile: Profile) -> float:
        """Seconds of the censor's clock. With 0, on_packet would never be called."""
        return 10.0
