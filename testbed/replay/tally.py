"""Sums over a replay: packets, rules, flows. Bounded, whatever the capture holds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.replay.effects import WHATS, Effect

MOST_FLOWS: Final = 10_000  # flows in the summary; our choice
NOT_JUDGED: Final = {
    "not_ip": "not IP",
    "cut": "cut by the snap length",
    "unreadable": "with lengths that cannot be true",
    "beside": "not between inside and outside",
}


@dataclass(slots=True)
class FlowSum:
    """What one flow met."""

    packets: int = 0  # that met something
    whats: Counter[str] = field(default_factory=Counter)
    rules: dict[str, None] = field(default_factory=dict)  # in the order of their first effect


@dataclass(slots=True)
class Tally:
    """The sums so far."""

    packets: int = 0
    judged: int = 0  # packets that were the box's to see, those of passed flows included
    met: int = 0  # packets that met something
    backwards: int = 0  # packets whose time lay before the one ahead of them
    undated: int = 0  # packets without a time of their own
    released_early: int = 0  # more were delayed at a time than can be held
    first: int = -1  # ns since 1970
    last: int = -1
    aside: Counter[str] = field(default_factory=Counter)  # by the keys of NOT_JUDGED
    rules: dict[str, Counter[str]] = field(default_factory=dict)
    flows: dict[str, FlowSum] = field(default_factory=dict)
    flows_left_out: int = 0  # packets that met something in flows beyond MOST_FLOWS

    def add(self, flow: str, found: Iterable[Effect]) -> None:
        """Count what one packet met."""
        self.met += 1
        if flow not in self.flows and len(self.flows) >= MOST_FLOWS:
            self.flows_left_out += 1
            seen = FlowSum()
        else:
            seen = self.flows.setdefault(flow, FlowSum())
        seen.packets += 1
        for effect in found:
            number = effect.detail.get("packets", 1) if effect.what == "injected" else 1
            seen.whats[effect.what] += number
            if effect.rule:
                seen.rules[effect.rule] = None
                self.rules.setdefault(effect.rule, Counter())[effect.what] += number

    def clamped(self, stamp: int) -> int:
        """The time that counts for a packet whose own is missing (negative) or lies in the past."""
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
        """The summary object, with the rules of these names."""
        told: dict[str, Any] = {
            "packets": self.packets,
            "seconds": round(self.seconds, 9),
            "judged": self.judged,
            "met": self.met,
            **{key: self.aside[key] for key in NOT_JUDGED},
            "backwards": self.backwards,
            "undated": self.undated,
            "released_early": self.released_early,
            "rules": {
                name: {what: self.rules.get(name, Counter())[what] for what in WHATS} for name in names
            },
        }
        if flows:
            told["flows"] = [
                {
                    "flow": flow,
                    "met": seen.packets,
                    "rules": list(seen.rules),
                    **dict(sorted(seen.whats.items())),
                }
                for flow, seen in self.flows.items()
            ]
            told["flows_left_out"] = self.flows_left_out
        return told
