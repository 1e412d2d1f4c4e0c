"""What the censors' receipts prove, and what in them makes a run invalid.

A receipt counts what a rule's decisions asked for ("claimed") beside what the kernel's counters saw happen
("kernel"): a second place, so that an emulator that did nothing cannot look like a working one. Both are
counted by flow as well, so that a measurement is proven by what happened to its own flows.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Receipt = Mapping[str, Any]
CensorReceipts = Mapping[str, Receipt]  # by censor: "mts/tspu"

_NO_ACT = "police"  # a flow handed over: nothing has happened to a packet yet
_LOSSES = {
    "faults": "an exception in the packet path",
    "queue_dropped": "the queue overflowed, packets were lost that no rule dropped",
    "user_dropped": "the kernel could not hand packets to the censor",
    "evictions": "the flow table was full, flows were forgotten",
}


FlowDirection = Literal["", "up", "down", "both"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What one rule did, as both places count it."""

    claimed: int  # decisions
    kernel: int  # packets that left changed, forged or late, or did not leave
    up: int = 0  # of them, of a flow: those from inside that were acted on
    down: int = 0

    @property
    def fired(self) -> bool:
        """Whether both counts show that it did something."""
        return self.claimed > 0 and self.kernel > 0

    def __add__(self, other: "Proof") -> "Proof":
        return Proof(
            self.claimed + other.claimed,
            self.kernel + other.kernel,
            self.up + other.up,
            self.down + other.down,
        )

    @property
    def direction(self) -> FlowDirection:
        """Whose packets it acted on: the inside host's (up), the other's, both; "" where nobody counted."""
        if self.up and self.down:
            return "both"
        return "up" if self.up else "down" if self.down else ""


NOTHING = Proof(0, 0)
_ACTS = frozenset(one.name for one in fields(Proof))


def is_receipt(found: object) -> bool:
    """Whether what a file holds has a receipt's shape: a censor, and each rule's counts, also by flow."""
    if not isinstance(found, dict) or str(found.get("censor")).count("/") != 1:
        return False
    rules = found.get("rules")
    return isinstance(rules, dict) and all(map(_are_a_rules, rules.values()))


def _are_a_rules(counts: object) -> bool:
    if not isinstance(counts, dict):
        return False
    flows = counts.get("flows", {})
    return (
        all(_are_counts(counts.get(where, {})) for where in ("claimed", "kernel"))
        and isinstance(flows, dict)
        and all(_are_counts(acts) and acts.keys() <= _ACTS for acts in flows.values())
    )


def _are_counts(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(one, int) for one in found.values())


def on_flows(receipts: CensorReceipts, flows: Collection[str]) -> dict[str, Proof]:
    """What each rule did to these flows, named as in events: "mts/tspu/rule" -> proof.

    A censor at the far end of a flow has the other end inside, and so the other name for it.
    """
    names = {*flows, *map(_turned, flows)}
    found: dict[str, Proof] = {}
    for censor, receipt in receipts.items():
        for rule, counts in receipt.get("rules", {}).items():
            acts = counts.get("flows", {})
            mine = [Proof(**acts[name]) for name in names if name in acts]
            if mine:
                found[f"{censor}/{rule}"] = sum(mine, NOTHING)
    return found


def of_rule(acts: Mapping[str, Proof], vantage: str, by: str) -> Proof:
    """The part of `on_flows` that the rule `by` ("rule" or "policy/rule") of this vantage has."""
    return sum((one for name, one in acts.items() if is_rule(name, vantage, by)), NOTHING)


def fired_on(acts: Mapping[str, Proof]) -> tuple[str, ...]:
    """The rules that did something to these flows."""
    return tuple(name for name, one in acts.items() if one.fired)


def is_rule(name: str, vantage: str, by: str) -> bool:
    """Whether `by` ("rule" or "policy/rule") of a vantage means the rule "operator/policy/rule"."""
    operator, censor, rule = (*name.split("/", 2), "", "")[:3]
    policy, _, wanted = by.rpartition("/")
    return operator == vantage and policy in ("", censor) and rule == wanted


def _turned(flow: str) -> str:
    """The same flow named from its other end: "tcp b > a" of "tcp a > b"."""
    protocol, _, ends = flow.partition(" ")
    near, _, far = ends.partition(" > ")
    return f"{protocol} {far} > {near}"


def proof(receipts: CensorReceipts, vantage: str, by: str) -> Proof:
    """What the rule `by` ("rule" or "policy/rule") did at the censors of `vantage`, added up."""
    policy, _, rule = by.rpartition("/")
    claimed = kernel = 0
    for censor, receipt in receipts.items():
        operator, _, name = censor.partition("/")
        if operator == vantage and policy in ("", name):
            counts = receipt.get("rules", {}).get(rule, {})
            claimed += sum(counts.get("claimed", {}).values())
            kernel += sum(n for what, n in counts.get("kernel", {}).items() if what != _NO_ACT)
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
                what = "; ".join(receipt.get("faults_in_words", ())) if key == "faults" else ""
                found.append(f"{censor}: {key} = {count}: {what or meaning}")
        for rule, counts in receipt.get("rules", {}).items():
            found += _disagreements(f"{censor}, rule {rule}", counts)
    return found


def notes(receipts: CensorReceipts) -> list[str]:
    """What else a reader should know of the receipts; it harms nothing."""
    found = []
    for censor, receipt in receipts.items():
        if waiting := receipt.get("undecided", 0):
            packets = "one packet" if waiting == 1 else f"{waiting} packets"
            found.append(f"{censor}: {packets} still waited for its verdict when it was stopped")
        if beyond := receipt.get("unjoined", 0):
            found.append(f"{censor}: {beyond} decisions are counted in the rules' sums only, not by flow")
    return found


def _disagreements(where: str, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    kernel = counts.get("kernel", {})
    return [
        f"{where}: the censor claims {what} {number} times, the kernel saw {kernel.get(what, 0)}"
        for what, number in counts.get("claimed", {}).items()
        if kernel.get(what, 0) != number
    ]
