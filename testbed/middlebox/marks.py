"""The 32-bit mark: the one word between a verdict and the kernel.

    31 … 16   index of the rule in its policy, plus one; 0 where no rule is concerned
    15 … 12   position of the censor among those of its hop
    11 …  8   handover: 0 none, 1 `Pass`, 2 … those that the rule's action declares, in order
     7        the injected packet's IP-ID is 0 (a raw socket would fill it in)
     6        injected by us
     5        no verdict: the censor before in the hop lets the packet go on
     4        the core has taken the flow: all its packets come
     3        the packet was held before it went on
     2        the packet was replaced
     1        drop the packet
     0        the core has decided: this word is a verdict

A forwarded packet carries the mark from its verdict to the chain that reads it, an injected one from
its socket to the output chain; both chains clear it, so nothing else sees it. A mark without bit 0 is
foreign and left alone.
"""

from dataclasses import dataclass
from typing import Final

from testbed.censor.decision import PASS, Decision, Verdict
from testbed.censor.handover import MOST_PER_RULE, Handover, Pass
from testbed.censor.policy import Policy

VERDICT: Final = 0x01
DROP: Final = 0x02
REPLACED: Final = 0x04
HELD: Final = 0x08
KEPT: Final = 0x10
GO: Final = 0x20
INJECTED: Final = 0x40
ID_ZERO: Final = 0x80
HANDOVER_MASK: Final = 0x0F00
PASSED: Final = 0x0100
POSITION_MASK: Final = 0xF000
RULE_MASK: Final = 0xFFFF0000

MAX_RULES: Final = 0xFFFF
MAX_CENSORS: Final = 16  # at one hop

_RULE_SHIFT, _POSITION_SHIFT, _HANDOVER_SHIFT = 16, 12, 8
_FIRST_DECLARED = 2
_VERDICT = {Verdict.PASS: 0, Verdict.DROP: DROP, Verdict.REPLACE: REPLACED}


@dataclass(frozen=True, slots=True)
class Position:
    """A censor's place among the censors of its hop.

    What the inside host sends meets them in this order, what comes from outside in reverse.
    """

    index: int = 0
    count: int = 1  # places at the hop; 1: a lone censor, without segments
    order: tuple[int, ...] | None = None  # the places that are taken, in order; None: all, by their index

    @property
    def present(self) -> tuple[int, ...]:
        """The places of the hop's censors, from the subscriber outwards."""
        return tuple(range(self.count)) if self.order is None else self.order

    @property
    def bits(self) -> int:
        """The part of the word that names it."""
        return self.index << _POSITION_SHIFT


def rule_bits(rule: int | None) -> int:
    """The part of the word that names a rule."""
    return 0 if rule is None else (rule + 1) << _RULE_SHIFT


def handover_bits(number: int) -> int:
    """The part of the word that names the n-th handover that an action declares."""
    return number + _FIRST_DECLARED << _HANDOVER_SHIFT


class Marks:
    """The words of one censor."""

    def __init__(self, policy: Policy, position: Position) -> None:
        """ValueError for more rules, or more handovers of one action, than the word has room for."""
        if len(policy.rules) > MAX_RULES:
            raise ValueError(f"{len(policy.rules)} rules; the mark word has room for {MAX_RULES}")
        self.declared = [policy.handovers(rule) for rule in policy.rules]
        for rule, declared in zip(policy.rules, self.declared, strict=True):
            if len(declared) > MOST_PER_RULE:
                raise ValueError(
                    f"rule {rule.name!r} declares {len(declared)} handovers, not {MOST_PER_RULE}"
                )
        self._position = position.bits
        self._always = position.count > 1  # the next censor of the hop must see what passes
        self._keeps = policy.triggered_by_data  # else every packet comes anyway

    def verdict(self, decision: Decision) -> int:
        """The word for the packet itself; 0 when there is nothing to do but let it leave the hop."""
        word = _VERDICT[decision.verdict]
        if decision.release_at is not None:
            word |= HELD
        if decision.handover is not None:
            word |= self._handover(decision.handover, decision.rule)
        elif self._keeps and decision is not PASS:
            word |= KEPT
        if word:
            return VERDICT | word | self._position | rule_bits(decision.rule)
        return VERDICT | self._position if self._always else 0

    def injected(self, packet: bytes, rule: int | None) -> int:
        """The word for a packet that we send ourselves, a whole IPv4 or IPv6 packet."""
        id_is_zero = packet[0] >> 4 == 4 and packet[4:6] == b"\0\0"
        return VERDICT | self._position | rule_bits(rule) | INJECTED | (ID_ZERO if id_is_zero else 0)

    def _handover(self, handover: Handover, rule: int | None) -> int:
        if isinstance(handover, Pass):
            return PASSED
        assert rule is not None, "the core names the rule of every handover but Pass"
        return handover_bits(self.declared[rule].index(handover))
