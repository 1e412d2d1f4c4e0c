"""A monitor from its request to its result: one or several scenarios, watched at intervals of their clock."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from testbed.errors import Exit, InputError, nearest
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, Scenario
from testbed.monitor.against import Comparison, ExpectedStates, compare, errors_of, moment_of
from testbed.monitor.detector import must_have_a_place
from testbed.monitor.incidents import Incident, incidents
from testbed.monitor.instants import instants, usual_interval
from testbed.monitor.journal import Journal, Settings
from testbed.monitor.levels import connectivity
from testbed.monitor.sample import Sample
from testbed.monitor.watching import watching
from testbed.run.choose import concerned, vantages_of
from testbed.run.folder import fresh
from testbed.run.job import Job
from testbed.run.result import RunResult
from testbed.run.session import Session, carry_out
from testbed.scenario.loader import load
from testbed.scenario.story import Story, story
from testbed.world.scenarioclock import iso


@dataclass(frozen=True, slots=True)
class Watched:
    """All that a monitor has found, up to now."""

    story: Story
    settings: Settings
    folder: Path
    samples: tuple[Sample, ...]
    incidents: tuple[Incident, ...]
    comparison: Comparison
    planned: int  # instants in all
    done: int
    problems: tuple[str, ...] = ()  # why it is invalid
    notes: tuple[str, ...] = ()
    interrupted: int = 0  # exit status of an interrupted one

    @property
    def every(self) -> timedelta:
        """The interval."""
        return timedelta(seconds=self.settings.every)

    @property
    def exit_status(self) -> int:
        """Of `testbed monitor`."""
        if self.interrupted:
            return self.interrupted
        if self.problems:
            return Exit.INVALID
        return Exit.OK if self.comparison.fine and self.done == self.planned else Exit.UNEXPECTED

    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        return {
            "scenarios": list(self.settings.scenarios),
            "from": iso(self.story.start),
            "until": iso(self.story.end),
            "every": self.settings.every,
            "ipv": self.settings.ipv,
            "detector": self.settings.detector or "the built-in probe",
            "instants": {"planned": self.planned, "done": self.done},
            "samples": len(self.samples),
            "exit_status": self.exit_status,
            "valid": not self.problems,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "onset_error": dict(errors_of(self.comparison.onsets)),
            "comparison": self.comparison.to_json(),
            "connectivity": [asdict(one) for one in connectivity(self.samples)],
        }


@dataclass(frozen=True, slots=True)
class Observatory:
    """A monitor about to begin or to go on: everything that can be wrong with the request is checked."""

    story: Story
    settings: Settings
    targets: tuple[Target, ...]
    journal: Journal
    times: tuple[datetime, ...]

    @classmethod
    def begin(
        cls,
        settings: Settings,
        out: Path | None,
        begin: datetime | None = None,
        until: datetime | None = None,
    ) -> "Observatory":
        """A new one; `settings.every` of 0 stands for the usual interval.

        Errors: InputError for whatever is wrong with the request.
        """
        if settings.detector:
            must_have_a_place(settings.detector)
        settings = replace(settings, begin=iso(begin) if begin else "", until=iso(until) if until else "")
        made = _story(settings)
        scenario = made.scenario
        every = timedelta(seconds=settings.every) if settings.every else usual_interval(made)
        times = instants(made, every)
        chosen = tuple(
            one for one in (settings.vantages or concerned(scenario)) if one != OUTSIDE
        ) or concerned(scenario)
        vantages_of(scenario, scenario.default_phase, chosen, single=False)  # are there such vantages?
        targets = _targets(scenario, settings.targets)
        settings = replace(
            settings,
            every=every.total_seconds(),
            vantages=chosen,
            targets=tuple(one.url for one in targets),
            files=dict(scenario.files),
            seed=scenario.seed,
        )
        folder = out or _fresh(scenario.name)
        return cls(made, settings, targets, Journal.create(folder, settings), times)

    @classmethod
    def resume(cls, path: Path) -> "Observatory":
        """One that was interrupted; it goes on after the last instant that was completed.

        Errors: InputError for a folder that is no monitor's, or scenarios that have changed since.
        """
        journal, settings = Journal.open(path)
        made = _story(settings)
        journal.must_be_of(made.scenario, settings)
        targets = _targets(made.scenario, settings.targets)
        return cls(made, settings, targets, journal, instants(made, timedelta(seconds=settings.every)))

    def run(self, say: Callable[[str], object]) -> Watched:
        """Watch what is left; `say` is called with a line about each instant.

        Errors: UnsupportedError if this machine lacks a feature.
        """
        done = set(self.journal.done())
        left = [time for time in self.times if iso(time) not in done]
        result = self._watch(left, say) if left else None
        return self._watched(result)

    def _watch(self, left: Sequence[datetime], say: Callable[[str], object]) -> RunResult:
        first = self.story.at(left[0]).phase
        job = Job(
            self.story.scenario,
            phase=first,
            vantages=self.settings.vantages,
            timeout=self.settings.timeout,
            ipv=self.settings.ipv,
            out=self.journal.world(),
        )
        settled, scenario = job.settled()
        session = Session.of(settled, scenario, switches=True, dated=True)
        given = replace(self.story, scenario=scenario)
        work = watching(given, self.settings, self.targets, self.journal, left, say)
        return carry_out(session, work)

    def _watched(self, result: RunResult | None) -> Watched:
        samples = tuple(self.journal.samples())
        found = incidents(samples)
        expected = ExpectedStates(self.story, self.targets, self.settings.ipv)
        every = timedelta(seconds=self.settings.every)
        comparison = compare(samples, found, expected, every)
        lines = self.journal.instants()
        problems = [f"{one['time']}: {problem}" for one in lines for problem in one.get("problems", ())]
        if result is not None and result.exit_status <= 128:
            problems += [problem for problem in result.problems if problem not in problems]
            if result.pressure is not None and result.pressure.busy and not comparison.fine:
                problems.append(f"{result.pressure}; repeat it alone")
        return Watched(
            self.story,
            self.settings,
            self.journal.path,
            samples,
            found,
            comparison,
            len(self.times),
            len(lines),
            tuple(dict.fromkeys(problems)),
            tuple(result.notes) if result else (),
            result.exit_status if result is not None and result.exit_status > 128 else 0,
        )


def _story(settings: Settings) -> Story:
    loaded = [load(Path(name) if "/" in name else name) for name in settings.scenarios]
    begin = moment_of(settings.begin) if settings.begin else None
    until = moment_of(settings.until) if settings.until else None
    if settings.seed is not None:
        loaded = [replace(one, seed=settings.seed) for one in loaded]
    return story(loaded, begin, until)


def _targets(scenario: Scenario, asked: Sequence[str]) -> tuple[Target, ...]:
    """Every target of the scenario, or those asked for: each can be reached from somewhere."""
    every = {one.url: one for one in (*(one.target for one in scenario.expect), *scenario.controls)}
    for url in asked:
        if url not in every:
            raise InputError.at("--target", f"the scenario has no target {url!r}", nearest(url, every))
    return tuple(every[url] for url in (asked or every))


def _fresh(name: str) -> Path:
    return fresh(Path("runs"), f"monitor-{name[:60]}")
