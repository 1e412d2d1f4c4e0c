"""What a run is to do, as a value."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path
from typing import Any

from testbed.errors import InputError
from testbed.model import OUTSIDE, Scenario
from testbed.run.choose import phase_of, vantages_of
from testbed.scenario.loadcache import load_kept

_WORDS = (
    "vantages",
    "command",
    "serve",
    "volumes",
    "variables",
    "instruments",
)  # fields that are tuples of text
_PATHS = ("authority", "out")
TIMEOUT = (0.2, 60.0)  # seconds
TIME_SCALE = (0.001, 100_000.0)


@dataclass(frozen=True, slots=True)
class Job:
    """One run: which scenario, in which phase, from which vantages, and what happens there.

    Lists are accepted for tuples and text for paths. InputError for a value out of range.
    """

    scenario: str | Path | Scenario  # a name of the library, the path of a file, or a loaded scenario
    _: KW_ONLY
    phase: str | None = None  # None: the scenario's default phase
    vantages: tuple[str, ...] = ()  # (): those that the phase concerns; a command runs as the first
    command: tuple[str, ...] | None = None  # None: the built-in probe measures every target
    shell: bool = False  # an interactive shell instead of a command
    seed: int | None = None  # None: the scenario's
    time_scale: float | None = None  # the censors' timers run this many times faster; None: the scenario's
    timeout: float = 4.0  # seconds per step of the built-in probe
    ipv: int = 4  # IP version that the built-in probe uses, 4 or 6
    model: str | None = None  # the inspector model of every censor at a hop; None: the scenario's
    instruments: tuple[str, ...] = ()  # `testbed.probe.closer`, on what the probe finds blocked
    again: bool = False  # look several times at what the built-in probe finds blocked: `testbed.truth.doubt`
    circumvention: bool = False  # with the built-in probe: prove the phase's methods of circumvention, too
    capture: bool = False  # packets at every point of interest, as capture.pcapng in the run folder
    keys: bool = False  # with capture: ask the command for its TLS secrets, too (SSLKEYLOGFILE)
    serve: tuple[str, ...] = ()  # servers to add: "HOST=COMMAND" or "HOST:PORT=COMMAND"
    image: str = ""  # the command runs in a container of this image, as the subscriber; None: the image's own
    volumes: tuple[str, ...] = ()  # of the container: "/here:/there", "/here:/there:ro"
    variables: tuple[
        str, ...
    ] = ()  # of the container: "NAME=VALUE", or "NAME" for the value that it has here
    pods: str = ""  # of a held world: the image of containers whose networks are the vantages'
    authority: Path | None = None  # folder of a certificate authority that is kept over runs
    out: Path | None = None  # the run folder, new or empty; None: runs/<scenario>-<time>

    def __post_init__(self) -> None:
        for name in _WORDS:
            value = getattr(self, name)
            if isinstance(value, str):
                raise InputError.at(name, f"{value!r} is text", f"give a list: [{value!r}]")
            if value is not None:
                object.__setattr__(self, name, tuple(str(word) for word in value))
        for name in _PATHS:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(value))
        self._must_fit()
        _must_be_within("timeout", self.timeout, *TIMEOUT)
        if self.time_scale is not None:
            _must_be_within("time_scale", self.time_scale, *TIME_SCALE)
        if self.ipv not in (4, 6):
            raise InputError.at("ipv", f"{self.ipv!r} is no IP version", "give 4 or 6")

    def _must_fit(self) -> None:
        """InputError for fields that do not go together."""
        if not self.image and (self.volumes or self.variables):
            raise InputError.at("image", "volumes and variables are a container's", "name its image")
        if self.circumvention and self.runs_program:
            message = "methods of circumvention are tried by the built-in probe"
            raise InputError.at("circumvention", message, "leave the command out")
        if self.keys and not self.capture:
            raise InputError.at("keys", "TLS secrets belong to a capture", "ask for one, too")
        if self.instruments and self.runs_program:
            message = "a closer look is taken by the built-in probe"
            raise InputError.at("instruments", message, "leave the command out, or give it: testbed probe")
        if self.command == ():
            raise InputError.at(
                "command", "it is empty", "name a program, or give None for the built-in probe"
            )

    @property
    def runs_program(self) -> bool:
        """Whether a command, a shell or a container runs, and not the built-in probe."""
        return self.shell or self.command is not None or bool(self.image)

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that the world of a settled job needs."""
        return tuple(vantage for vantage in self.vantages if vantage != OUTSIDE)

    def settled(self) -> tuple["Job", Scenario]:
        """This job with every choice made, and the scenario as it will run.

        Errors: InputError for a scenario, phase or vantage that does not exist.
        """
        loaded = (
            self.scenario
            if isinstance(self.scenario, Scenario)
            else load_kept(self.scenario, tools=self.circumvention)
        )
        scenario = _adjusted(loaded, self)
        phase = phase_of(scenario, self.phase)
        vantages = vantages_of(scenario, phase, self.vantages, single=self.runs_program)
        if self.circumvention:
            from testbed.scenario.ways import with_servers  # few runs need it

            scenario = with_servers(scenario, phase, vantages)
        place = self.scenario if isinstance(self.scenario, str | Path) else loaded.path or loaded.name
        made = replace(
            self,
            scenario=str(place),
            phase=phase,
            vantages=vantages,
            seed=scenario.seed,
            time_scale=scenario.time_scale,
            model=scenario.model or None,
        )
        return made, scenario

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; a loaded scenario by its path, or by its name if it has none."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        if isinstance(self.scenario, Scenario):
            found["scenario"] = self.scenario.path or self.scenario.name
        return {name: _plain(value) for name, value in found.items()}

    def asked(self) -> dict[str, Any]:
        """What job.json of the run folder holds: not the folder, and of variables their names alone."""
        found = self.to_json()
        del found["out"]
        return {**found, "variables": [one.partition("=")[0] for one in self.variables]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Job":
        """The job that `to_json` wrote. InputError for a key that a job does not have."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise InputError.at("job", f"unknown key '{name}'", f"there are: {', '.join(known)}")
        return cls(**values)


def _adjusted(scenario: Scenario, job: Job) -> Scenario:
    """The scenario with the job's own seed, time scale and model."""
    if job.seed is not None:
        scenario = replace(scenario, seed=job.seed)
    if job.time_scale is not None:
        scenario = replace(scenario, time_scale=job.time_scale)
    if job.model is not None:
        from testbed.scenario.inspection import with_model

        scenario = with_model(scenario, job.model, "model")
    if job.serve:
        from testbed.scenario.served import with_served  # few runs need it

        scenario = with_served(scenario, job.serve)
    return scenario


def _must_be_within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # false for NaN, too
        raise InputError.at(name, f"{value!r} is out of range", f"give {low:g} to {high:g}")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
