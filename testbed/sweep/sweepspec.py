"""What a sweep is to do, as a value, and its runs: numbered, each computed from its number alone.

A sweep of ten million runs takes no more memory than one of ten.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Final, Literal

from testbed import __version__
from testbed.errors import InputError, nearest
from testbed.model import OUTSIDE, Scenario
from testbed.run.choose import vantages_of
from testbed.scenario.tojson import digest_of

PART: Final = 100  # runs of a part, a file of each table; our choice
ALL, DEFAULT, EACH, TOGETHER = "all", "default", "each", "together"
SweepKind = Literal["detector", "strategy"]


@dataclass(frozen=True, slots=True)
class RunParameters:
    """What of a `Job` may differ between runs. None: the scenario's own."""

    time_scale: float | None = None  # the censors' timers run this many times faster
    model: str | None = None  # the inspector model of every censor at a hop
    ipv: int = 4
    timeout: float = 4.0  # seconds per step of the built-in probe
    client: str = "probe"  # with --core: the shape of its first packets


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One run of a sweep."""

    number: int
    scenario: str  # as the file names it
    digest: str  # of what that was when the sweep began
    phase: str
    vantages: tuple[str, ...]
    kind: SweepKind
    contender: str  # a detector, as `evaluate --detector` takes it, or a strategy
    seed: int
    parameters: RunParameters

    @property
    def title(self) -> str:
        """What a reader tells it by."""
        words = (Path(self.scenario).stem, self.phase, *self.vantages, self.contender, f"seed {self.seed}")
        return " ".join(words)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SweepRun":
        """What `to_json` wrote."""
        vantages, parameters = tuple(values["vantages"]), RunParameters(**values["parameters"])
        return cls(**{**values, "vantages": vantages, "parameters": parameters})


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What is the same for every run of a sweep."""

    core: bool = False
    limit: float = 60.0  # seconds for a detector's command
    again: bool = False
    flows: bool = False  # each run gives labelled flows, too


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSpec:
    """A sweep's file, read. Lists are axes: every combination is a run."""

    scenarios: tuple[str, ...]
    phases: tuple[str, ...] = (DEFAULT,)
    vantages: tuple[str, ...] = (EACH,)
    detectors: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    seeds: tuple[int, ...] | int = 1  # a number: so many, from 0
    time_scale: tuple[float | None, ...] = (None,)
    model: tuple[str | None, ...] = (None,)
    ipv: tuple[int, ...] = (4,)
    timeout: tuple[float, ...] = (4.0,)
    client: tuple[str, ...] = ("probe",)
    limit: float = 60.0  # seconds for one run of a detector's command
    again: bool = False  # the probe looks several times at what it finds blocked
    attempts: int = 3  # of a run that the laboratory spoils
    core: bool = False  # without worlds
    flows: bool = False  # for a data set: under drawn names, with a capture

    @property
    def settings(self) -> RunSettings:
        """For every run."""
        return RunSettings(self.core, self.limit, self.again, self.flows)

    @property
    def kind(self) -> SweepKind:
        """What is tried."""
        return "strategy" if self.strategies else "detector"

    @property
    def contenders(self) -> tuple[str, ...]:
        """The detectors, or the strategies."""
        return self.strategies or self.detectors or ("probe",)

    @property
    def seed_range(self) -> Sequence[int]:
        """The seeds."""
        return range(self.seeds) if isinstance(self.seeds, int) else self.seeds


@dataclass(frozen=True, slots=True)
class SweepPart:
    """Runs that follow one another, of one scenario: a file of each table."""

    number: int
    scenario: str  # its name
    runs: range

    def file(self, table: str) -> str:
        """Its file of a table, in the folder of the sweep."""
        return f"{table}/scenario={self.scenario}/part-{self.number:06}.parquet"


@dataclass(frozen=True)
class SweepPlan:
    """A sweep over loaded scenarios."""

    spec: SweepSpec
    scenarios: tuple[Scenario, ...]
    version: str = __version__
    digests: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """InputError for names that no scenario has, and for a sweep without a run."""
        object.__setattr__(self, "digests", tuple(digest_of(one) for one in self.scenarios))
        self._known(self.spec.phases, (DEFAULT, ALL), "phases", [p for s in self.scenarios for p in s.phases])
        vantages = [v for s in self.scenarios for v in s.vantages()]
        self._known(self.spec.vantages, (EACH, TOGETHER), "vantages", vantages)
        names = [one.name for one in self.scenarios]
        for name in names:
            if names.count(name) > 1:
                raise InputError.at("scenarios", f"two of them have the name {name!r}", "leave one out")
        if not len(self):
            raise InputError.at("sweep", "there is no run in it", "name phases and vantages that go together")

    def _known(self, asked: Sequence[str], words: Sequence[str], key: str, known: Sequence[str]) -> None:
        for one in asked:
            if one not in (*words, *known):
                raise InputError.at(
                    key, f"no scenario of the sweep has {one!r}", nearest(one, [*words, *known])
                )

    @cached_property
    def places(self) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], ...]:
        """For each scenario: phase and vantages of a run."""
        return tuple(tuple(_places(self.spec, one)) for one in self.scenarios)

    @cached_property
    def grid(self) -> tuple[RunParameters, ...]:
        """Every combination of parameters."""
        one = self.spec
        return tuple(
            RunParameters(*each)
            for each in product(one.time_scale, one.model, one.ipv, one.timeout, one.client)
        )

    @cached_property
    def runs_of_place(self) -> int:
        """Runs of a place."""
        return prod(map(len, (self.spec.contenders, self.spec.seed_range, self.grid)))

    def __len__(self) -> int:
        return self.runs_of_place * sum(map(len, self.places))

    def run(self, number: int) -> SweepRun:
        """The run of that number. IndexError if there is none."""
        left = number
        for written, digest, places in zip(self.spec.scenarios, self.digests, self.places, strict=True):
            if left < len(places) * self.runs_of_place:
                place, left = divmod(left, self.runs_of_place)
                contender, left = divmod(left, len(self.spec.seed_range) * len(self.grid))
                seed, parameters = divmod(left, len(self.grid))
                phase, vantages = places[place]
                return SweepRun(
                    number, written, digest, phase, vantages, self.spec.kind, self.spec.contenders[contender],
                    self.spec.seed_range[seed], self.grid[parameters],
                )  # fmt: skip
            left -= len(places) * self.runs_of_place
        raise IndexError(number)

    def parts(self) -> Iterator[SweepPart]:
        """The parts, in the order of their runs."""
        first = number = 0
        for scenario, places in zip(self.scenarios, self.places, strict=True):
            end = first + len(places) * self.runs_of_place
            for begin in range(first, end, PART):
                yield SweepPart(number, scenario.name, range(begin, min(begin + PART, end)))
                number += 1
            first = end

    def to_json(self) -> dict[str, Any]:
        """What plan.json holds."""
        spec = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self.spec).items()}
        return {"sweep": 1, "version": self.version, "runs": len(self), **spec, "digests": list(self.digests)}


def as_file(spec: SweepSpec) -> dict[str, Any]:
    """The file that makes the same sweep, as values for YAML."""
    axes = ("time_scale", "model", "ipv", "timeout", "client")
    plain = {
        key: list(v) if isinstance(v, tuple) else v
        for key, v in asdict(spec).items()
        if key not in ("core", "flows")
    }
    given = {key: plain.pop(key) for key in axes}
    given = {key: v for key, v in given.items() if v != [None] and not (key == "client" and v == ["probe"])}
    words = {
        key: plain[key][0]
        for key in ("phases", "vantages")
        if plain[key][0] in (ALL, DEFAULT, EACH, TOGETHER)
    }
    return {key: v for key, v in (plain | words).items() if v != []} | {"parameters": given}


def _places(spec: SweepSpec, scenario: Scenario) -> Iterator[tuple[str, tuple[str, ...]]]:
    for phase in scenario.phases:
        default = DEFAULT in spec.phases and phase == scenario.default_phase
        if not (default or ALL in spec.phases or phase in spec.phases):
            continue
        concerned = [one for one in vantages_of(scenario, phase, (), single=False) if one != OUTSIDE]
        if TOGETHER in spec.vantages:
            yield phase, tuple(concerned)
        for one in scenario.vantages():
            if one in spec.vantages or (EACH in spec.vantages and one in concerned):
                yield phase, (one,)
