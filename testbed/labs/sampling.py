"""The observatory of a lab: the student's hidden story sampled at instants that the student chooses.

What comes of it has no trace of the truth: neither the phases nor the rules that acted.
"""

import csv
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

from testbed.errors import InputError
from testbed.labs.labfile import Assignment
from testbed.monitor.against import moment_of
from testbed.monitor.journal import Settings
from testbed.monitor.observatory import Observatory, Watched
from testbed.monitor.sample import Sample

_COLUMNS = ("time", "hours", "vantage", "target", "state", "label", "rate", "outside_rate")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a student asks the observatory for."""

    every: float  # seconds of the scenario's clock
    begin: datetime | None = None
    until: datetime | None = None
    vantages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SamplingResult:
    """The samples, without what the world knows of them."""

    watched: Watched
    samples: tuple[Sample, ...]
    hours: tuple[float, ...]  # of each instant, from the story's beginning
    begin: datetime  # of the story

    def table(self) -> str:
        """As CSV."""
        out = StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for one in self.samples:
            hours = f"{self.hour(one.time):.2f}"
            rates = ("" if rate is None else f"{rate:.0f}" for rate in (one.rate, one.outside_rate))
            writer.writerow([one.time, hours, one.vantage, one.target, one.state, one.label, *rates])
        return out.getvalue()

    def hour(self, time: str) -> float:
        """A sample's time, in hours from the story's beginning."""
        return (moment_of(time) - self.begin) / timedelta(hours=1)

    def line(self, time: str) -> str:
        """One instant for a terminal: "2022-03-01T12:00:00Z   12 h  mts: 6 outage; beeline: 1 slow"."""
        return (
            f"{time}  {self.hour(time):>6.2f} h  {_said([one for one in self.samples if one.time == time])}"
        )


def sample(
    assignment: Assignment, asked: Sampling, left: int, say: Callable[[str], object]
) -> SamplingResult:
    """Sample. `left`: the instants that may still be sampled; `say` is called as each is done.

    Errors: InputError for what cannot be sampled; UnsupportedError if this machine lacks a feature.
    """
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        path = assignment.write_scenario(Path(folder))
        settings = Settings(scenarios=(str(path),), every=asked.every, vantages=asked.vantages)
        whole = Observatory.begin(settings, Path(folder) / "whole").story.start
        made = Observatory.begin(settings, Path(folder) / "out", asked.begin, asked.until)
        if len(made.times) > left:
            raise InputError.at(
                "--every",
                f"that is {len(made.times)} instants, and {left} are left",
                "sample a shorter time, or less often",
            )
        watched = made.run(lambda line: say(line.partition(" ")[0]))
        scenario = replace(watched.story.scenario, title=assignment.lab.part.title)
        watched = replace(watched, story=replace(watched.story, scenario=scenario))
    samples = tuple(replace(one, phase="", acted=()) for one in watched.samples)
    result = SamplingResult(replace(watched, samples=samples), samples, (), whole)
    return replace(result, hours=tuple(dict.fromkeys(result.hour(one.time) for one in samples)))


def _said(samples: Sequence[Sample]) -> str:
    found = []
    for vantage in dict.fromkeys(one.vantage for one in samples):
        odd = [one for one in samples if one.vantage == vantage and one.state != "ok"]
        states = dict.fromkeys(one.state for one in odd)
        if odd:
            counts = ", ".join(f"{sum(one.state == state for one in odd)} {state}" for state in states)
            found.append(f"{vantage}: {counts}")
    return "; ".join(found) or "all reachable"
