"""A limit on TLS connections from one subscriber to one network, from November 2025 on (N4P#546, L)."""

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from testbed.censor.actions.base import Action, Context
from testbed.censor.bounded import Bounded, evicted
from testbed.censor.decision import Decision, Event, Handover, HandoverKind, Verdict
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds

_MAX_NETWORKS = 256  # networks counted at a time for one inside host; our choice


@dataclass(slots=True)
class Recent:
    """When an inside host opened its last flows to one network, and until when it may open no more."""

    opened: deque[float] = field(default_factory=deque)  # at most `flows` of them
    locked_until: float = 0.0


@dataclass(frozen=True, slots=True)
class ConnectionLimit(Action):
    """Freeze each flow beyond `flows` within `window`, and all new ones for `lock` after that.

    A flow is counted when its first packet triggers the rule (`tls.sni: ["*"]`), so its handshake passes
    and its ClientHello does not. Rules decide in order: put this one after those that name somebody.
    """

    key: ClassVar[str] = "connection-limit"
    hands_over: ClassVar[frozenset[HandoverKind]] = frozenset({HandoverKind.DROP})

    flows: int = 12  # N4P#546: 12-24; DPICH tries 4
    window: Seconds = Seconds(10)  # "a short window" (N4P#546); the number is our choice
    lock: Seconds = Seconds(60)  # N4P#546: about 60 s, 118 s once
    prefix4: int = 24  # "destination subnet" (N4P#546); the lengths are our choice
    prefix6: int = 48

    def __post_init__(self) -> None:
        if self.flows < 0 or not 0 <= self.prefix4 <= 32 or not 0 <= self.prefix6 <= 128:
            raise ValueError(
                "connection-limit: flows >= 0, prefix4 0 to 32 and prefix6 0 to 128 are possible"
            )

    def on_match(self, ctx: Context) -> Decision:
        """Count a new flow; let it go, or freeze it."""
        networks = ctx.flow.shared.setdefault(f"{self.key} {ctx.rule}", Bounded[int, Recent](_MAX_NETWORKS))
        assert isinstance(networks, Bounded)
        network = self._network(ctx.flow.key.outside)
        events: tuple[Event, ...] = ()
        recent = networks.get(network)
        if recent is None:
            recent = Recent()
            events = evicted(ctx.flow.key, self.key) if networks.put(network, recent) else ()
        ctx.flow.state = frozen = self._refuses(recent, ctx.now)
        if not frozen:
            return Decision(handover=Handover(HandoverKind.PASS, self.lock), events=events)
        handover = Handover(HandoverKind.DROP, self.lock, refresh=False)
        return Decision(Verdict.DROP, handover=handover, rule=ctx.rule, events=events)

    def on_packet(self, ctx: Context) -> Decision:
        """As its first packet was decided."""
        if ctx.flow.state:
            return Decision(Verdict.DROP, rule=ctx.rule)
        return Decision(handover=Handover(HandoverKind.PASS, self.lock))

    def holds_for(self, profile: Profile) -> float:
        """A frozen flow recovers with the others."""
        return self.lock

    def _refuses(self, recent: Recent, now: float) -> bool:
        """Whether a flow that opens now is one too many."""
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
