"""Exchanges drawn and made: each gives a flow, with its packets and what is true of it.

Only targets that a phase's censors interfere with are drawn, and half of the exchanges, by a coin, are made
without those censors: neither a name nor what a target serves says whether a flow is filtered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from testbed.dataset.flowcut import CutFlow, LabelledFlow, deciding, labelled, transport_of, truth_columns
from testbed.dataset.naming import NamedPhase, asked_name, named_phase
from testbed.dryrun.ask import Asker, label_of, overloaded
from testbed.dryrun.trial import DryPlace, try_out
from testbed.measurement.kinds.dns import DnsKind
from testbed.model import OUTSIDE, Scenario
from testbed.scenario.labels import CAUSELESS
from testbed.shapes.known import SHAPES
from testbed.truth.expected import Truth, truth

MadeFlows = dict[tuple[object, ...], tuple[CutFlow, Mapping[str, object]]]
_LOOKUPS: Final = frozenset({"dns/udp", "dns/tcp"})  # their questions have numbers, drawn


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
        making = _Making(scenario, phase, named, Asker(scenario), self._clients, self._ipv, MadeFlows())
        while True:
            one = making.flow(chance)
            if one.truth["label"] != "broken":  # it fails outside, too: there is no address of that version
                yield one


@dataclass(frozen=True, slots=True)
class _Making:
    """Exchanges under the same names. One that differs from another in nothing is made once."""

    scenario: Scenario
    phase: str
    named: NamedPhase
    asker: Asker
    clients: tuple[str, ...]
    ipv: tuple[int, ...]
    made: MadeFlows

    def flow(self, chance: Random) -> LabelledFlow:
        """Draw an exchange, and its ends."""
        case = chance.choice(self.named.cases)
        client = chance.choice([one for one in self.clients if self.asker.speaks(one, case.target)])
        ipv, filtered, draw = chance.choice(self.ipv), chance.random() < 0.5, chance.getrandbits(31)
        key = id(case), client, ipv, filtered
        if (known := self.made.get(key)) is None:
            cut, about, drawn = self._exchange(case, client, ipv, draw, filtered=filtered)
            known = cut, about
            if not drawn:
                self.made[key] = known
        return labelled(*known, chance)

    def _exchange(
        self, case: Truth, client: str, ipv: int, draw: int, *, filtered: bool
    ) -> tuple[CutFlow, Mapping[str, object], bool]:
        """The flow, what is true of it, and whether another draw may make another."""
        given = self.named.placements if filtered else ()
        place = DryPlace(self.named.world, given, case.vantage, draw, self.scenario.time_scale)
        shape = SHAPES[client]
        trial = try_out(place, case.target, shape, ipv=ipv, draw=draw, packets=True)[0]
        # What the server does is the same for every client: seldom asked, for it takes as long as the flow.
        plain = SHAPES["probe"] if self.asker.speaks("probe", case.target) else shape
        label = label_of(place, trial, self.asker.outside(place, case.target, plain, ipv=ipv), 0)
        lookup = case.outcome.startswith("dns.") or label.startswith("dns.")
        cut = deciding(trial.packets, lookup=lookup)
        about = {
            "scenario": self.scenario.name, "phase": self.phase, "vantage": case.vantage, "ipv": ipv,
            "client_shape": client, "filtered": filtered, "name": asked_name(case.target),
            "transport": transport_of(case.target, cut),
            **truth_columns(place, next(iter(trial.rules), ""), trial, label),
        }  # fmt: skip
        numbered = isinstance(case.target.kind, DnsKind) or about["transport"] in _LOOKUPS
        return cut, about, trial.drawn or numbered
