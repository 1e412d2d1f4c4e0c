"""The memory of an idle censor's process and of its world in an ordinary run."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.result import Budget, Quantity, Result
from bench.start import SCENARIO, TESTBED
from bench.treememory import below, tree_pss
from testbed.errors import InvalidRunError

_OPERATOR, _CENSOR = "mts", "mts/tspu-mts"
_IDLE = 1.0  # seconds until a process that has just started is idle: our choice
_BARE = "print(open('/proc/self/smaps_rollup').read().replace('\\n', ';'), flush=True); input()"


def measure(*, quick: bool) -> list[Result]:  # noqa: ARG001 (every benchmark has it)
    """Resident size of the one censor of one operator, and the memory of all of the run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*TESTBED, "run", SCENARIO, "--vantage", _OPERATOR, "--quiet"]
        command += ["--out", str(Path(folder, "run")), "--", sys.executable, "-c", _BARE]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            bare = run.stdout.readline().split(";")
            time.sleep(_IDLE)
            censors = [process for process in below(run.pid) if _name(process) == _CENSOR]
            world = Quantity(tree_pss(run.pid), "MB")
            measured = {
                "censors": [
                    _kilobytes((process / "smaps_rollup").read_text().splitlines()) for process in censors
                ],
                "python": _kilobytes(bare),
            }
            _, err = run.communicate("\n", timeout=120)
        if run.returncode:
            raise InvalidRunError(f"memory: exit status {run.returncode}: {err.strip()}")
    if len(measured["censors"]) != 1:
        raise InvalidRunError(f"memory: {len(measured['censors'])} processes named {_CENSOR}, not one")
    censor = measured["censors"][0]
    resident = Quantity(censor["Rss"] / 1024, "MB")
    own = (censor["Private_Clean"] + censor["Private_Dirty"]) / 1024
    note = (
        "RSS, which counts pages that it shares with the run's other processes in full; its proportional "
        f"share (PSS) is {censor['Pss'] / 1024:.1f} MB, private {own:.1f} MB; {SCENARIO}"
    )
    return [
        Result(
            "censor's process, idle, resident",
            resident,
            Quantity(measured["python"]["Rss"] / 1024, "MB"),
            "a bare Python",
            resident,
            Budget(most=60.0),
            note,
            {"kB": measured},
        ),
        Result(
            "a world of one operator, idle, PSS", world, world, "", world, Budget(most=80.0),
            "all processes of the run, shared pages divided among them; the command is a bare Python",
        ),
    ]  # fmt: skip


def _name(process: Path) -> str:
    return (process / "comm").read_text().strip()


def _kilobytes(lines: Sequence[str]) -> dict[str, int]:
    """The fields of smaps_rollup, whose first line is a range of addresses."""
    return {line.split(":")[0]: int(line.split()[1]) for line in lines[1:] if line.strip()}
