"""A limit on TLS connections from one subscriber to one network, from November 2025 on (N4P#546, L)."""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from testbed.censor.actions.base import Action, Context
from testbed.censor.bounded import Bounded, evicted
from testbed.censor.decision import Decision, Verdict
from testbed.censor.handover import PASSED, Drop
from testbed.censor.profile import Profile
from testbed.censor.units import Between, Seconds, Span

_MAX_NETWORKS = 256  # networks counted at a time for one inside host; our choice


@dataclass(slots=True)
class Recent:
    """When an inside host opened its last flows to one network, and until when it may open no more."""

    opened: deque[float] = field(default_factory=deque)  # at most `flows` of them
    locked_until: float = 0.0


@dataclass(slots=True)
class Admission:
    """Whether a flow exceeded the limit."""

    refused: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionLimit(Action[Admission]):
    """Freeze each flow beyond `flows` within `window`, and all new ones for `lock` after that.

    A flow is counted when its first packet triggers the rule (`tls.sni: ["*"]`), so its handshake passes
    and its ClientHello does not. Rules decide in order: put this one after rules with names.
    """

    key: ClassVar[str] = "connection-limit"
    only_in_path: ClassVar[bool] = True
    cause: ClassVar[str | None] = "conncount"

    flows: Annotated[int, Between(0, 1_000_000)] = 12  # N4P#546: 12-24; DPICH tries 4
    window: Span = Seconds(10)  # "a short window" (N4P#546); the number is our choice
    lock: Span = Seconds(60)  # N4P#546: about 60 s, 118 s once
    prefix4: Annotated[int, Between(0, 32)] = 24  # "destination subnet" (N4P#546); the lengths are our choice
    prefix6: Annotated[int, Between(0, 128)] = 48

    def begin(self, ctx: Context[None]) -> Admission:
        """Decided by `on_match`."""
        return Admission()

    def on_match(self, ctx: Context[Admission]) -> Decision:
        """Count a new flow; pass or freeze it."""
        networks = ctx.of_host(_no_networks)
        network = self._network(ctx.flow.key.outside)
        recent = networks.get(network)
        full = False
        if recent is None:
            recent = Recent()
            full = networks.put(network, recent)
        ctx.state.refused = self._refuses(recent, ctx.now)
        return replace(self.on_packet(ctx), events=evicted(ctx.flow.key, self.key) if full else ())

    def on_packet(self, ctx: Context[Admission]) -> Decision:
        """As its first packet was decided."""
        if not ctx.state.refused:
            return PASSED
        rest = self.handovers(ctx.profile)
        return Decision(Verdict.DROP, handover=rest[0] if rest else None)

    def holds_for(self, profile: Profile) -> float:
        """A frozen flow recovers with the others."""
        return self.lock

    def admits(self) -> int | None:
        """As many as may open within the window."""
        return self.flows

    def handovers(self, profile: Profile) -> tuple[Drop, ...]:
        """A frozen flow, until the lock ends."""
        return (Drop(self.lock),) if self.lock > 0 else ()

    def _refuses(self, recent: Recent, now: float) -> bool:
        """Whether a flow that opens now exceeds the limit."""
        if now < recent.locked_until:
            return True
        while recent.opened and now - recent.opened[0] >= self.window:
            recent.opened.popleft()
        if len(recent.opened) < self.flows:
            recent.opened.append(now)
            return False
        recent.opened.clear()
        recent.locked_until = now + self.lock
        return True

    def _network(self, address: bytes) -> int:
        """The prefix, with a one before it so that the versions do not mix."""
        length = self.prefix4 if len(address) == 4 else self.prefix6
        bits = len(address) * 8
        return (1 << bits | int.from_bytes(address, "big")) >> (bits - length)


def _no_networks() -> Bounded[int, Recent]:
    return Bounded(_MAX_NETWORKS)
