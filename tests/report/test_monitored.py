"""The files that a monitor writes, with matplotlib and without."""

import csv
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context, rcParams

from testbed.monitor.against import ExpectedStates, compare
from testbed.monitor.incidents import incidents
from testbed.monitor.journal import Settings
from testbed.monitor.observatory import Watched
from testbed.monitor.sample import Sample, State
from testbed.report.historyplot import COLOURS, figure_of
from testbed.report.historyplot import picture as drawn
from testbed.report.monitored import write_files
from testbed.scenario.loader import load
from testbed.scenario.story import story

STATES: list[State] = ["ok", "slow", "blocked", "outage", "portal", "down", "refused", "hung", "ok"]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A target of mts in every state, two hours apart, and another that always worked."""
    free = story([load("free-network")])
    samples = [
        Sample(time=f"2022-01-01T{2 * number:02}:00:00Z", phase="free", vantage="mts", target=target,
               state=state if target.endswith("1/") else "ok", label="ok")
        for number, state in enumerate(STATES)
        for target in ("https://site1/", "https://site2/")
    ]  # fmt: skip
    found, every = incidents(samples), timedelta(hours=2)
    comparison = compare(samples, found, ExpectedStates(free), every)
    settings = Settings(scenarios=("free-network",), every=every.total_seconds())
    return Watched(free, settings, tmp_path, tuple(samples), found, comparison, len(STATES), len(STATES))


def test_tables_page_and_picture_say_the_same(watched: Watched) -> None:
    assert write_files(watched) == []
    with (watched.folder / "samples.csv").open() as file:
        assert [row["state"] for row in csv.DictReader(file)][::2] == STATES
    lines = (watched.folder / "incidents.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["kind"] for line in lines) == sorted(STATES[1:-1])
    picture = (watched.folder / "history.svg").read_text()
    ElementTree.fromstring(picture)
    assert all(colour in picture for colour in COLOURS.values())
    assert picture in (watched.folder / "history.html").read_text()
    assert write_files(watched) == []
    assert (watched.folder / "history.svg").read_text() == picture  # the same samples, the same picture


def test_a_picture_leaves_the_callers_settings(watched: Watched) -> None:
    """A notebook's own figures look as before."""
    with rc_context({"font.size": 17, "svg.fonttype": "path"}):
        before = dict(rcParams)
        figure_of(watched, "x")
        drawn(watched, "x")
        assert {name: value for name, value in rcParams.items() if before[name] != value} == {}


def test_without_matplotlib_the_data_are_written_and_the_picture_is_named(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing: dict[str, Any] = {"matplotlib": None, "matplotlib.figure": None}
    for name, value in missing.items():
        monkeypatch.setitem(sys.modules, name, value)
    (said,) = write_files(watched)
    assert said.startswith("no picture, because matplotlib is not installed; the data are written.")
    assert sorted(path.name for path in watched.folder.iterdir()) == [
        "connectivity.csv", "history.html", "incidents.csv", "incidents.jsonl", "samples.csv", "summary.json",
    ]  # fmt: skip
    assert "There is no picture" in (watched.folder / "history.html").read_text()
