"""What a censor says it did beside what the kernel saw it do: the second place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from testbed.censor.decision import Decision, Verdict
from testbed.censor.handover import Police, counter_name
from testbed.censor.policy import Policy
from testbed.middlebox.acts import Acts, FlowActs

CLAIMED = ("drop", "replace", "inject", "police", "delay")
KERNEL_ALONE = ("policed_drop", "flow_drop")  # packets of handed-over flows, which the core never sees


@dataclass(slots=True)
class Claims:
    """How often one rule's decisions asked for each effect."""

    drop: int = 0
    replace: int = 0
    inject: int = 0
    police: int = 0
    delay: int = 0

    def add(self, decision: Decision) -> None:
        """Count one decision."""
        self.add_sent(decision)
        self.add_verdict(decision)

    def add_sent(self, decision: Decision) -> None:
        """Count what leaves at once."""
        self.inject += sum(not injection.released for injection in decision.inject)

    def add_verdict(self, decision: Decision) -> None:
        """Count what happens to the packet: for one that is held, when it is released."""
        if decision.verdict is Verdict.DROP:
            self.drop += 1
        elif decision.verdict is Verdict.REPLACE:
            self.replace += 1
        if decision.release_at is not None:
            self.delay += 1
        if isinstance(decision.handover, Police):
            self.police += 1


@dataclass(slots=True)
class Receipts:
    """Everything that is known at the end about one censor's run."""

    censor: str
    policy: Policy
    claims: list[Claims] = field(init=False)
    acts: Acts = field(init=False)
    packets: int = 0  # that the core was asked about
    faults: int = 0
    faults_in_words: Sequence[str] = ()  # the first of each kind
    queue_dropped: int = 0
    user_dropped: int = 0
    undecided: int = 0  # packets that waited in the queue when the censor stopped
    evictions: int = 0
    fragments_discarded: int = 0  # as the profile says: no fault, but never silent

    _written: dict[str, Any] = field(default_factory=dict)  # the sums up to the last receipt

    def __post_init__(self) -> None:
        self.claims = [Claims() for _ in self.policy.rules]
        self.acts = Acts(len(self.policy.rules))

    def write(
        self, run_dir: Path, kernel: Mapping[str, int], flows: Sequence[Mapping[str, FlowActs]]
    ) -> Path:
        """Write receipts/<censor>.json: what was counted since the one before, if there was one.

        `kernel` holds the counters by `<what>_<index of the rule>`, `flows` what each rule did by flow.
        """
        path = run_dir / "receipts" / f"{self.censor.replace('/', '.')}.json"
        path.parent.mkdir(exist_ok=True)
        summary = {
            "censor": self.censor,
            "faults": self.faults,
            "faults_in_words": list(self.faults_in_words),
            "queue_dropped": self.queue_dropped,
            "user_dropped": self.user_dropped,
            "packets": self.packets,
            "undecided": self.undecided,
            "evictions": self.evictions,
            "fragments_discarded": self.fragments_discarded,
            "unjoined": self.acts.unjoined,
            "rules": {
                rule.name: {
                    "claimed": {what: getattr(self.claims[index], what) for what in CLAIMED},
                    "kernel": {
                        what: kernel.get(counter_name(what, index), 0) for what in CLAIMED + KERNEL_ALONE
                    },
                    "flows": {flow: asdict(acts) for flow, acts in flows[index].items()},
                }
                for index, rule in enumerate(self.policy.rules)
            },
        }
        new, self._written = _since(summary, self._written), summary
        for counts in new["rules"].values():
            counts["flows"] = {flow: acts for flow, acts in counts["flows"].items() if any(acts.values())}
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")
        partial.rename(path)  # whoever waits for it reads it whole
        return path


def _since(now: Any, before: Any) -> Any:
    """What has been added to sums and lists."""
    match now:
        case dict():
            return {key: _since(value, before.get(key) if before else None) for key, value in now.items()}
        case list():
            return now[len(before or ()) :]
        case int():
            return now - (before or 0)
    return now
