"""The states that a phase's rules give, asked of the core: for cells of which the scenario writes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from testbed.dryrun.ask import Asker, askable
from testbed.measurement.ooni import Measurement
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, Scenario
from testbed.monitor.diagnose import state_of
from testbed.monitor.sample import State
from testbed.truth.record import TruthRecord
from testbed.truth.references import serves_inside_only
from testbed.truth.timeline import Timeline

_BY_ITSELF: Final[dict[str, State]] = {"http.page": "refused"}
"""What a server does of itself, where no rule acts: another page is a refusal; another address or certificate
of the site's own is nothing."""


class PolicyStates:
    """Asks each cell once; operators with the same boxes, links and country are asked together."""

    def __init__(self, scenario: Scenario, targets: Iterable[Target], ipv: int) -> None:
        self._scenario, self._ipv = scenario, ipv
        self._targets = {one.url: one for one in targets}
        self._asker = Asker(scenario)
        self._known: dict[tuple[object, ...], frozenset[State]] = {}

    def at(self, phase: str, vantage: str, url: str) -> frozenset[State] | None:
        """The states that may be seen there; None for a target that nobody can ask for without a network."""
        target = self._targets.get(url)
        if target is None or not askable(target):
            return None
        key = (phase, url, *self._alike(phase, vantage))
        if key not in self._known:
            given = (
                self._outside(phase, target) if vantage == OUTSIDE else self._inside(phase, vantage, target)
            )
            self._known[key] = frozenset(given)
        return self._known[key]

    def _alike(self, phase: str, vantage: str) -> tuple[object, ...]:
        """What makes an operator's cell another one's."""
        if vantage == OUTSIDE:
            return (OUTSIDE,)
        place = self._asker.place(phase, vantage)
        operator = place.world.operator(vantage)
        boxes = tuple(
            (id(one.policy), one.hop, one.at) for one in place.placements if one.operator == vantage
        )
        named = vantage if any(host.at for host in place.world.hosts) else ""
        return boxes, operator.access, operator.uplink, operator.country, named

    def _inside(self, phase: str, vantage: str, target: Target) -> Iterator[State]:
        record = self._asker.record(phase, vantage, target, ipv=self._ipv)
        for label in record.chances:
            yield _state(record, label)

    def _outside(self, phase: str, target: Target) -> Iterator[State]:
        """Whether the server works for those whom nobody filters, at all times."""
        made = self._asker.outside(self._asker.place(phase, OUTSIDE), target, ipv=self._ipv)
        if serves_inside_only(made, self._unfiltered(phase, target)):
            yield "refused"
            return
        for one in made:
            yield "ok" if Timeline(one).failure is None else "down"

    def _unfiltered(self, phase: str, target: Target) -> list[Measurement]:
        """From an operator of each country, without its boxes."""
        countries = {one.country: one.key for one in self._scenario.world.operators}
        places = (replace(self._asker.place(phase, key), placements=()) for key in countries.values())
        return [self._asker.answers(place, target, ipv=self._ipv)[0].trial.measurement for place in places]


def _state(record: TruthRecord, label: str) -> State:
    if record.mechanism == "portal" and label == record.outcome:
        return "portal"
    if record.blocked and not record.rules and label == record.outcome:
        return _BY_ITSELF.get(label, "ok")
    return state_of(label)
