"""Token buckets of a `Police` rule, kept by the kernel as `limit` expressions in dynamic sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from testbed.censor.actions.police import Police


@dataclass(frozen=True, slots=True)
class Policer:
    """The buckets of one rule: one per direction, for each flow or for each inside host."""

    rule: int
    rate: int  # bytes per second
    burst: int  # bytes beyond one second of the rate
    per: Literal["flow", "host"]
    direction: Literal["both", "up", "down"]

    @classmethod
    def of(cls, action: Police, rule: int) -> "Policer":
        """The kernel's numbers for a policer.

        nft's bucket holds one second of the rate plus `burst`, so a bucket smaller than one second of
        the rate cannot be had: 140 kbit/s with 16,384 bytes becomes 17,500 bytes.
        """
        rate = max(1, round(action.rate / 8))
        return cls(rule, rate, max(0, action.burst - rate), action.per, action.direction)

    @property
    def bucket(self) -> int:
        """What the kernel's bucket holds, bytes."""
        return self.rate + self.burst

    def sets(self, address: str, flow_type: str, size: int) -> Iterator[str]:
        """The sets that keep the buckets. They are never fuller than the set of the rule's flows."""
        key = flow_type if self.per == "flow" else address
        for way in self._ways():
            yield f"set {self._name(way)} {{ type {key}; flags dynamic, timeout; size {size}; }}"

    def statements(self, ip: str, key: str, timeout: str) -> Iterator[str]:
        """Drop and count what exceeds the rate. The limit is evaluated once per packet."""
        limit = f"limit rate over {self.rate} bytes/second"
        if self.burst:
            limit += f" burst {self.burst} bytes"
        for way in self._ways():
            incoming = 'iif "in"' if way == "up" else 'iif != "in"'
            host = f"{ip} {'saddr' if way == 'up' else 'daddr'}"
            element = f"{key if self.per == 'flow' else host} timeout {timeout} {limit}"
            drop = f"counter name policed_drop_{self.rule} drop"
            yield f"{incoming} update @{self._name(way)} {{ {element} }} {drop}"

    def _ways(self) -> tuple[str, ...]:
        return ("up", "down") if self.direction == "both" else (self.direction,)

    def _name(self, way: str) -> str:
        return f"{way}_{self.rule}"
