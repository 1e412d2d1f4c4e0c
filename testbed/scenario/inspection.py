"""The inspector models of a censor: `model: R`, or shares of pairs of hosts: `model: {T: 50 %, R: 50 %}`."""

import math
from collections.abc import Mapping
from dataclasses import replace

from testbed.censor.cited import our_choice
from testbed.censor.models import MODELS
from testbed.censor.policy import Policy
from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.errors import InputError, nearest
from testbed.model import Placement, Scenario

Shares = Mapping[str, float]  # of pairs of hosts, by the model's key; they add up to 1


def with_shares(profile: Profile, shares: Shares) -> Profile:
    """The profile with other inspector models."""
    return replace(profile, models=our_choice(tuple(shares.items())))


def with_model(scenario: Scenario, key: str, place: str = "--model") -> Scenario:
    """The scenario with one inspector model for every censor at a hop.

    InputError at `place` for a model that does not exist.
    """
    if key not in MODELS:
        raise InputError.at(place, *unknown(key))

    def changed(placement: Placement) -> Placement:
        if placement.at != "hop":
            return placement
        return replace(placement, policy=policy_with_model(placement.policy, key))

    phases = {
        name: replace(phase, placements=tuple(map(changed, phase.placements)))
        for name, phase in scenario.phases.items()
    }
    return replace(scenario, phases=phases, model=key)


def policy_with_model(policy: Policy, key: str) -> Policy:
    """The policy of a censor that follows one model alone."""
    return replace(policy, profile=with_shares(policy.profile, {key: 1.0}))


def unknown(key: object) -> tuple[str, str]:
    """Message and remedy for a model that does not exist."""
    same = [known for known in MODELS if known.lower() == str(key).lower()]
    return f"unknown model {str(key)[:40]!r}", f"did you mean {same[0]!r}?" if same else nearest(key, MODELS)


def wrong_sum(shares: Shares) -> tuple[str, str] | None:
    """Message and remedy if the shares do not add up to all pairs of hosts."""
    total = math.fsum(shares.values())
    if shares and math.isclose(total, 1.0, abs_tol=1e-6):
        return None
    return f"the shares of the models add up to {total * 100:.6g} %", "make them add up to 100 %"


def other_models(profile: Profile) -> str:
    """The models in words, "R" or "T 50 %, R 50 %", unless a built-in profile has them by its name."""
    usual = PROFILES.get(profile.name)
    shares = profile.models.value
    if usual is not None and usual.models.value == shares:
        return ""
    if len(shares) == 1:
        return shares[0][0]
    return ", ".join(f"{key} {share * 100:.4g} %" for key, share in shares)
