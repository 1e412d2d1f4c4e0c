"""A data set that a sweep fills: the files of each run are kept at once, and joined at the end.

Its splits are by the seed of a run: no two of them share names, addresses or ports.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from testbed.dataset.columns import TABLES
from testbed.dataset.datasheet import sweep_datasheet
from testbed.dataset.flowplan import SPLITS
from testbed.dataset.flowtables import ENDINGS
from testbed.parquet.planfile import begin_or_go_on
from testbed.parquet.store import extra, joined, put_bytes, views_of

FLOWS_OF_RUN: Final = 10_000  # numbers that a run has for its flows; our choice
_RUNS: Final = "runs"  # files of single runs, until they are joined
_JOINED: Final = "joined"  # the same, when the joined files are there
_PART: Final = 100  # runs whose files are joined; our choice
_SHARES: Final = (8, 1, 1)  # of SPLITS, as in `flowplan`


@dataclass(frozen=True, slots=True)
class ExportFolder:
    """The folder of such a data set."""

    folder: Path
    plan: Mapping[str, Any]  # of the sweep

    @classmethod
    def open(cls, folder: Path, plan: Mapping[str, Any]) -> "ExportFolder":
        """Begin in a new or empty folder, or go on. InputError for the folder of another data set."""
        extra("pyarrow", "data")
        plan = json.loads(json.dumps({"export": 1, **plan}))
        begin_or_go_on(folder, plan, "--export", {"core": "--core"})
        return cls(folder, plan)

    def keep(self, run: int, seed: int, files: Mapping[str, bytes]) -> None:
        """Keep the files of a run, by their table. OSError that names the file, as of a full disk."""
        for table, data in files.items():
            put_bytes(self._part(run // _PART) / split_of(seed) / f"{run:08}.{table}", data)

    def finish(self) -> None:
        """Join what is not joined, then write the view and the datasheet."""
        shutil.rmtree(self.folder / _JOINED, ignore_errors=True)
        for part in sorted((self.folder / _RUNS).glob("*")):
            for split in sorted(part.iterdir()):
                self._join(split, int(part.name))
            (self.folder / _JOINED).mkdir(exist_ok=True)
            part.rename(self.folder / _JOINED / part.name)
        for left in (_JOINED, _RUNS):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        if any(self.folder.glob(TABLES["flows"])):
            put_bytes(self.folder / "view.sql", views_of(TABLES).encode())
            put_bytes(self.folder / "README.md", sweep_datasheet(self.folder, self.plan).encode())

    def _join(self, split: Path, number: int) -> None:
        for table, ending in ENDINGS.items():
            files = sorted(split.glob(f"*.{table}"))
            # Sections of pcapng follow one another in a file.
            data = joined(files) if ending == "parquet" else b"".join(one.read_bytes() for one in files)
            put_bytes(self.folder / f"{table}/split={split.name}/part-{number:06}.{ending}", data)

    def _part(self, number: int) -> Path:
        return self.folder / _RUNS / f"{number:06}"


def split_of(seed: int) -> str:
    """The split of every run with this seed."""
    return Random(f"{seed} split").choices(SPLITS, _SHARES)[0]
