"""What a censor looks for and what it does: match -> action, in order, the first match wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from testbed.censor.handover import Handover
from testbed.censor.inspect import Kind
from testbed.censor.match import Match

if TYPE_CHECKING:
    from testbed.censor.actions.base import AnyAction
    from testbed.censor.profile import Profile

__all__ = ["Match", "Policy", "Rule", "miss_key", "miss_keys"]

_TRIGGERS: Final = {Kind.INITIAL: "quic", Kind.UNREADABLE: "quic"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy. `name` is unique within the policy and appears in receipts and expectations."""

    name: str
    match: Match
    action: "AnyAction"


def miss_key(action: str, kind: Kind | None) -> str:
    """As `Policy.miss` names what triggers an action: "drop tls", "drop quic", "drop ip" (the header)."""
    return f"{action} {_TRIGGERS.get(kind, kind.value) if kind else 'ip'}"


def miss_keys(action: str, match: Match) -> set[str]:
    """The names under which `Policy.miss` may give the share of a rule."""
    parts = match.content_parts or match.narrowing_parts
    kinds: list[Kind | None] = [kind for key, _ in parts for kind in key.kinds]
    return {action, *(miss_key(action, kind) for kind in kinds or [None])}


@dataclass(frozen=True, slots=True)
class Policy:
    """A profile and its ordered rules.

    `miss` gives the share of triggering flows that the box lets through (IMC22q p.6): by the action's name
    ("rst-rewrite"), or for what it was triggered by ("drop quic": see `miss_key`), which goes first. Actions
    not named never miss. `bypass` is the share of pairs of hosts whose traffic
    takes a path without this box (load sharing, stable per pair); `off` are the times, in seconds of the
    censor's clock, in which it fails open; `upstream_only` boxes never see what comes from outside.
    """

    name: str
    profile: "Profile"
    rules: tuple[Rule, ...]
    miss: Mapping[str, float] = field(default_factory=dict)
    bypass: float = 0.0
    off: tuple[tuple[float, float], ...] = ()
    upstream_only: bool = False

    def missed_share(self, action: str, kind: Kind | None) -> float:
        """The share for an action that a content of this kind triggers; None: the header does."""
        if not self.miss:
            return 0.0
        return self.miss.get(miss_key(action, kind), self.miss.get(action, 0.0))

    def profiles_of(self, rule: Rule) -> tuple["Profile", ...]:
        """The profile as the rule's action sees it: the second on UDP flows, if the rule is about QUIC."""
        return (self.profile, self.profile.on_quic()) if rule.match.about_quic else (self.profile,)

    @property
    def triggered_by_data(self) -> bool:
        """Whether a flow that no rule has taken meets no rule before a packet of it carries data."""
        return all(rule.match.by_data for rule in self.rules)

    @property
    def longest_hold(self) -> float:
        """Seconds for which a rule may keep a flow after its last packet."""
        held = (rule.action.holds_for(one) for rule in self.rules for one in self.profiles_of(rule))
        return max(held, default=0.0)

    def handovers(self, rule: Rule) -> tuple[Handover, ...]:
        """Every `Drop` and `Police` that the rule may hand over, once each."""
        found = [one for profile in self.profiles_of(rule) for one in rule.action.handovers(profile)]
        return tuple(dict.fromkeys(found))
