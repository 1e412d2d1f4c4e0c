"""The policy of a replay: from a scenario's censor, or from a small file with rules only."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from testbed.censor.models import MODELS
from testbed.censor.policy import Policy
from testbed.censor.profiles import PROFILES
from testbed.errors import InputError, nearest
from testbed.model import Operator, Scenario, World
from testbed.scenario import library
from testbed.scenario.document import Document, read
from testbed.scenario.inspection import policy_with_model, unknown
from testbed.scenario.loader import load
from testbed.scenario.lookups import display
from testbed.scenario.part import Part, parse
from testbed.scenario.policies import CensorCompiler
from testbed.scenario.problems import Loc, Problems
from testbed.scenario.schema import CensorPart, ModelShares, RulePart
from testbed.scenario.sources import Sources
from testbed.scenario.values import ParsedShare
from testbed.scenario.worldfile import load_world

Remark = Callable[[str], object]

_WORLD = "runet"  # whose sites `site:` names in a file with rules only


class RulesFile(Part):
    """`rules:` as in a censor of a scenario, without what a replay does not need."""

    profile: str | None = None
    model: ModelShares | None = None
    miss: dict[str, ParsedShare] = Field(default_factory=dict)
    rules: Annotated[list[RulePart], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """Which policy to use, as chosen on the command line."""

    rules: str  # a file, or the name of a scenario
    profile: str | None = None
    censor: str | None = None
    operator: str | None = None
    model: str | None = None  # instead of the file's or the profile's


def load_policy(choice: PolicyChoice, remark: Remark = lambda _: None) -> Policy:
    """Load the policy; `remark` gets what was made of list lines in other forms.

    Errors: InputError with every problem of the file or of the choice.
    """
    if choice.profile is not None and choice.profile not in PROFILES:
        remedy = nearest(choice.profile, PROFILES)
        raise InputError.at("--profile", f"there is no profile {choice.profile!r}", remedy)
    if choice.model is not None and choice.model not in MODELS:
        raise InputError.at("--model", *unknown(choice.model))
    path = _path(choice.rules)
    document = read(path)
    if "rules" in document.data and "phases" not in document.data:
        found = _of_rules(document, choice, remark)
    else:
        scenario = load(path)
        for line in scenario.remarks:
            remark(line)
        found = _of_scenario(scenario, choice)
        found = found if choice.profile is None else replace(found, profile=PROFILES[choice.profile])
    return found if choice.model is None else policy_with_model(found, choice.model)


def _path(name: str) -> Path:
    path = Path(name)
    return path if path.is_file() else library.find(name)


def _of_rules(document: Document, choice: PolicyChoice, remark: Remark) -> Policy:
    if choice.censor is not None:
        message = f"{display(document.path)} contains only rules, no named censors"
        raise InputError.at("--censor", message, "leave --censor out")
    problems = Problems()
    part = parse(RulesFile, document, problems)
    problems.raise_if_any()
    assert part is not None
    profile = choice.profile or part.profile
    if profile is None:
        known = ", ".join(PROFILES)
        raise InputError.at(display(document.path), "the file has no profile", f"give --profile: {known}")
    name = document.path.stem
    world, _ = load_world(library.find_world(_WORLD, document.folder, document.place()))
    inside = _Part(document.path, document.data, document.lines, document.digest)
    sources = Sources(inside, world, problems)
    # Not validated a second time: the parts are, and their raw values are gone.
    censor = CensorCompiler(
        name,
        CensorPart.model_construct(
            profile=profile, at="hop", hop=None, model=part.model, miss=part.miss, rules=part.rules
        ),
        sources,
    )
    made = censor.policy(_operator(world, choice), ("rules",))
    problems.raise_if_any()
    assert made is not None
    for line in dict.fromkeys(sources.remarks):
        remark(line)
    return made


class _Part(Document):
    """The file as if it were a scenario's only censor: positions in that censor are positions in the file."""

    __slots__ = ()

    def place(self, loc: Loc = ()) -> str:
        return Document.place(self, loc[2:] if loc[:1] == ("censors",) else loc)


def _operator(world: World, choice: PolicyChoice) -> Operator:
    if choice.operator is None:
        return world.operators[0]
    known = {operator.key: operator for operator in world.operators}
    if choice.operator not in known:
        raise InputError.at(
            "--operator", f"there is no operator {choice.operator!r}", nearest(choice.operator, known)
        )
    return known[choice.operator]


def _of_scenario(scenario: Scenario, choice: PolicyChoice) -> Policy:
    """A censor's policy at the chosen operator, or at the first operator that has it."""
    if choice.operator is not None:
        _operator(scenario.world, choice)
    placements = [place for phase in scenario.phases.values() for place in phase.placements]
    names = list(dict.fromkeys(place.policy.name for place in placements))
    if choice.censor is None and len(names) != 1:
        what = f"has {len(names)} censors: {', '.join(names)}" if names else "has no censor"
        raise InputError.at(scenario.name, what, "choose one with --censor" if names else "name another")
    name = choice.censor or names[0]
    if name not in names:
        raise InputError.at("--censor", f"{scenario.name} has no censor {name!r}", nearest(name, names))
    for place in placements:
        if place.policy.name == name and choice.operator in (None, place.operator):
            return place.policy
    raise InputError.at(
        "--operator", f"{choice.operator} has no censor {name!r}", "name another operator, or none"
    )
