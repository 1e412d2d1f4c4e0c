"""What a technique is: a frozen dataclass of parameters with two methods.

Adding one is adding a file: give it a `key`, parameters with units, `on_match` for the packet that
triggered the rule and `on_packet` for the later packets of the same flow. All state goes into
`flow.state`; the action itself never changes, because one action serves many flows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.decision import PASS, Decision, Direction, HandoverKind
from testbed.censor.flow import Flow
from testbed.censor.packet import Packet
from testbed.censor.profile import Profile


@dataclass(frozen=True, slots=True)
class Context:
    """One packet and what an action may know about it."""

    packet: Packet
    direction: Direction
    flow: Flow
    now: float  # seconds of the censor's clock
    rule: int  # index of the rule in its policy, to put into `Decision.rule`
    profile: Profile
    draw: Callable[[str], float]  # draw("purpose") -> [0, 1), the same for the same seed, flow and purpose
    time_scale: float = 1.0  # seconds of `now` in a real second; rates are per real second
    kernel: bool = True  # handovers are carried out; False (replay, conformance): every packet comes here


@dataclass(frozen=True, slots=True)
class Action:
    """The technique's side of a rule. This base lets everything pass."""

    key: ClassVar[str] = ""  # how a scenario names it: "police"
    hands_over: ClassVar[frozenset[HandoverKind]] = frozenset()  # what the kernel may be asked to do
    keeps_inspecting: ClassVar[bool] = False  # content rules above may still take a held flow over
    either_opener: ClassVar[bool] = (
        False  # a header rule with it also holds flows that were opened from outside
    )

    def on_match(self, ctx: Context) -> Decision:
        """Decide about the packet that triggered the rule."""
        return PASS

    def on_packet(self, ctx: Context) -> Decision:
        """Decide about a later packet of a flow that this rule holds, either direction."""
        return PASS

    def prepare(self) -> None:
        """Load what deciding needs. Called once where the rule is at work, before the first packet."""

    def holds_for(self, profile: Profile) -> float:
        """Seconds (censor's clock) for which the rule keeps the flow; 0 ends it with the trigger."""
        return 0.0

    def refreshes(self, profile: Profile) -> bool:
        """Whether the flow's later packets restart that time."""
        return False

    def also_seen_as(self, label: str) -> tuple[str, ...]:
        """Other labels (`testbed.scenario.labels`) that a client may see when the effect is `label`."""
        return ()

    @property
    def limits_host(self) -> bool:
        """Whether all matched flows of an inside host share one rate."""
        return False


def cut_late(label: str) -> tuple[str, ...]:
    """`also_seen_as` of an action that drops after some packets: by then an answer may have begun."""
    return {"tls.sni.drop": ("http.drop",), "http.drop": ("tls.sni.drop",)}.get(label, ())


def residual(given: float | None, action: str, profile: Profile) -> float:
    """The parameter if the scenario gives it, else the profile's."""
    return profile.residual_of(action) if given is None else given
