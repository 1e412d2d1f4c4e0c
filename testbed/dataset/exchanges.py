"""Exchanges drawn and made: each gives a flow, with its packets and what is true of it.

Only targets that a phase's censors interfere with are drawn, and half of the exchanges, by a coin, are made
without those censors: neither a name nor what a target serves says whether a flow is filtered.
"""

from collections.abc import Iterator, Sequence
from random import Random

from testbed.dataset.flowcut import LabelledFlow, deciding, labelled, transport_of, truth_columns
from testbed.dataset.naming import NamedPhase, asked_name, named_phase
from testbed.dryrun.ask import Asker, label_of, overloaded
from testbed.dryrun.trial import DryPlace, try_out
from testbed.model import OUTSIDE, Scenario
from testbed.scenario.labels import CAUSELESS
from testbed.shapes.known import SHAPES
from testbed.truth.expected import Truth, truth


class Exchanges:
    """Everything that may be drawn of some scenarios."""

    def __init__(
        self, scenarios: Sequence[Scenario], clients: Sequence[str], ipv: Sequence[int], *,
        phase: str = "", vantages: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        """`phase` and `vantages`: of that phase and of those vantages alone."""
        self._scenarios, self._clients, self._ipv = scenarios, tuple(clients), tuple(ipv)
        self._phases: list[tuple[Scenario, str, list[Truth]]] = []
        for scenario in scenarios:
            asker = Asker(scenario)
            for name in (phase,) if phase else scenario.phases:
                cases = [
                    one for one in truth(scenario, name, vantages)
                    if one.vantage != OUTSIDE and one.outcome not in CAUSELESS
                    and not overloaded(scenario.world, one.target)
                    and any(asker.speaks(client, one.target) for client in self._clients)
                ]  # fmt: skip
                if cases:
                    self._phases.append((scenario, name, cases))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self._phases

    def block(self, chance: Random) -> Iterator[LabelledFlow]:
        """Flows of one drawn phase under names of its own, without end."""
        scenario, phase, cases = chance.choice(self._phases)
        named = named_phase(scenario, phase, cases, chance)
        asker = Asker(scenario)
        while True:
            one = self._flow(scenario, phase, named, asker, chance)
            if one.truth["label"] != "broken":  # it fails outside, too: there is no address of that version
                yield one

    def _flow(
        self, scenario: Scenario, phase: str, named: NamedPhase, asker: Asker, chance: Random
    ) -> LabelledFlow:
        case = chance.choice(named.cases)
        client = chance.choice([one for one in self._clients if asker.speaks(one, case.target)])
        ipv, filtered, draw = chance.choice(self._ipv), chance.random() < 0.5, chance.getrandbits(31)
        given = named.placements if filtered else ()
        place = DryPlace(named.world, given, case.vantage, draw, scenario.time_scale)
        shape = SHAPES[client]
        trial = try_out(place, case.target, shape, ipv=ipv, draw=draw, packets=True)[0]
        # What the server does is the same for every client: seldom asked, for it takes as long as the flow.
        plain = SHAPES["probe"] if asker.speaks("probe", case.target) else shape
        label = label_of(place, trial, asker.outside(place, case.target, plain, ipv=ipv), 0)
        lookup = case.outcome.startswith("dns.") or label.startswith("dns.")
        seen = deciding(trial.packets, lookup=lookup)
        about = {
            "scenario": scenario.name, "phase": phase, "vantage": case.vantage, "ipv": ipv,
            "client_shape": client, "filtered": filtered, "name": asked_name(case.target),
            "transport": transport_of(case.target, seen),
            **truth_columns(place, next(iter(trial.rules), ""), trial, label),
        }  # fmt: skip
        return labelled(seen, about, chance)
