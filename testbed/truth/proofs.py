"""What the censors' receipts prove, and what in them makes a run invalid.

A receipt counts what a rule's decisions asked for ("claimed") beside what the kernel's counters saw happen
("kernel"): a second place, so that an emulator that did nothing cannot look like a working one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Receipt = Mapping[str, Any]
CensorReceipts = Mapping[str, Receipt]  # by censor: "mts/tspu"

_LOSSES = {
    "faults": "an exception in the packet path",
    "queue_dropped": "the queue overflowed, packets were lost that no rule dropped",
    "user_dropped": "the kernel could not hand packets to the censor",
    "evictions": "the flow table was full, flows were forgotten",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """What one rule did, as both places count it."""

    claimed: int
    kernel: int  # packets dropped, replaced, injected, delayed or policed

    @property
    def fired(self) -> bool:
        """Whether both counts show that it did something."""
        return self.claimed > 0 and self.kernel > 0


def proof(receipts: CensorReceipts, vantage: str, by: str) -> Proof:
    """What the rule `by` ("rule" or "policy/rule") did at the censors of `vantage`, added up."""
    policy, _, rule = by.rpartition("/")
    claimed = kernel = 0
    for censor, receipt in receipts.items():
        operator, _, name = censor.partition("/")
        if operator == vantage and policy in ("", name):
            counts = receipt.get("rules", {}).get(rule, {})
            claimed += sum(counts.get("claimed", {}).values())
            kernel += sum(counts.get("kernel", {}).values())
    return Proof(claimed, kernel)


def fired(receipts: CensorReceipts, vantage: str) -> dict[str, Proof]:
    """Every rule of a vantage's censors that did anything, as "policy/rule"."""
    found = {}
    for censor, receipt in receipts.items():
        operator, _, name = censor.partition("/")
        for rule in receipt.get("rules", {}) if operator == vantage else ():
            one = proof({censor: receipt}, vantage, f"{name}/{rule}")
            if one.claimed or one.kernel:
                found[f"{name}/{rule}"] = one
    return found


def problems(receipts: CensorReceipts, placed: Iterable[str] = ()) -> list[str]:
    """Why the receipts make the run invalid, one sentence each; empty when they do not.

    `placed` names the censors of the run: one without a receipt has died.
    """
    found = [
        f"{censor} left no receipt: it died or was never started"
        for censor in placed
        if censor not in receipts
    ]
    for censor, receipt in receipts.items():
        for key, meaning in _LOSSES.items():
            if count := receipt.get(key, 0):
                found.append(f"{censor}: {key} = {count}: {meaning}")
        for rule, counts in receipt.get("rules", {}).items():
            found += _disagreements(f"{censor}, rule {rule}", counts)
    return found


def _disagreements(where: str, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    kernel = counts.get("kernel", {})
    return [
        f"{where}: the censor claims {what} {number} times, the kernel saw {kernel.get(what, 0)}"
        for what, number in counts.get("claimed", {}).items()
        if kernel.get(what, 0) != number
    ]
