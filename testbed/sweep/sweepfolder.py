"""A sweep in its folder: what is made is kept at once, and whatever ends the process, it goes on from there.

A run is a line of its part's journal when it is made; a part whose runs are all there becomes a file of each
table, and its journal is removed. Files are written under another name and renamed.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from testbed.errors import InputError
from testbed.parquet.planfile import PLAN, begin_or_go_on, read_plan
from testbed.parquet.store import (
    extra,
    metadata_of,
    opened,
    put_bytes,
    put_table,
    read_rows,
    rows_in,
    schema_of,
    values_in,
    views_of,
)
from testbed.sweep.sweepspec import PART, SweepPart, SweepPlan, as_file
from testbed.sweep.sweeptables import RUN_TYPES, TABLES, TRIAL_TYPES, SweptRun, run_row, trial_rows

FILE: Final = "sweep.yaml"
JOURNAL: Final = "journal"
OPTIONS: Final = MappingProxyType({"core": "--core", "flows": "--export"})  # of what the file does not say
_IT_GOES_ON: Final = "remove it: the same sweep makes its runs again"


@dataclass(slots=True)
class SweepFolder:
    """A sweep, begun or whole."""

    folder: Path
    plan: SweepPlan
    made: int = 0  # runs that are kept
    failed: int = 0  # those of them that the laboratory spoiled
    first_failed: tuple[int, str] | None = None  # and why, in a line
    _open: dict[int, dict[int, SweptRun]] = field(default_factory=dict)  # part -> run -> what came of it

    @classmethod
    def open(cls, folder: Path, plan: SweepPlan) -> "SweepFolder":
        """Begin in a new or empty folder, or go on with what is in it.

        Errors: UnsupportedError without pyarrow; InputError for a folder of another sweep or version, and for
        a file in it that was cut short.
        """
        extra("pyarrow", "data")
        begin_or_go_on(folder, plan.to_json(), "--out", OPTIONS)
        if not (folder / FILE).exists():
            text = yaml.safe_dump(as_file(plan.spec), sort_keys=False, allow_unicode=True)
            put_bytes(folder / FILE, text.encode())
        same_version(folder)
        trials = {one.stem for one in folder.glob(TABLES["trials"])}
        whole = {one.stem: rows_in(one) for one in folder.glob(TABLES["runs"]) if one.stem in trials}
        begun = [one for one in (folder / JOURNAL).glob("*.jsonl") if one.stem not in whole]
        return cls(folder, plan, sum(whole.values()) + sum(one.read_bytes().count(b"\n") for one in begun))

    def missing(self) -> Iterator[int]:
        """The numbers of the runs that are not kept, in order.

        InputError that names a file which was cut short, or is of another version.
        """
        for part in self.plan.parts():
            if self._whole(part):
                continue
            known = self._journal(part)
            if known:
                self._open[part.number] = known
            if len(known) == len(part.runs):
                self._close(part)
                continue
            yield from (number for number in part.runs if number not in known)

    def keep(self, part: SweepPart, made: SweptRun) -> None:
        """Keep what came of a run. OSError that names the file, as of a full disk."""
        file = self._journal_of(part)
        line = (json.dumps(made.to_json(), ensure_ascii=False) + "\n").encode()
        try:
            if part.number not in self._open:
                file.parent.mkdir(exist_ok=True)
            with file.open("ab", buffering=0) as out:
                if out.write(line) != len(line):
                    raise OSError(28, os.strerror(28))
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), str(file)) from error
        known = self._open.setdefault(part.number, {})
        known[made.run] = made
        self._note(made.run, made.lab_error)
        self.made += 1
        if len(known) == len(part.runs):
            self._close(part)

    def finish(self) -> None:
        """Write the views; nothing is missing."""
        put_bytes(self.folder / "view.sql", views_of(TABLES).encode())
        with suppress(OSError):
            (self.folder / JOURNAL).rmdir()

    def _note(self, number: int, why: str) -> None:
        if why:
            self.failed += 1
            one = (number, why.partition("\n")[0])
            self.first_failed = min(one, self.first_failed or one)

    def _journal_of(self, part: SweepPart) -> Path:
        return self.folder / JOURNAL / f"part-{part.number:06}.jsonl"

    def _journal(self, part: SweepPart) -> dict[int, SweptRun]:
        """What a part's journal holds; a last line that was cut is taken off."""
        file = self._journal_of(part)
        if not file.exists():
            return {}
        data = file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            put_bytes(file, whole)
        found = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                one = SweptRun.from_json(json.loads(line))
            except (ValueError, TypeError, KeyError):
                raise InputError.at(f"{file}:{number}", "it is no run", _IT_GOES_ON) from None
            if one.run in part.runs:
                found[one.run] = one
                self._note(one.run, one.lab_error)
        return found

    def _whole(self, part: SweepPart) -> bool:
        """Whether a part's files are there, and whole. That of runs is written last."""
        runs, trials = (self.folder / part.file(table) for table in ("runs", "trials"))
        if not runs.exists() or not trials.exists():
            return False
        expected = len(part.runs), sum(values_in(runs, "trials"))
        for file, rows, what in zip((runs, trials), expected, ("runs", "trials"), strict=True):
            _must_be_of_version(file, self.plan.version)
            if rows_in(file) != rows:
                raise InputError.at(str(file), f"it has {rows_in(file)} of {rows} {what}", _IT_GOES_ON)
        for number, why in zip(part.runs, values_in(runs, "lab_error"), strict=True):
            self._note(number, why)
        self._journal_of(part).unlink(missing_ok=True)
        return True

    def _close(self, part: SweepPart) -> None:
        """A part's files, from its journal."""
        known = self._open.pop(part.number)
        runs = [(self.plan.run(number), known[number]) for number in part.runs]
        noted = {"testbed": self.plan.version}
        trials = [row for run, made in runs for row in trial_rows(run, made)]
        put_table(self.folder / part.file("trials"), trials, schema_of(TRIAL_TYPES, noted))
        rows = [run_row(run, made) for run, made in runs]
        put_table(self.folder / part.file("runs"), rows, schema_of(RUN_TYPES, noted))
        self._journal_of(part).unlink(missing_ok=True)


def part_of(plan: SweepPlan, number: int) -> SweepPart:
    """The part of a run."""
    first = part = 0
    for scenario, places in zip(plan.scenarios, plan.places, strict=True):
        runs = len(places) * plan.runs_of_place
        if number < first + runs:
            within = (number - first) // PART
            begin = first + within * PART
            return SweepPart(part + within, scenario.name, range(begin, min(begin + PART, first + runs)))
        first, part = first + runs, part + -(-runs // PART)
    raise IndexError(number)


def sweep_view(folder: Path) -> Any:
    """A DuckDB connection with the views `trials` and `runs`. InputError for files of two versions."""
    same_version(folder)
    return opened(folder, TABLES)


def same_version(folder: Path) -> None:
    """InputError if files of the folder are of two versions, or cut short."""
    version = read_plan(folder).get("version") if (folder / PLAN).exists() else None
    for pattern in TABLES.values():
        for file in sorted(folder.glob(pattern)):
            _must_be_of_version(file, version)


def is_sweep(folder: Path) -> bool:
    """Whether a folder is a sweep's."""
    return (folder / PLAN).is_file() and "sweep" in read_plan(folder)


def swept(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Its plan, and the rows of `trials` and of `runs` of the parts that are whole, each with `scenario`.

    InputError for files cut short, or of two versions.
    """
    same_version(folder)
    found = [
        [{**row, "scenario": file.parent.name.removeprefix("scenario=")}
         for file in sorted(folder.glob(pattern)) for row in read_rows(file)]
        for pattern in TABLES.values()
    ]  # fmt: skip
    return read_plan(folder), found[0], found[1]


def _must_be_of_version(file: Path, version: str | None) -> None:
    other = metadata_of(file).get("testbed")
    if version is not None and other != version:
        message = f"made by testbed {other}, and the sweep by {version}"
        raise InputError.at(str(file), message, "move it away: results of two versions are not mixed")
