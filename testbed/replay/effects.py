"""What rules did to a packet, as text for a table and as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.censor.decision import Direction, Verdict
from testbed.censor.policy import Policy
from testbed.censor.softkernel import Outcome
from testbed.errors import printable

WHATS: Final = ("matched", "missed", "dropped", "rewritten", "injected", "delayed", "policed")
"""What a rule does. "missed": it would have fired, but the box failed, by its miss rate; "policed": dropped
because it exceeded a policer's rate."""

_EVENTS: Final = {"match": "matched", "miss": "missed"}
_WHO: Final = {Direction.DOWN: "the subscriber", Direction.UP: "the Internet"}


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a rule, or the box itself (buffered fragments), did to a packet."""

    what: str  # one of WHATS, "held", "released", "unread" (a listed name went by), or another event's kind
    rule: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """As in the table: "matched sni: x.com", "2 injected by sni towards the subscriber"."""
        detail = self.detail
        if self.what in _EVENTS.values():
            name = f": {printable(str(detail['name']))}" if "name" in detail else ""
            return f"{self.what} {self.rule}{name}"
        if self.what == "unread":
            return f"{printable(str(detail['name']))} unread by {self.rule}: {detail['why']}"
        if self.what == "injected":
            return f"{detail['packets']} injected by {self.rule} towards {detail['toward']}"
        if self.what == "released":
            return f"{detail['packets']} held fragments released"
        if self.what == "held":
            return "fragment held"
        if self.what == "delayed":
            return f"delayed {detail['seconds']:.3f} s by {self.rule}"
        return f"{self.what} by {self.rule}" if self.rule else self.what

    def to_json(self) -> dict[str, Any]:
        """Flat."""
        return {"what": self.what, "rule": self.rule, **self.detail}


def effects(outcome: Outcome, policy: Policy, now: float) -> tuple[Effect, ...]:
    """Everything that was done to a packet; empty for one that just passes."""
    decision = outcome.decision
    found = [Effect(_EVENTS.get(e.kind, e.kind), e.rule, dict(e.detail)) for e in decision.events]
    if released := sum(injection.released for injection in decision.inject):
        found.append(Effect("released", detail={"packets": released}))
    if decision.rule is None:
        if decision.verdict is Verdict.DROP:
            found.append(Effect("held"))
        return tuple(found)
    rule = policy.rules[decision.rule]
    if decision.verdict is Verdict.DROP:
        found.append(Effect("policed" if outcome.by == "police" else "dropped", rule.name))
    elif decision.verdict is Verdict.REPLACE:
        found.append(Effect("rewritten", rule.name))
    if decision.release_at is not None and decision.release_at > now:
        found.append(Effect("delayed", rule.name, {"seconds": round(decision.release_at - now, 6)}))
    for toward, who in _WHO.items():
        count = sum(one.toward is toward and not one.released for one in decision.inject)
        if count:
            found.append(Effect("injected", rule.name, {"packets": count, "toward": who}))
    return tuple(found)
