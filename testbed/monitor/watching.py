"""The work of a monitor in its world: at each instant every target from every vantage, really measured."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from testbed.measurement.ooni import Measurement
from testbed.measurement.target import Target
from testbed.model import OUTSIDE
from testbed.monitor.detector import HUNG, ask, name_of
from testbed.monitor.diagnose import diagnosed
from testbed.monitor.journal import Journal, Settings
from testbed.monitor.sample import Sample, State
from testbed.run.laboratory import Laboratory
from testbed.run.observe import ToMeasure, observe_each
from testbed.run.result import Findings
from testbed.run.session import Session, Work
from testbed.scenario.story import Story
from testbed.truth.classify import classify
from testbed.truth.proofs import CensorReceipts, fired_on, on_flows
from testbed.truth.proofs import problems as receipt_problems
from testbed.truth.references import serves_inside_only
from testbed.vantage.environment import Environment
from testbed.world.pressure import Pressure
from testbed.world.scenarioclock import iso

Cell = tuple[str, str]  # vantage and target
_AGAIN = 2  # how often what is doubtful is measured again; our choice
_FROM_OUTSIDE = (
    8  # tries from outside each time: a server that fails at times shows it there, too; our choice
)


@dataclass(slots=True)
class _Seen:
    """One cell at one instant."""

    label: str
    acted: tuple[str, ...] = ()
    rate: float | None = None
    outside_rate: float | None = None
    tries: int = 1
    seconds: float | None = None
    measurement: Measurement | None = None


@dataclass(slots=True)
class Watcher:
    """A monitor at work."""

    story: Story
    settings: Settings
    targets: tuple[Target, ...]
    journal: Journal
    session: Session
    laboratory: Laboratory
    say: Any  # called with a line about each instant
    _states: dict[Cell, State] = field(default_factory=dict)
    _environments: dict[str, Environment] = field(default_factory=dict)
    _problems: dict[str, None] = field(default_factory=dict)
    _number: int = 0

    def through(self, instants: Sequence[datetime]) -> Findings:
        """Measure at each of these; the world stays and its phase changes with the clock."""
        for number, instant in enumerate(instants):
            following = instants[number + 1] if number + 1 < len(instants) else None
            self._instant(instant, following)
        self._note(self.laboratory.finish())
        pressure = Pressure.read(self.session.folder.path)
        notes = (str(pressure),) if pressure is not None and pressure.busy else ()
        return Findings(problems=tuple(self._problems), notes=notes, pressure=pressure, world="monitor")

    def _instant(self, instant: datetime, following: datetime | None) -> None:
        date, began = self.session.date, time.monotonic()
        assert date is not None, "a monitor has a clock"
        span = self.story.at(instant)
        self._number += 1
        if self._number > 1:
            self.laboratory.begin_phase(span.phase)
        date.set(instant)
        detector = self.settings.detector
        cells = self._ask() if detector else self._probe()
        self.laboratory.check()
        ages = (
            max(0.0, (following - instant).total_seconds() - (time.monotonic() - began)) if following else 0.0
        )
        date.set(instant, speed=0.0, skipped=ages)
        broken = self.laboratory.end_phase(self.story.at(following).phase if following else None)
        receipts = self.session.folder.receipts()
        self.session.folder.move_receipts(f"{self._number}-{span.phase}")
        broken += receipt_problems(receipts, [one.name for one in self.laboratory.placements])
        self._note([f"{iso(instant)}: {problem}" for problem in broken])
        seen = self._judged(cells, receipts)
        samples = self._samples(iso(instant), span.phase, seen)
        hung = [f"{one.target} from {one.vantage}" for one in samples if one.state == HUNG]
        self._keep_changes(samples, seen)
        seconds = round(time.monotonic() - began, 3)
        notes = {"seconds": seconds, "problems": broken, "hung": hung}
        self.journal.add(iso(instant), span.phase, samples, notes)
        self.say(_line(iso(instant), span.phase, samples, name_of(detector) if hung else ""))

    # -- the two ways to ask

    def _probe(self) -> dict[Cell, list[Measurement]]:
        """Every target by the built-in probe. What is otherwise than at the instant before is measured again,
        each time with more patience, until two in a row agree: a change is confirmed, and a moment in which
        this machine was busy, or the server, is none.
        """
        vantages = (*self._vantages, OUTSIDE)
        made = self._observe(dict.fromkeys(vantages, self.targets))
        for number in range(_AGAIN):
            states = diagnosed(
                {cell: _label(of[-1], cell, made) for cell, of in made.items()}, self._controls()
            )
            doubtful: dict[str, list[Target]] = {}
            for target in self.targets:
                for vantage in vantages:
                    cell = vantage, target.url
                    if states[cell] != self._states.get(cell, "ok") and not _settled(made[cell], cell, made):
                        doubtful.setdefault(vantage, []).append(target)
            if not doubtful:
                break
            again = {url: one for some in doubtful.values() for url, one in ((one.url, one) for one in some)}
            doubtful[OUTSIDE] = [one for one in again.values() for _ in range(_FROM_OUTSIDE)]
            for cell, second in self._observe(doubtful, number + 2).items():
                made[cell] += second
        return made

    def _observe(
        self, asked: Mapping[str, Sequence[Target]], patience: int = 1
    ) -> dict[Cell, list[Measurement]]:
        machines = self.laboratory.beside
        wanted = [ToMeasure(vantage, targets, machines(vantage)) for vantage, targets in asked.items()]
        made: dict[Cell, list[Measurement]] = {}
        timeout = patience * self.settings.timeout
        for one in observe_each(self.laboratory, wanted, "results.jsonl", timeout, ipv=self.settings.ipv):
            made.setdefault((one.vantage, one.target), []).append(one)
        return made

    def _ask(self) -> dict[Cell, _Seen]:
        """Every target by the detector, from outside too."""
        asked = [(vantage, one.url) for one in self.targets for vantage in (*self._vantages, OUTSIDE)]
        answers = ask(self.laboratory, self.settings.detector, asked, self.settings.limit, self._environments)
        return {
            (one.vantage, one.target): _Seen(one.label, rate=one.rate, seconds=one.seconds) for one in answers
        }

    # -- from measurements to samples

    def _judged(self, cells: Mapping[Cell, Any], receipts: CensorReceipts) -> dict[Cell, _Seen]:
        if self.settings.detector:
            return dict(cells)
        return {cell: _best(cell, made, cells, receipts) for cell, made in cells.items()}

    def _samples(self, instant: str, phase: str, seen: Mapping[Cell, _Seen]) -> list[Sample]:
        answered = {cell: one.label for cell, one in seen.items() if one.label != HUNG}
        states = diagnosed(answered, self._controls())
        order = {vantage: number for number, vantage in enumerate((*self.settings.vantages, OUTSIDE))}
        return [
            Sample(
                time=instant,
                phase=phase,
                ipv=self.settings.ipv,
                vantage=vantage,
                target=target,
                state=states.get((vantage, target), "hung"),
                label=one.label,
                rate=one.rate,
                outside_rate=one.outside_rate,
                acted=one.acted,
                tries=one.tries,
                seconds=one.seconds,
            )
            for (vantage, target), one in sorted(
                seen.items(), key=lambda item: (order[item[0][0]], item[0][1])
            )
        ]

    def _keep_changes(self, samples: Iterable[Sample], seen: Mapping[Cell, _Seen]) -> None:
        """The whole measurement of each cell that has changed: the evidence of an onset or an end."""
        lines = []
        for one in samples:
            cell = one.vantage, one.target
            made = seen[cell].measurement
            if one.state != self._states.get(cell, "ok") and made is not None:
                lines.append(json.dumps(made.to_json(), ensure_ascii=False) + "\n")
            self._states[cell] = one.state
        with (self.journal.path / "changes.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(lines)
        (self.session.folder.path / "results.jsonl").unlink(missing_ok=True)  # all of them would fill a disk

    @property
    def _vantages(self) -> list[str]:
        """The operators that the phase's scenario has."""
        phase = self.laboratory.phase
        return [one for one in self.settings.vantages if self.story.takes_part(one, phase)]

    def _controls(self) -> set[str]:
        return {control.url for control in self.story.scenario.controls}

    def _note(self, problems: Iterable[str]) -> None:
        self._problems |= dict.fromkeys(problems)


def watching(
    story: Story,
    settings: Settings,
    targets: tuple[Target, ...],
    journal: Journal,
    instants: Sequence[datetime],
    say: Any,
) -> Work:
    """The work of a monitor's world."""

    def work(session: Session, laboratory: Laboratory) -> Findings:
        return Watcher(story, settings, targets, journal, session, laboratory, say).through(instants)

    return work


def _label(
    one: Measurement, cell: Cell, made: Mapping[Cell, Sequence[Measurement]], *, acted: bool = True
) -> str:
    """`acted`: whether a rule acted on its flows, as far as one knows."""
    outside = made.get((OUTSIDE, cell[1]), ())
    if cell[0] == OUTSIDE:
        inside = [of[-1] for (vantage, url), of in made.items() if url == cell[1] and vantage != OUTSIDE]
        if serves_inside_only(outside, inside):
            return "refused"
        return "ok" if classify(one, None) == "ok" else "broken"
    label = classify(one, _reference(cell[1], made), limited=acted)
    if label != "ok" and not acted and any(each.failure is not None for each in outside):
        return "broken"  # a server that fails outside, too, at times
    return label


def _reference(target: str, made: Mapping[Cell, Sequence[Measurement]]) -> Measurement | None:
    """The target from outside: where it was measured several times, one that worked."""
    outside = made.get((OUTSIDE, target), ())
    return next((one for one in outside if one.failure is None), outside[-1] if outside else None)


def _settled(of: Sequence[Measurement], cell: Cell, made: Mapping[Cell, Sequence[Measurement]]) -> bool:
    """Whether the last two of a cell's measurements agree, or from outside one worked."""
    if cell[0] == OUTSIDE and any(one.failure is None for one in of):
        return True
    return len(of) > 1 and _label(of[-1], cell, made) == _label(of[-2], cell, made)


def _best(
    cell: Cell,
    made: Sequence[Measurement],
    every: Mapping[Cell, Sequence[Measurement]],
    receipts: CensorReceipts,
) -> _Seen:
    """The last of a cell's measurements; of those that no rule acted on, one that worked."""
    outside = _reference(cell[1], every)
    best: _Seen | None = None
    for one in made:
        acted = fired_on(on_flows(receipts, one.test_keys.flows or ()))
        seen = _Seen(
            _label(one, cell, every, acted=bool(acted)),
            tuple(acted),
            _rate(one),
            _rate(outside) if outside else None,
            len(made),
            round(one.runtime or 0.0, 3),
            one,
        )
        if best is None or best.acted or best.label != "ok":
            best = seen
    assert best is not None, "a cell has a measurement"
    return best


def _rate(one: Measurement) -> float | None:
    speed = one.test_keys.speed
    return speed.bits_per_second if speed else None


def _line(time: str, phase: str, samples: Sequence[Sample], hung: str) -> str:
    """One instant, for a terminal: "2022-03-04T08:00:00Z  block: 12 blocked, 3 slow of 180"."""
    counts: dict[str, int] = {}
    for one in samples:
        if one.state != "ok":
            counts[one.state] = counts.get(one.state, 0) + 1
    said = ", ".join(f"{number} {state}" for state, number in counts.items()) or "all reachable"
    late = f"; {hung} did not end in its time" if hung else ""
    return f"{time}  {phase}: {said} of {len(samples)}{late}"
