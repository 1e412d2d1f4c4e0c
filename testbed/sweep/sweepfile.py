"""The file of a sweep: YAML, checked as scenarios are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from testbed.errors import InputError
from testbed.scenario.document import Document, read
from testbed.scenario.jsonschema import DRAFT
from testbed.scenario.loader import load
from testbed.scenario.part import Part, parse
from testbed.scenario.problems import Loc, Problems
from testbed.sweep.sweepspec import DEFAULT, EACH, SweepPlan, SweepSpec

PROBE: Final = "probe"
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Names = Annotated[list[str], Field(min_length=1)]


class ParametersPart(Part):
    """Axes of a run's own settings."""

    time_scale: list[Annotated[float, Field(ge=0.001, le=100_000)]] | None = Field(
        None, min_length=1, description="How many times faster the censors' timers run."
    )
    model: Names | None = Field(None, description="Inspector models of every censor at a hop.")
    ipv: list[Literal[4, 6]] | None = Field(None, min_length=1, description="IP versions of the probe.")
    timeout: list[Annotated[float, Field(ge=0.2, le=60)]] | None = Field(
        None, min_length=1, description="Seconds per step of the probe."
    )
    client: Names | None = Field(None, description="Client shapes; with --core only.")


class SweepFile(Part):
    """Every combination is a run."""

    scenarios: Names = Field(description="Names of the library, or files beside this one.")
    phases: Names | str = Field(DEFAULT, description="Names, 'default', or 'all'.")
    vantages: Names | str = Field(EACH, description="Names, 'each' by itself, or 'together' in one run.")
    detectors: Names | None = Field(None, description="As `evaluate --detector` takes them; default: probe.")
    strategies: Names | None = Field(None, description="As `matrix` takes them, instead of detectors.")
    seeds: Annotated[int, Field(ge=1, lt=2**63)] | Annotated[list[Seed], Field(min_length=1)] = Field(
        1, description="How many, from 0; or which."
    )
    parameters: ParametersPart = Field(default_factory=ParametersPart)  # type: ignore[arg-type]
    limit: float = Field(60.0, ge=0.5, le=3600, description="Seconds for one run of a detector's command.")
    again: bool = Field(default=False, description="The probe looks several times at what it finds blocked.")
    attempts: int = Field(3, ge=1, le=100, description="Of a run that the laboratory spoils.")


def sweep_schema() -> dict[str, Any]:
    """The JSON Schema of a sweep's file."""
    return {"$schema": DRAFT, **SweepFile.model_json_schema()}


def load_sweep(path: Path, *, core: bool, flows: bool = False) -> SweepPlan:
    """The sweep in a file; `flows`: with flows for a data set. InputError with all that is wrong with it."""
    document, problems = read(path), Problems()
    part = parse(SweepFile, document, problems)
    problems.raise_if_any()
    assert part is not None
    if part.detectors and part.strategies:
        problems.add(document, ("strategies",), "there are detectors, too", "make two sweeps")
    spec = replace(_spec(part, document.folder, core=core), flows=flows)
    _check_contenders(spec, document, problems)
    scenarios = []
    for number, name in enumerate(spec.scenarios):
        try:
            scenarios.append(load(name))
        except InputError as error:
            for one in error.problems:
                problems.found.append(replace(one, place=document.place(("scenarios", number))) if not
                                      Path(name).suffix else one)  # fmt: skip
    problems.raise_if_any()
    try:
        return SweepPlan(spec, tuple(scenarios))
    except InputError as error:
        raise InputError(*(replace(p, place=document.place((p.place,))) for p in error.problems)) from None


def _spec(part: SweepFile, folder: Path, *, core: bool) -> SweepSpec:
    axes: dict[str, Any] = {
        key: tuple(value) for key, value in part.parameters.model_dump(exclude_none=True).items()
    }
    names = tuple(
        str((folder / one).resolve()) if Path(one).suffix in (".yaml", ".yml") else one
        for one in part.scenarios
    )
    return SweepSpec(
        scenarios=names,
        phases=(part.phases,) if isinstance(part.phases, str) else tuple(part.phases),
        vantages=(part.vantages,) if isinstance(part.vantages, str) else tuple(part.vantages),
        detectors=tuple(part.detectors or ()),
        strategies=tuple(part.strategies or ()),
        seeds=part.seeds if isinstance(part.seeds, int) else tuple(part.seeds),
        limit=part.limit,
        again=part.again,
        attempts=part.attempts,
        core=core,
        **axes,
    )


def _check_contenders(spec: SweepSpec, document: Document, problems: Problems) -> None:
    """Every detector, strategy and client can be had, and they go together."""
    from testbed.evaluation.spec import detector_of
    from testbed.matrix.recipecells import recipe_named
    from testbed.matrix.reference import row
    from testbed.shapes.known import shape_of

    def check(key: Loc, names: Sequence[str], known: Callable[[str], object]) -> None:
        for number, text in enumerate(names):
            try:
                known(text)
            except InputError as error:
                for one in error.problems:
                    problems.add(document, (*key, number), one.message, one.remedy)

    def detector(text: str) -> None:
        detector_of(text, None)
        if spec.flows and text != PROBE:
            message = f"{text!r} says nothing of its flows, and --export needs them"
            raise InputError.at("", message, "leave --export out, or take 'probe'")
        if spec.core and text != PROBE:
            message = f"{text!r} needs a world, and with --core there is none"
            raise InputError.at("", message, "leave --core out, or take 'probe'")

    check(("detectors",), spec.detectors, detector)
    if spec.flows and spec.strategies:
        problems.add(document, ("strategies",), "--export is for flows of the probe", "leave one of them out")
    check(("strategies",), spec.strategies, lambda text: (not spec.core and recipe_named(text)) or row(text))
    check(("parameters", "client"), spec.client, shape_of)
    if spec.client != (PROBE,) and not (spec.core and spec.kind == "detector"):
        message = "the probe has a shape of its own in a world"
        problems.add(document, ("parameters", "client"), message, "give --core, or name detectors")
