"""Recipes: from a file of recipes/, or from the keys in a scenario, to a `Recipe`."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from testbed.errors import InputError
from testbed.measurement.passage import Passage
from testbed.model import HostService, Recipe
from testbed.model.abilities import check_abilities
from testbed.model.clientway import ClientWay, ways_known
from testbed.model.ways.direct import UNCHANGED
from testbed.model.ways.proxied import Proxied
from testbed.scenario import library
from testbed.scenario.document import Document, read
from testbed.scenario.part import parse
from testbed.scenario.problems import Loc, Problems, explain
from testbed.scenario.sources import Sources
from testbed.scenario.values import given
from testbed.scenario.wayparts import PassagePart, RecipePart


def recipe_of(written: str | dict[str, Any], name: str, loc: Loc, sources: Sources) -> Recipe | None:
    """The recipe that an entry names, or has in itself under `name`; None if it is wrong, which is noted."""
    if isinstance(written, dict):
        try:
            part = RecipePart.model_validate(written)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                sources.problems.add(sources.document, (*loc, *detail["loc"]), *explain(detail, RecipePart))
            return None
        return _made(name, part, sources.document, loc, sources.problems)
    found = library.find_recipe(written, sources.document.folder)
    if isinstance(found, str):
        sources.add(loc, f"there is no recipe {written!r}", found)
        return None
    problems = Problems()
    try:
        made, digest = _from_file(found, problems)
    except InputError as error:
        problems.found.extend(error.problems)
        made, digest = None, ""
    sources.problems.found += [one for one in problems.found if one not in sources.problems.found]
    if made:
        sources.used(found, digest)
    return made


def load_recipe(path: Path) -> Recipe:
    """The recipe in a file. InputError with everything that is wrong with it."""
    problems = Problems()
    made, _ = _from_file(path, problems)
    problems.raise_if_any()
    assert made is not None
    return made


def _from_file(path: Path, problems: Problems) -> tuple[Recipe | None, str]:
    document = read(path)
    part = parse(RecipePart, document, problems)
    made = _made(path.stem, part, document, (), problems) if part else None
    return (replace(made, path=path) if made else None), document.digest


def passage_of(part: PassagePart) -> Passage:
    """The passage. ValueError for a URL that is none."""
    return Passage(part.resolver, part.proxy, part.server_name, part.hello, part.quic)


def _made(name: str, part: RecipePart, document: Document, loc: Loc, problems: Problems) -> Recipe | None:
    before = len(problems.found)
    passage = Passage()
    try:
        passage = passage_of(part)
    except ValueError as error:
        problems.add(document, loc, str(error))
    way = _way(part, passage, document, loc, problems)
    if part.client and way == UNCHANGED:
        remedy = f"add 'proxy: …', or one of {', '.join(ways_known())}"
        problems.add(document, (*loc, "client"), "nothing goes through the client's services", remedy)
    if way.needs_tool and not part.client and not passage.proxy:
        problems.add(document, (*loc, way.key), "no tool is started", "add 'client: …'")
    try:
        check_abilities(part.needs)
    except ValueError as error:
        problems.add(document, (*loc, "needs"), str(error))
    client = _services(part.client, document, (*loc, "client"), problems)
    server = _services(part.server, document, (*loc, "server"), problems)
    if len(problems.found) > before:
        return None
    return Recipe(
        name,
        part.title,
        passage,
        client,
        server,
        tuple(part.programs),
        tuple(part.devices),
        tuple(part.needs),
        way,
        changes_user=part.changes_user,
        together=part.together,
        grid={name: tuple(values) for name, values in part.grid.items()},
        settings={name: values[0] for name, values in part.grid.items()},
        strategy=part.strategy,
        modules=tuple(part.modules),
    )


def _way(part: RecipePart, passage: Passage, document: Document, loc: Loc, problems: Problems) -> ClientWay:
    """How a client comes to the tool; problems noted if that is said twice, or cannot be."""
    written = [key for key in ways_known() if getattr(part, key) is not None]
    said = [*written, *(["proxy"] if passage.proxy else [])]
    if len(said) > 1:
        problems.add(document, (*loc, said[0]), f"there are {' and '.join(said)}", "a client goes one way")
    if passage.proxy_at:
        return Proxied(passage.proxy)
    if not written:
        return UNCHANGED
    key = written[0]
    try:
        return ways_known()[key](**given(getattr(part, key)))
    except ValueError as error:
        problems.add(document, (*loc, key), str(error))
        return UNCHANGED


def _services(
    written: list[Any], document: Document, loc: Loc, problems: Problems
) -> tuple[HostService, ...]:
    if not written:
        return ()
    from testbed.scenario.serviceparts import service_of  # slow: only where there are services

    made: list[HostService] = []
    for index, entry in enumerate(written):
        place = (*loc, index)
        try:
            part = _services_adapter().validate_python(entry)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                problems.add(document, (*place, *detail["loc"]), *explain(detail, RecipePart))
            continue
        service = service_of(part, document, place, problems)
        made += [service] if service else []
    return tuple(made)


@cache
def _services_adapter() -> TypeAdapter[Any]:
    from testbed.scenario.serviceparts import ServicePart

    return TypeAdapter(ServicePart)
