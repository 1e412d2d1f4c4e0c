"""Loads a scenario by name or path."""

from pathlib import Path

from testbed.censor.policy import Policy
from testbed.errors import InputError
from testbed.model import Scenario
from testbed.scenario import library


def load(name_or_path: str | Path, *, tools: bool = True) -> Scenario:
    """The scenario of that name in the library, or in that file.

    InputError carries every problem of the file and of its world. A scenario with a technique in Python
    runs that file. Without `tools` those of its circumvention are not looked up, which takes a while: there
    are none then.
    """
    path = name_or_path if isinstance(name_or_path, Path) else library.find(name_or_path)
    from testbed.scenario.fromfiles import read_scenario  # slow: see `loadcache`

    return read_scenario(path, tools=tools)


def policy_again(path: Path, phase: str, placement: str, model: str = "") -> Policy:
    """The policy of one placement as the files have it now. InputError if they are wrong, or it is gone.

    `model`: the inspector model that the user gave instead of the files'.
    """
    scenario = load(path, tools=False)
    if model:
        from testbed.scenario.inspection import with_model

        scenario = with_model(scenario, model)
    found = scenario.phases.get(phase)
    for place in found.placements if found else ():
        if place.name == placement:
            return place.policy
    raise InputError.at(str(path), f"the censor {placement!r} is no longer in phase {phase!r}", "put it back")
