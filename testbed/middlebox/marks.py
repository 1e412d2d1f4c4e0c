"""The 32-bit mark: the one word between a verdict and the kernel.

    31 … 16   index of the rule in its policy, plus one; 0 where no rule is concerned
     7        the injected packet's IP-ID is 0 (a raw socket would fill it in)
     6        injected by us
     5 … 4    handover: 0 none, 1 PASS, 2 DROP, 3 POLICE
     3        the packet was held before it went on
     2        the packet was replaced
     1        drop the packet
     0        the core has decided: this word is a verdict

A forwarded packet carries the mark from its verdict to the chain that reads it, an injected one from
its socket to the output chain; both chains clear it, so nothing else meets it. A mark without bit 0 is
somebody else's and is left alone.
"""

from typing import Final

from testbed.censor.decision import Decision, HandoverKind, Verdict

VERDICT: Final = 0x01
DROP: Final = 0x02
REPLACED: Final = 0x04
HELD: Final = 0x08
HANDOVER_MASK: Final = 0x30
INJECTED: Final = 0x40
ID_ZERO: Final = 0x80
RULE_MASK: Final = 0xFFFF0000

MAX_RULES: Final = 0xFFFF

_RULE_SHIFT = 16
_HANDOVER = {HandoverKind.PASS: 0x10, HandoverKind.DROP: 0x20, HandoverKind.POLICE: 0x30}
_VERDICT = {Verdict.PASS: 0, Verdict.DROP: DROP, Verdict.REPLACE: REPLACED}


def rule_bits(rule: int | None) -> int:
    """The part of the word that names a rule."""
    return 0 if rule is None else (rule + 1) << _RULE_SHIFT


def handover_bits(kind: HandoverKind, rule: int | None) -> int:
    """What a packet's mark shows, under `RULE_MASK | HANDOVER_MASK`, when its flow is handed over."""
    return rule_bits(rule) | _HANDOVER[kind]


def verdict_mark(decision: Decision) -> int:
    """The word for the packet itself; 0 when there is nothing to do but let it pass."""
    word = _VERDICT[decision.verdict]
    if decision.release_at is not None:
        word |= HELD
    if decision.handover is not None:
        word |= _HANDOVER[decision.handover.kind]
    return VERDICT | word | rule_bits(decision.rule) if word else 0


def injected_mark(packet: bytes, rule: int | None) -> int:
    """The word for a packet that we send ourselves, a whole IPv4 or IPv6 packet."""
    id_is_zero = packet[0] >> 4 == 4 and packet[4:6] == b"\0\0"
    return VERDICT | rule_bits(rule) | INJECTED | (ID_ZERO if id_is_zero else 0)
