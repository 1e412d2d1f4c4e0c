"""Looking again at what seems to be blocked, before a censor is blamed (`testbed.truth.doubt`).

Rounds: in each the target once from the vantage, among the vantage's controls, and several times from
outside, all at the same time, so that what is wrong for a while is wrong in each. Two rounds are enough where
every look agrees: three failures beside eight successes are chance in 1 of 165 cases at most. What is not
clear then is looked at five times more.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Final

from testbed.measurement.ooni import Measurement, RepeatedLooks
from testbed.measurement.target import Target
from testbed.model import OUTSIDE
from testbed.run.laboratory import Laboratory
from testbed.run.observe import ToMeasure, observe_each
from testbed.truth.classify import classify
from testbed.truth.doubt import doubtful, weigh

AGAIN: Final = "again.jsonl"  # every further measurement
_FIRST, _MORE = 2, 5  # rounds; our choice
_OUTSIDE: Final = 4  # looks from outside in each round; in two, 8 with the first one there, and one to spare
_CONTROLS: Final = 3  # looks at the controls in each round; in two, 8 with a first one of two

_Place = tuple[str, str]  # vantage, URL


def look_again(
    laboratory: Laboratory,
    targets: Mapping[str, Sequence[Target]],
    measurements: Sequence[Measurement],
    timeout: float,
    ipv: int,
) -> list[Measurement]:
    """The measurements, with repeated looks at each target that seems to be blocked at a vantage.

    results.jsonl is written anew. The looks come after all measurements, and disturb none.
    """
    doubts = _Doubts(laboratory, targets, measurements, timeout, ipv)
    for number in range(_FIRST + _MORE):
        due = doubts.open if number >= _FIRST else [*doubts.looks]
        if not due:
            break
        doubts.round(number, due)
    made = list(measurements)
    for place, found in doubts.looks.items():
        one = made[doubts.numbers[place]]
        made[doubts.numbers[place]] = replace(one, test_keys=replace(one.test_keys, repeated=found))
    if doubts.looks:
        laboratory.folder.write_lines("results.jsonl", (one.to_json() for one in made))
    return made


class _Doubts:
    """What seems to be blocked, and what each look has shown of it."""

    def __init__(
        self,
        laboratory: Laboratory,
        targets: Mapping[str, Sequence[Target]],
        measurements: Sequence[Measurement],
        timeout: float,
        ipv: int,
    ) -> None:
        self._laboratory, self._timeout, self._ipv = laboratory, timeout, ipv
        self._targets = {one.url: one for some in targets.values() for one in some}
        self._controls = [one for one in laboratory.scenario.controls if one.url in self._targets]
        self._outside = {one.target: one for one in reversed(measurements) if one.vantage == OUTSIDE}
        self.numbers: dict[_Place, int] = {}  # of the first measurement
        for number, one in enumerate(measurements):
            if one.vantage != OUTSIDE:
                self.numbers.setdefault((one.vantage, one.target), number)
        labels = {place: self._label(measurements[number]) for place, number in self.numbers.items()}
        at_controls: dict[str, list[str]] = defaultdict(list)
        for (vantage, url), label in labels.items():
            if url in {one.url for one in self._controls}:
                at_controls[vantage].append(label)
        self.looks: dict[_Place, RepeatedLooks] = {
            place: RepeatedLooks((label,), ("ok",), tuple(at_controls[place[0]]))
            for place, label in labels.items()
            if doubtful(measurements[self.numbers[place]], label, at_controls[place[0]])
        }

    @property
    def open(self) -> list[_Place]:
        """What is not clear yet."""
        return [place for place, looks in self.looks.items() if weigh(looks).said != "blocked"]

    def round(self, number: int, due: Sequence[_Place]) -> None:
        """One further look at each of these places, and at what they are compared with."""
        lab, some = self._laboratory, list(self._some_controls(number))
        urls: dict[str, list[str]] = defaultdict(list)
        for vantage, url in due:
            urls[vantage].append(url)
        wanted = [
            ToMeasure(
                vantage, [*some[1:], *map(self._targets.__getitem__, those), *some[:1]], lab.beside(vantage)
            )
            for vantage, those in urls.items()
        ]
        everywhere = [self._targets[url] for url in dict.fromkeys(url for _, url in due)]
        wanted.append(ToMeasure(OUTSIDE, everywhere * _OUTSIDE, lab.beside(OUTSIDE)))
        found: dict[_Place, list[str]] = defaultdict(list)
        for one in observe_each(lab, wanted, AGAIN, self._timeout, self._ipv):
            found[one.vantage, one.target].append(self._label(one))
        controls = [one.url for one in some]
        for place in due:
            vantage, url = place
            old = self.looks[place]
            # A control that seems to be blocked is compared with the others.
            beside = [
                label for other in dict.fromkeys(controls) if other != url for label in found[vantage, other]
            ]
            self.looks[place] = RepeatedLooks(
                (*old.here, found[place][0]),
                (*old.outside, *found[OUTSIDE, url]),
                (*old.controls, *beside),
            )

    def _some_controls(self, number: int) -> Iterator[Target]:
        if self._controls:
            yield from islice(cycle(self._controls), number * _CONTROLS, (number + 1) * _CONTROLS)

    def _label(self, measurement: Measurement) -> str:
        """What it is beside the first measurement from outside; one from outside that failed is a failure."""
        return classify(measurement, self._outside.get(measurement.target))
