"""One run of a sweep, anywhere: what came of it as a value, whatever happens."""

import json
import shutil
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.dataset.flowtables import ENDINGS, FlowTables
from testbed.errors import Exit, InputError, TestbedError, UnsupportedError
from testbed.sweep.liverun import DiskFullError, live_rows
from testbed.sweep.purerun import pure_rows
from testbed.sweep.runflows import pure_tables, rows_and_tables
from testbed.sweep.sweepspec import RunSettings, SweepRun
from testbed.sweep.sweeptables import SweptRun


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """A run, or why this process cannot make any like it."""

    swept: SweptRun
    status: int = Exit.OK  # INPUT or UNSUPPORTED: the sweep cannot go on; see `message`
    message: str = ""
    full: bool = False  # the disk here is: another machine may have room
    flows: Mapping[str, str] = field(default_factory=dict)  # table -> its file in base64, for a data set


def answered(run: SweepRun, settings: RunSettings, attempt: int, worker: str) -> RunAnswer:
    """Make a run. It never raises; what the laboratory could not do is in `lab_error`."""
    started, began = time.time(), time.monotonic()
    rows: list[dict[str, Any]] = []
    why, status, full = "", int(Exit.OK), False
    flows: FlowTables | None = None
    folder = ""
    try:
        if settings.core:
            rows = list(pure_rows(run))
            flows = pure_tables(run) if settings.flows else None
        else:
            folder = tempfile.mkdtemp(prefix="s-")
            if settings.flows:
                rows, flows = rows_and_tables(run, settings, Path(folder))
            else:
                rows = list(live_rows(run, settings, Path(folder)))
    except (InputError, UnsupportedError) as error:
        why, status = str(error), int(error.exit_status)
    except (TestbedError, OSError, MemoryError) as error:
        why = str(error) or type(error).__name__
        full = isinstance(error, DiskFullError) or getattr(error, "errno", None) in (28, 122)
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
    spoiled = [one for one in rows if one["standing"] == "lab-error"]
    if spoiled and not why:
        why = _error_of(spoiled[0])
    took = time.monotonic() - began
    swept = SweptRun(run.number, tuple(rows), why, attempt, round(took, 3), round(started, 3), worker)
    sent = {table: b64encode(flows[table]).decode() for table in ENDINGS} if flows and not why else {}
    return RunAnswer(swept, status, why if status else "", full, sent)


def _error_of(row: dict[str, Any]) -> str:
    return str(json.loads(row["trial"])["lab_error"])
