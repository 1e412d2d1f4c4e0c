"""One box of a phase at another hop, or with another inspector model: the scenario with a phase of its own.

The changed phase is a new one beside that from which it comes, so that what was recorded of the old one stays
true: "substring~1", "substring~2", … Pure: no world here.
"""

from dataclasses import dataclass, replace

from testbed.censor.models import MODELS
from testbed.errors import InputError, nearest
from testbed.model import Placement, Scenario
from testbed.scenario.inspection import policy_with_model, unknown

_SIGN = "~"  # between the phase of the files and the number of its change


@dataclass(frozen=True, slots=True)
class Rearranged:
    """The scenario with the new phase."""

    scenario: Scenario
    phase: str
    words: str  # "mts/tspu: from hop 2 to hop 3"
    censor: str


def base_of(phase: str) -> str:
    """The phase of the files from which a changed one comes: "substring~2" -> "substring"."""
    stem, sign, number = phase.rpartition(_SIGN)
    return stem if sign and number.isdigit() else phase


def rearrange(
    scenario: Scenario, phase: str, censor: str, *, hop: int | None = None, model: str | None = None
) -> Rearranged:
    """Move the box `censor` ("mts/tspu") of `phase` to `hop`, give it `model`, or both.

    Errors: InputError for a box, hop or model that does not exist, a hop with another box, or no change.
    """
    here = {one.name: one for one in scenario.phases[phase].placements}
    if censor not in here:
        raise InputError.at("BOX", f"no box {censor!r} in phase '{phase}'", nearest(censor, list(here)))
    old = here[censor]
    if old.at != "hop":
        remedy = "only a box at a hop can be moved or changed"
        raise InputError.at("BOX", f"{censor} is the operator's resolver", remedy)
    new, words = old, []
    if hop is not None and hop != old.hop:
        _must_be_free(scenario, old, hop, list(here.values()))
        new, words = replace(new, hop=hop), [f"from hop {old.hop} to hop {hop}"]
    if model is not None:
        if model not in MODELS:
            raise InputError.at("MODEL", *unknown(model))
        policy = policy_with_model(new.policy, model)
        if policy != new.policy:
            words.append(f"from model {_models(old)} to model {model}")
            new = replace(new, policy=policy)
    if new == old:
        raise InputError.at("BOX", f"{censor} is so already", "nothing was changed")
    return _with(scenario, phase, old, new, f"{censor}: {', '.join(words)}")


def _must_be_free(scenario: Scenario, box: Placement, hop: int, others: list[Placement]) -> None:
    hops = scenario.world.operator(box.operator).hops
    if not 1 <= hop <= hops:
        raise InputError.at("HOP", f"{box.operator} has no hop {hop}", f"there are 1 to {hops}")
    for one in others:
        if one.operator == box.operator and one.at == "hop" and one.hop == hop:
            raise InputError.at("HOP", f"{one.name} is at hop {hop}", "choose a hop without a box")
    if any(one.operator == box.operator and one.hop == box.hop and one != box for one in others):
        message = f"{box.name} shares hop {box.hop} with another box"
        raise InputError.at("BOX", message, "a box that is alone at its hop can be moved")


def _with(scenario: Scenario, phase: str, old: Placement, new: Placement, words: str) -> Rearranged:
    base = base_of(phase)
    number = 1
    while (name := f"{base}{_SIGN}{number}") in scenario.phases:
        number += 1
    before = scenario.phases[phase]
    places = tuple(new if one == old else one for one in before.placements)
    title = f"{before.title or phase}; {words}"
    changed = replace(before, placements=places, title=title, start=None, end=None)
    expect = tuple(replace(one, phase=name) for one in scenario.expect if one.phase == base)
    made = replace(scenario, phases={**scenario.phases, name: changed}, expect=(*scenario.expect, *expect))
    return Rearranged(made, name, words, new.name)


def _models(placement: Placement) -> str:
    shares = placement.policy.profile.models.value
    return " and ".join(key for key, _ in shares)
