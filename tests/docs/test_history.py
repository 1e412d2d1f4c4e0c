"""The pictures that monitors drew: of the commands that the pages name, small, and they load nothing."""

from datetime import timedelta
from xml.etree import ElementTree

import pytest

from testbed.measurement.target import Target
from testbed.monitor.instants import instants
from testbed.scenario import library
from testbed.scenario.loader import load
from testbed.scenario.moments import moment
from testbed.scenario.quantities import seconds
from testbed.scenario.story import story
from tools.history import COMMAND, ON_PAGES, PICTURE, ROOT, TARGETS, place_of

LARGEST = 100_000  # bytes of a picture on a page
TOGETHER = {"twitter-facebook-2022-02", "twitter-facebook-block-2022-03"}  # in history.svg
NO_EPISODE = {"ooni-vectors"}  # cases of OONI's, without a history


def test_the_page_shows_the_picture_and_names_its_command() -> None:
    page = (ROOT / "docs/monitor.md").read_text("utf-8")
    assert f"({PICTURE.relative_to(ROOT / 'docs')})" in page
    assert COMMAND.partition(" --target")[0] in page


def test_it_has_every_target_that_ever_failed_and_loads_nothing() -> None:
    text = PICTURE.read_text("utf-8")
    ElementTree.fromstring(text)
    assert all(f">{target}<" in text for target in TARGETS[:-2])
    assert not any(f">{target}<" in text for target in TARGETS[-2:])  # those that worked everywhere
    assert "url(http" not in text


def test_every_episode_has_a_picture() -> None:
    assert {*ON_PAGES} | TOGETHER | NO_EPISODE == {*library.names()}


@pytest.mark.parametrize("name", ON_PAGES)
def test_a_page_shows_its_picture_and_the_line_that_makes_it(name: str) -> None:
    page, picture = (ROOT / f"docs/episodes/{name}.md").read_text("utf-8"), place_of(name).read_text("utf-8")
    assert f"(pictures/{place_of(name).name})" in page
    assert f"```sh\n{ON_PAGES[name].command(name)}\n" in page
    ElementTree.fromstring(picture)
    assert len(picture) <= LARGEST
    assert "url(http" not in picture


@pytest.mark.parametrize("name", ON_PAGES)
def test_an_episode_is_watched_where_it_happens(name: str) -> None:
    """Its targets and operators are the scenario's, and most of its phases have an instant."""
    given, scenario = ON_PAGES[name], load(name)
    known: set[Target] = {*(one.target for one in scenario.expect), *scenario.controls}
    assert {*given.targets} <= {one.url for one in known}
    assert {*given.vantages} <= {*scenario.vantages()}
    begin, until = (moment(text) if text else None for text in (given.begin, given.until))
    told = story([scenario], begin, until)
    met = {told.at(time).phase for time in instants(told, timedelta(seconds=seconds(given.every)))}
    assert scenario.default_phase in met
    assert met >= {
        span.phase for span in told.spans if span.end - span.start >= timedelta(seconds=seconds(given.every))
    }
