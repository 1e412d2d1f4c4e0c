"""What the core answers for one packet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from testbed.censor.flow import FlowKey
    from testbed.censor.handover import Handover


class Direction(IntEnum):
    """Which way a packet crosses the censor."""

    UP = 0  # from the subscriber's side towards the Internet
    DOWN = 1  # from the Internet towards the subscriber

    @property
    def back(self) -> "Direction":
        """The opposite direction."""
        return Direction(1 - self)


UP: Final = Direction.UP  # for each packet: a name of the module is found sooner than one of a class
DOWN: Final = Direction.DOWN


class Verdict(IntEnum):
    """What becomes of the packet itself."""

    PASS = 0
    DROP = 1
    REPLACE = 2  # `Decision.packet` goes on in its place


@dataclass(frozen=True, slots=True)
class Injection:
    """A packet that the censor makes itself."""

    packet: bytes  # a whole IPv4 or IPv6 packet, checksums right
    toward: Direction  # UP: sent towards the Internet; DOWN: towards the subscriber
    released: bool = False  # not made: a fragment that was buffered goes on, on no rule's behalf


@dataclass(frozen=True, slots=True)
class Event:
    """Something the censor did or noticed, for the run's event stream.

    `kind` is one of: match (a rule was triggered), act (the rule's later packets begin to be affected),
    miss (the rule would have fired but the box failed, by its miss rate), unread (a name that the rule lists
    went by in a form that the box does not read), learn (a server comes on a list), evict (a table was full).
    """

    kind: str
    rule: str  # the rule's name, "" where no rule is concerned
    flow: str  # "tcp 10.0.0.2:40000 > 104.244.42.1:443", inside host first
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """The core's answer for one packet.

    `rule` is the index, in the policy, of the rule that this decision carries out; None means that the
    packet was not interfered with. Every decision that changes, drops, delays, injects or hands over
    (other than PASS) names its rule, so that the kernel can count what it did on that rule's behalf.
    """

    verdict: Verdict = Verdict.PASS
    packet: bytes | None = None  # the replacement, for REPLACE only
    inject: tuple[Injection, ...] = ()
    release_at: float | None = None  # shaper: hold the packet until this time, then apply the verdict
    handover: "Handover | None" = None  # one of those that the rule's action declares, or `Pass`
    rule: int | None = None
    events: tuple[Event, ...] = ()
    flow: "FlowKey | None" = field(default=None, compare=False)  # whose packet it is, where a rule is named


PASS = Decision()
