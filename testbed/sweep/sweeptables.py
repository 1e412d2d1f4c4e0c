"""The tables of a sweep: columns and types.

`trials` holds what follows from the spec; when and where a run was made is in `runs`, apart from it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from testbed.sweep.sweepspec import SweepRun

KEYS: Final = {
    "run": "int64", "phase": "string", "vantages": "string", "kind": "string", "contender": "string",
    "seed": "int64", "time_scale": "float64", "model": "string", "ipv": "int32", "timeout": "float64",
    "client": "string",
}  # fmt: skip
"""What a run is, in both tables; `scenario` is the partition. time_scale 0, model "": the scenario's own."""

TRIAL_TYPES: Final = {
    **KEYS,
    "vantage": "string",
    "target": "string",
    "role": "string",  # expectation, control; box for a strategy
    "expected": "string",  # the label that is true
    "said": "string",  # blocked, free, inconclusive; what a strategy's try came to
    "seen": "string",  # the labels that the detector names
    "standing": "string",  # of `testbed.detectors.trials`; for a strategy as `said`
    "acted": "string",  # the rules that acted on its packets
    "trial": "string",  # the whole trial as JSON, from which `testbed score` reads it; "" for a strategy
}
RUN_TYPES: Final = {
    **KEYS,
    "lab_error": "string",  # why the laboratory failed in the last attempt; "" if it did not
    "attempts": "int32",
    "seconds": "float64",  # that the last attempt took
    "started": "float64",  # seconds since the epoch
    "worker": "string",
    "trials": "int32",
}
TABLES: Final = {"trials": "trials/scenario=*/*.parquet", "runs": "runs/scenario=*/*.parquet"}
"""Table -> its files."""


@dataclass(frozen=True, slots=True)
class SweptRun:
    """What came of one run."""

    run: int  # its number
    trials: tuple[Mapping[str, Any], ...] = ()  # the columns of TRIAL_TYPES that are not KEYS
    lab_error: str = ""
    attempts: int = 1
    seconds: float = 0.0
    started: float = 0.0
    worker: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, none of which is copied."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SweptRun":
        """What `to_json` wrote. TypeError or KeyError for anything else."""
        return cls(**{**values, "trials": tuple(values["trials"])})


def keys_of(one: SweepRun) -> dict[str, Any]:
    """The columns that say what a run is."""
    given = one.parameters
    return {
        "run": one.number, "phase": one.phase, "vantages": ",".join(one.vantages), "kind": one.kind,
        "contender": one.contender, "seed": one.seed, "time_scale": given.time_scale or 0.0,
        "model": given.model or "", "ipv": given.ipv, "timeout": given.timeout, "client": given.client,
    }  # fmt: skip


def trial_rows(one: SweepRun, made: SweptRun) -> list[dict[str, Any]]:
    """Its rows of `trials`."""
    return [{**keys_of(one), **row} for row in made.trials]


def run_row(one: SweepRun, made: SweptRun) -> dict[str, Any]:
    """Its row of `runs`."""
    return {
        **keys_of(one), "lab_error": made.lab_error, "attempts": made.attempts, "seconds": made.seconds,
        "started": made.started, "worker": made.worker, "trials": len(made.trials),
    }  # fmt: skip


def size_of(made: Sequence[SweptRun]) -> int:
    """Bytes of these as lines of JSON."""
    return sum(len(json.dumps(one.to_json(), ensure_ascii=False)) + 1 for one in made)
