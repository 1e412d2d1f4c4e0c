"""The boxes of the pure matrix: each of the ten models, or each profile, with one name on its list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from testbed.censor.actions.base import AnyAction
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.cited import our_choice
from testbed.censor.models import MODELS
from testbed.censor.names import NameList
from testbed.censor.parsers import Protocol
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.censor.units import BitsPerSecond
from testbed.errors import InputError, nearest
from testbed.matrix.contender import BLOCKED_NAME

_OF_MODELS: Final = "t22"  # the profile whose inspector is exchanged, as in the reference
_BOTH: Final[tuple[Protocol, ...]] = ("stun", "discord")
_WITHOUT_NAMES: Final = {"outage", "mob-wl", "leg-dns", "leg-mitm"}
"""No box, an allow-list, a resolver, a box that ends TLS itself: a name's spelling does not decide there."""
_POLICED: Final = BitsPerSecond(140_000)  # IMC21 section 5
_CALLS: Final[dict[str, tuple[Protocol, ...]]] = {"t24": ("discord",), "t25": _BOTH, "t26": _BOTH}
"""Calls that a profile's box drops: Discord's from October 2024, all from August 2025 (tspu.md 12)."""


@dataclass(frozen=True, slots=True, eq=False)
class PureBox:
    """A column. Each is equal to itself alone."""

    key: str
    policy: Policy
    name: str = BLOCKED_NAME  # what it blocks
    own_hop: int = 0  # 0: the profile's
    server: str = ""  # address of the server that has the name, for rules about addresses; "": any

    @property
    def hop(self) -> int:
        """Where it is: the router behind which packets meet it, counted from the client."""
        return self.own_hop or self.policy.profile.default_hop

    @property
    def nodes(self) -> tuple["PureBox", ...]:
        """A box for each kind of node, "t26-R"; this one alone where its nodes do not differ."""
        if not self.draws:
            return (self,)
        return tuple(
            replace(self, key=f"{self.key}-{model}", policy=_of_one_model(self.policy, model))
            for model, _ in self.policy.profile.models.value
        )

    @property
    def draws(self) -> bool:
        """Whether its nodes differ, so that one pair of hosts says nothing of the next."""
        return len(self.policy.profile.models.value) > 1


def boxes_of(against: Sequence[str], name: str = BLOCKED_NAME) -> Sequence[PureBox]:
    """Boxes that block this name: `models`, `profiles`, or some of either by key. InputError for another."""
    known = {
        **{key: model_box(key, name) for key in MODELS},
        **{key: profile_box(key, name) for key in _profiles()},
    }
    known |= {node.key: node for box in [*known.values()] for node in box.nodes}
    found: list[PureBox] = []
    for key in against:
        if key in ("models", "profiles"):
            found += [known[one] for one in (MODELS if key == "models" else _profiles())]
        elif key in known:
            found.append(known[key])
        else:
            remedy = f"{nearest(key, ['models', 'profiles', *known])} Scenarios are boxes, too"
            raise InputError.at("--against", f"there is no box {key!r}", remedy)
    return list(dict.fromkeys(found))


def model_box(key: str, name: str = BLOCKED_NAME) -> PureBox:
    """A box of 2022 that inspects by one model."""
    profile = replace(PROFILES[_OF_MODELS], models=our_choice(((key, 1.0),)))
    return PureBox(key, _policy(profile, name), name)


def profile_box(key: str, name: str = BLOCKED_NAME) -> PureBox:
    """A box as the profile describes it."""
    return PureBox(key, _policy(PROFILES[key], name), name)


def _profiles() -> list[str]:
    return [key for key in PROFILES if key not in _WITHOUT_NAMES]


def _of_one_model(policy: Policy, model: str) -> Policy:
    return replace(policy, profile=replace(policy.profile, models=our_choice(((model, 1.0),))))


def _policy(profile: Profile, name: str) -> Policy:
    names, does = NameList((name,)), _action(profile)
    rules: tuple[Rule, ...] = (
        Rule("name", Match(tls_sni=names), does),
        Rule("host", Match(http_host=names), does),
        Rule("quic", Match(quic_sni=names), SilentDrop() if profile.in_path else does),
    )
    if calls := _CALLS.get(profile.name):
        rules += (Rule("calls", Match(protocol=calls), SilentDrop()),)
    return Policy("box", profile, rules)


def _action(profile: Profile) -> AnyAction:
    """What the era did to a name: tspu.md 2.1."""
    if profile.kind != "tspu":
        return InjectRst()
    return Policer(_POLICED) if profile.name in ("t21", "t22w") else RewriteRst()
