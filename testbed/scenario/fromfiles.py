"""Reads a scenario from its files."""

from pathlib import Path

from testbed.errors import InputError
from testbed.model import Scenario, World
from testbed.scenario import library
from testbed.scenario.document import Document, read
from testbed.scenario.invalid import with_invalid_parts
from testbed.scenario.part import parse
from testbed.scenario.problems import Problems
from testbed.scenario.resolve import resolve
from testbed.scenario.schema import ScenarioFile
from testbed.scenario.worldfile import load_world


def read_scenario(path: Path, *, tools: bool) -> Scenario:
    """The scenario in that file; see `testbed.scenario.loader.load`.

    Errors: InputError with every problem of the file and of its world.
    """
    document = read(path)
    problems = Problems()
    part = parse(ScenarioFile, document, problems, with_invalid_parts)
    world = _world(document, problems)
    if part is None or world is None:
        problems.raise_if_any()
    assert part is not None
    assert world is not None
    return resolve(part, document, *world, problems, tools=tools)


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
