"""What a censor leaves to the kernel: values, so that every kernel can carry them out and none has to guess.

Python decides once per flow; what follows for the flow's later packets is one of three things. Two kernels
carry them out: the nft rule set (`testbed.middlebox.ruleset`) live, and `testbed.censor.softkernel` in a
replay, in the conformance tests and everywhere else without a kernel. A differential test compares the two.

What both MUST do with a flow, which is a 4-tuple of TCP or UDP in both directions, once a decision about one
of its packets has handed it over:

- Packets without ports go to the core, and so does every fragment, with this exception: the first of a packet
  has ports, and `Drop` and `Police` drop it, count it and are restarted by it as by any packet. A fragment
  never hands a flow over.
- `Pass`: packets pass, and the core does not see them. It ends after `passing_time` of the profile, however
  many packets came, and with a SYN of the inside host (no ACK, RST or FIN), which goes to the core.
- `Drop`: packets are dropped. It ends `timeout` after the handover or, with `refresh`, after the last packet.
- `Police`: each direction has a token bucket, and a packet that finds too few tokens is dropped; the others
  pass. It ends after `idle` without a packet. A bucket that saw no packet for `idle` is full again.

Times are seconds of the censor's clock, rates are per real second.
"""

from dataclasses import dataclass
from typing import Final, Literal

from testbed.censor.decision import Decision
from testbed.censor.profile import Profile
from testbed.censor.units import BitsPerSecond, Octets

MOST_PER_RULE: Final = 6  # handovers that one action may declare: the mark word has room for so many


@dataclass(frozen=True, slots=True)
class Pass:
    """The flow is not inspected any more."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Both directions of the flow vanish."""

    timeout: float
    refresh: bool = False  # each dropped packet restarts the time

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise ValueError(f"Drop: a timeout of {self.timeout!r} s; give more than 0")


@dataclass(frozen=True, slots=True)
class Police:
    """What exceeds the rate vanishes."""

    rate: BitsPerSecond  # of IP packets
    burst: Octets  # what a full bucket holds, but see `bucket_size`
    idle: float
    per: Literal["flow", "host"] = "flow"  # "host": all such flows of an inside host share their buckets
    direction: Literal["both", "up", "down"] = "both"  # what is policed; the other direction passes

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.burst >= 0 and self.idle > 0):
            raise ValueError(
                f"Police: rate {self.rate!r} bit/s, burst {self.burst!r} bytes, idle {self.idle!r} s; "
                "give a rate and an idle time of more than 0"
            )

    @property
    def timeout(self) -> float:
        """When it ends, as for `Drop`."""
        return self.idle

    @property
    def octets_per_second(self) -> int:
        """The rate as the kernel counts it: whole bytes."""
        return max(1, round(self.rate / 8))

    @property
    def bucket_size(self) -> int:
        """Bytes that a full bucket holds: nft's has room for a second of the rate at least (nft_limit.c)."""
        return max(int(self.burst), self.octets_per_second)


Handover = Pass | Drop | Police
PASS_ON: Final = Pass()
PASSED: Final = Decision(handover=PASS_ON)  # nothing is done to the packet, and its flow is left alone


def passing_time(profile: Profile) -> float:
    """Seconds after which a passed flow's next packet goes to the core again, to be handed over afresh.

    Short beside the core's idle times, so that the core's memory of a busy flow does not run out; that is
    cheaper than having the kernel restart a timer on every packet (140 ns of 460).
    """
    return min(profile.idle_opening.value / 2, profile.idle_established.value / 8)  # our choice


def counter_name(what: str, rule: int) -> str:
    """What both kernels call the packets counted for a rule; `what` is one of `COUNTED`."""
    return f"{what}_{rule}"


COUNTED: Final = ("drop", "replace", "inject", "police", "policed_drop", "flow_drop", "delay")
"""By the core's decision: packets dropped, replaced, injected, delayed, and flows handed over to `Police`.
By the kernel alone: packets beyond a rate, and packets of dropped flows."""
