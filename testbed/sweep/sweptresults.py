"""A sweep's folder read again: the trials of each detector, the cells of its strategies."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from json import loads
from pathlib import Path
from typing import Any

from testbed.detectors.adapter import Adapter
from testbed.detectors.trials import Trial
from testbed.detectors.wilson import CountedShare
from testbed.evaluation.spec import detector_of
from testbed.sweep.sweepfolder import swept


@dataclass(frozen=True, slots=True)
class SweepResults:
    """What the whole parts of a sweep hold."""

    plan: Mapping[str, Any]
    detectors: Mapping[str, tuple[Adapter, tuple[Trial, ...]]]  # as --detector names them
    cells: Mapping[tuple[str, str], Mapping[str, Any]]  # strategy, box -> as `testbed matrix --json` has it
    missing: tuple[str, ...]  # what is not there, a sentence each

    @classmethod
    def read(cls, folder: Path) -> "SweepResults":
        """Read it. InputError for a file that was cut short or is of another version."""
        plan, trials, runs = swept(folder)
        missing = []
        if len(runs) < plan["runs"]:
            missing.append(f"{plan['runs'] - len(runs):,} of {plan['runs']:,} runs are not in it yet")
        spoiled = [one for one in runs if one["lab_error"]]
        if spoiled:
            missing.append(f"the laboratory failed in {len(spoiled):,} runs: {spoiled[0]['lab_error']}")
        return cls(plan, _detectors(trials), _cells(trials), tuple(missing))


def _detectors(rows: list[dict[str, Any]]) -> dict[str, tuple[Adapter, tuple[Trial, ...]]]:
    """Trials by detector. Those of one place differ by seed or parameters: they are its repeats."""
    found: dict[str, list[Trial]] = {}
    repeats = Counter[tuple[str, str]]()
    for row in rows:
        if row["kind"] == "detector":
            one = Trial.from_json(loads(row["trial"]))
            repeats[row["contender"], one.place] += 1
            made = replace(one, repeat=repeats[row["contender"], one.place])
            found.setdefault(row["contender"], []).append(made)
    return {name: (detector_of(name, None)[1], tuple(trials)) for name, trials in found.items()}


def _cells(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Cells by strategy and box, a box being a vantage in a phase."""
    tries: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["kind"] == "strategy":
            box = f"{row['scenario']}/{row['phase']} {row['vantage']}"
            tries.setdefault((row["contender"], box), []).append(row)
    found = {}
    for key, made in tries.items():
        counted = Counter(one["said"] for one in made)
        ending, hits = counted.most_common(1)[0]
        shown = next(one for one in made if one["said"] == ending)
        found[key] = {
            "tool": key[0], "box": key[1], "ending": ending, "tries": dict(counted),
            "share": CountedShare(hits, len(made)).to_json(), "rule": shown["acted"], "packet": shown["seen"],
        }  # fmt: skip
    return found
