"""Totals of a replay: packets, rules, flows. Bounded in memory, whatever the capture holds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.replay.effects import WHATS, Effect

MOST_FLOWS: Final = 10_000  # flows in the summary; our choice
NOT_JUDGED: Final = {
    "not_ip": "not IP",
    "foreign": "of link types that are not read",
    "cut": "cut by the snap length",
    "unreadable": "with impossible lengths",
    "unknown_size": "merged by an offload, of a size on the wire that nothing shows",
    "beside": "not between inside and outside",
}


@dataclass(slots=True)
class FlowTotals:
    """What rules did to one flow."""

    packets: int = 0  # affected
    whats: Counter[str] = field(default_factory=Counter)
    rules: dict[str, None] = field(default_factory=dict)  # in the order of their first effect


@dataclass(slots=True)
class Totals:
    """The totals so far."""

    packets: int = 0
    judged: int = 0  # packets that cross the box: those of passed flows and pieces of super-packets included
    affected: int = 0  # packets to which a rule did something
    backwards: int = 0  # packets dated before their predecessor
    undated: int = 0  # packets without a time stamp
    released_early: int = 0  # delayed packets sent too early, because the queue was full
    first: int = -1  # ns since 1970
    last: int = -1
    super_packets: int = 0  # TCP packets larger than the wire carries
    pieces: int = 0  # the packets they were cut into
    foreign: Counter[int] = field(default_factory=Counter)  # packets by link type, of those not read
    aside: Counter[str] = field(default_factory=Counter)  # by the keys of NOT_JUDGED
    rules: dict[str, Counter[str]] = field(default_factory=dict)
    flows: dict[str, FlowTotals] = field(default_factory=dict)
    flows_left_out: int = 0  # affected packets of flows beyond MOST_FLOWS

    def add(self, flow: str, found: Iterable[Effect]) -> None:
        """Count what rules did to one packet, or what the box did not see of it."""
        found = tuple(found)
        self.affected += any(effect.what != "unread" for effect in found)
        if flow not in self.flows and len(self.flows) >= MOST_FLOWS:
            self.flows_left_out += 1
            flow_totals = FlowTotals()
        else:
            flow_totals = self.flows.setdefault(flow, FlowTotals())
        flow_totals.packets += 1
        for effect in found:
            number = effect.detail.get("packets", 1) if effect.what == "injected" else 1
            flow_totals.whats[effect.what] += number
            if effect.rule:
                flow_totals.rules[effect.rule] = None
                self.rules.setdefault(effect.rule, Counter())[effect.what] += number

    def clamped(self, stamp: int) -> int:
        """The time to use for a packet whose own is missing (negative) or earlier than its predecessor's."""
        if stamp < 0:
            self.undated += 1
        else:
            self.backwards += 1
        return max(self.last, 0)

    @property
    def seconds(self) -> float:
        """From the first packet's time to the last's."""
        return (self.last - self.first) / 1e9 if self.first >= 0 else 0.0

    def to_json(self, names: Iterable[str], *, flows: bool) -> dict[str, Any]:
        """The summary object, with a row for each of these rules."""
        summary: dict[str, Any] = {
            "packets": self.packets,
            "seconds": round(self.seconds, 9),
            "judged": self.judged,
            "met": self.affected,
            **{key: self.aside[key] for key in NOT_JUDGED},
            "backwards": self.backwards,
            "undated": self.undated,
            "released_early": self.released_early,
            "super_packets": self.super_packets,
            "pieces": self.pieces,
            "foreign_link_types": {str(kind): number for kind, number in sorted(self.foreign.items())},
            "rules": {
                name: {what: self.rules.get(name, Counter())[what] for what in WHATS} for name in names
            },
        }
        if flows:
            summary["flows"] = [
                {
                    "flow": flow,
                    "met": flow_totals.packets,
                    "rules": list(flow_totals.rules),
                    **dict(sorted(flow_totals.whats.items())),
                }
                for flow, flow_totals in self.flows.items()
            ]
            summary["flows_left_out"] = self.flows_left_out
        return summary
