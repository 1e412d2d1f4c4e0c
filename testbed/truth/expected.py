"""Expected outcomes of one phase: for each vantage and target the label, and the rule that causes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from testbed.measurement.target import Target
from testbed.model import OUTSIDE, Scenario

Role = Literal["expectation", "control", "reference"]


@dataclass(frozen=True, slots=True)
class Truth:
    """One expected outcome.

    `role` says why it is measured: an expectation of the scenario, a control that must stay unharmed, or the
    reference from outside that an expectation is compared with.
    """

    vantage: str
    target: Target
    outcome: str  # a label
    by: str = ""  # "policy/rule" or "rule" as the scenario writes it, "" where nothing interferes
    rate: tuple[float, float] | None = None  # bit/s
    received: tuple[float, float] | None = None  # bytes before a freeze
    tries: int = 1
    share: tuple[float, float] | None = None  # of the tries that have this outcome; the others are ok
    role: Role = "expectation"
    second: bool = False  # over IPv6, and what is written is for both IP versions

    @property
    def transport(self) -> str:
        """What carries the target: tls, http, quic, dns/udp, dns/tcp, or a scenario's own word."""
        return self.target.kind.transport

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return {
            "vantage": self.vantage,
            "target": self.target.url,
            "transport": self.transport,
            "outcome": self.outcome,
            "by": self.by,
            "rate": list(self.rate) if self.rate else None,
            "received": list(self.received) if self.received else None,
            "tries": self.tries,
            "share": list(self.share) if self.share else None,
            "role": self.role,
        }


def truth(scenario: Scenario, phase: str, vantages: Sequence[str] | None = None, ipv: int = 4) -> list[Truth]:
    """Everything that a run of `phase` has to measure, with the expected outcomes.

    KeyError if the scenario has no such phase. `vantages` limits it to some of them; without it, those that
    the phase's expectations and censors concern (all operators if there are none). What is expected anywhere
    is also measured from outside, and so is every control: an unreachable target proves nothing. `ipv` is the
    IP version that is measured: what is expected over the other alone is left out.
    """
    placements = scenario.phases[phase].placements
    expected = [e for e in scenario.expect if e.phase == phase and e.ipv in (None, ipv)]
    named = [e.vantage for e in expected] + [p.operator for p in placements]
    concerned = set(named) or {operator.key for operator in scenario.world.operators}
    chosen = concerned if vantages is None else set(vantages)
    order = [key for key in scenario.vantages() if key in chosen or key == OUTSIDE]

    found: dict[tuple[str, Target], Truth] = {}
    for e in expected:
        if e.vantage in order:
            found[e.vantage, e.target] = Truth(
                e.vantage,
                e.target,
                e.outcome,
                e.by,
                e.rate,
                e.received,
                e.tries,
                e.share,
                second=ipv == 6 and e.ipv is None,
            )
    for control in scenario.controls:
        for vantage in order:
            found.setdefault((vantage, control), Truth(vantage, control, "ok", role="control"))
    for one in list(found.values()):
        outcome = "broken" if one.outcome == "broken" else "ok"
        outside = Truth(OUTSIDE, one.target, outcome, role="reference")
        found.setdefault((OUTSIDE, one.target), outside)
    return sorted(found.values(), key=lambda one: order.index(one.vantage))
