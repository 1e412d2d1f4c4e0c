"""What lies between the two ends of a pure try: routers, and behind one of them a box, or none."""

from dataclasses import dataclass, field
from typing import Final

from testbed.censor.core import Censor
from testbed.censor.decision import Decision, Direction, Verdict
from testbed.censor.softkernel import SoftKernel
from testbed.matrix.purebox import PureBox

ROUTERS: Final = 13  # between a subscriber and a server abroad: docs/architecture.md, "A world"
HOP_LIMIT: Final = 64
_STEP: Final = 0.0001  # s between packets


@dataclass(slots=True)
class PureLine:
    """Carries packets, and notes by which packet the first rule was triggered."""

    box: PureBox | None
    seed: int = 1
    now: float = 0.0
    rule: str = ""
    packet: str = ""
    unread: str = ""  # why a listed name went by
    at_client: list[bytes] = field(default_factory=list)
    at_server: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        policy = self.box.policy if self.box else None
        self._kernel = SoftKernel(Censor(policy, self.seed), policy) if policy else None

    _kernel: SoftKernel | None = None

    def up(self, raw: bytes, title: str, hop_limit: int = HOP_LIMIT) -> None:
        """A packet of the client, `title` to people, with the hop limit that it was sent with."""
        if self.box and hop_limit <= self.box.hop:
            return  # a router before the box ended it
        self._pass(raw, Direction.UP, title, ends_here=hop_limit <= ROUTERS)

    def down(self, raw: bytes, title: str) -> None:
        """A packet of the server."""
        self._pass(raw, Direction.DOWN, title, ends_here=False)

    def arrived_at_server(self) -> list[bytes]:
        """What has come since the last time."""
        found, self.at_server = self.at_server, []
        return found

    def _pass(self, raw: bytes, direction: Direction, title: str, *, ends_here: bool) -> None:
        self.now += _STEP
        decision = self._kernel.process(raw, direction, self.now).decision if self._kernel else Decision()
        match = next((event for event in decision.events if event.kind == "match"), None)
        if match and not self.rule:
            self.rule, self.packet = match.rule, title
        self.unread = next((str(e.detail["why"]) for e in decision.events if e.kind == "unread"), self.unread)
        for made in decision.inject:
            (self.at_server if made.toward is Direction.UP else self.at_client).append(made.packet)
        if decision.verdict is Verdict.DROP or ends_here:
            return
        out = decision.packet if decision.verdict is Verdict.REPLACE and decision.packet else raw
        (self.at_server if direction is Direction.UP else self.at_client).append(out)
