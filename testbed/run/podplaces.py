"""Which places of a world want containers, and of which images."""

from collections.abc import Iterable, Mapping, Sequence

from testbed.internet.services.container import Container
from testbed.model import OUTSIDE, Host, HostService, Recipe, Scenario
from testbed.run.job import Job


def pod_places(scenario: Scenario, job: Job) -> tuple[Mapping[str, Sequence[str]], Sequence[str]]:
    """Place -> the images of its containers; and the images without which the run cannot be.

    A recipe's are not among those: where one is lacking, the recipe is skipped.
    """
    wanted: dict[str, list[str]] = {}
    for host in scenario.world.hosts:
        _want(wanted, host.at or host.key, images_of(host.services))
    if job.pods:
        for vantage in (*job.operators, OUTSIDE):
            _want(wanted, vantage, (job.pods,))
    needed = list(dict.fromkeys(one for images in wanted.values() for one in images))
    if job.circumvention:
        for way in scenario.circumvention:
            if way.phase == job.phase and way.vantage in job.vantages:
                for vantage in (way.vantage, OUTSIDE):
                    _want(wanted, vantage, _at_the_client(way.recipe))
                _want(wanted, way.server.key if way.server else "", images_of(way.recipe.server))
    return wanted, needed


def images_of(services: Iterable[HostService]) -> tuple[str, ...]:
    """The images of the containers among services."""
    return tuple(one.image for one in services if isinstance(one, Container))


def images_wanted(recipe: Recipe) -> tuple[str, ...]:
    """All images of a recipe."""
    return (*_at_the_client(recipe), *images_of(recipe.server))


def names_at(hosts: Iterable[Host], place: str) -> tuple[str, ...]:
    """The names of the containers at a place of the world."""
    services = (one for host in hosts if (host.at or host.key) == place for one in host.services)
    return tuple(one.name for one in services if isinstance(one, Container) and one.name)


def _at_the_client(recipe: Recipe) -> tuple[str, ...]:
    return (*images_of(recipe.client), *([recipe.way.container] if recipe.way.container else []))


def _want(wanted: dict[str, list[str]], place: str, images: Sequence[str]) -> None:
    if images:
        wanted.setdefault(place, []).extend(images)
