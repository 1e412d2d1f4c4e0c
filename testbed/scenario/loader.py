"""Loads a scenario by name or path."""

from pathlib import Path

from testbed.censor.policy import Policy
from testbed.errors import InputError
from testbed.model import Scenario, World
from testbed.scenario import library
from testbed.scenario.document import Document, read
from testbed.scenario.inspection import with_model
from testbed.scenario.invalid import with_invalid_parts
from testbed.scenario.part import parse
from testbed.scenario.problems import Problems
from testbed.scenario.resolve import resolve
from testbed.scenario.schema import ScenarioFile
from testbed.scenario.worldfile import load_world


def load(name_or_path: str | Path, *, tools: bool = True) -> Scenario:
    """The scenario of that name in the library, or in that file.

    InputError carries every problem of the file and of its world. A scenario with a technique in Python
    runs that file. Without `tools` those of its circumvention are not looked up, which takes a while: there
    are none then.
    """
    path = name_or_path if isinstance(name_or_path, Path) else library.find(name_or_path)
    document = read(path)
    problems = Problems()
    part = parse(ScenarioFile, document, problems, with_invalid_parts)
    world = _world(document, problems)
    if part is None or world is None:
        problems.raise_if_any()
    assert part is not None
    assert world is not None
    return resolve(part, document, *world, problems, tools=tools)


def policy_again(path: Path, phase: str, placement: str, model: str = "") -> Policy:
    """The policy of one placement as the files have it now. InputError if they are wrong, or it is gone.

    `model`: the inspector model that the user gave instead of the files'.
    """
    scenario = load(path, tools=False)
    if model:
        scenario = with_model(scenario, model)
    found = scenario.phases.get(phase)
    for place in found.placements if found else ():
        if place.name == placement:
            return place.policy
    raise InputError.at(str(path), f"the censor {placement!r} is no longer in phase {phase!r}", "put it back")


def _world(document: Document, problems: Problems) -> tuple[World, Document] | None:
    """The world that the file names, also when the rest of the file is wrong."""
    name = document.data.get("world", "runet")
    if not isinstance(name, str):
        return None
    try:
        return load_world(library.find_world(name, document.folder, document.place(("world",))))
    except InputError as error:
        problems.found.extend(error.problems)
        return None
