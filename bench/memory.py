"""The resident memory of an idle censor's process in an ordinary run."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.result import Budget, Quantity, Result
from bench.start import SCENARIO, TESTBED
from testbed.errors import InvalidRunError

_OPERATOR, _HOP = "mts", "mts.hop2"

# Runs as the subscriber: the processes of the world are in the same PID namespace. Prints, in kB, the sums
# of smaps_rollup of the process that lives in the hop's network namespace, and of itself.
_PROGRAM = """
import json, os, sys, time
from pathlib import Path

def rollup(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}

time.sleep(1)
hop = os.stat(f"/run/netns/{sys.argv[1]}").st_ino
found = []
for entry in Path("/proc").iterdir():
    try:
        if entry.name.isdigit() and os.stat(entry / "ns/net").st_ino == hop:
            found.append(rollup(entry.name))
    except OSError:
        continue
print(json.dumps({"censors": found, "python": rollup("self")}))
"""


def measure(*, quick: bool) -> list[Result]:  # noqa: ARG001 (every benchmark has it)
    """One line: resident set size of the one censor of one operator."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*TESTBED, "run", SCENARIO, "--vantage", _OPERATOR, "--quiet"]
        command += ["--out", str(Path(folder, "run")), "--", sys.executable, "-c", _PROGRAM, _HOP]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise InvalidRunError(f"memory: exit status {done.returncode}: {done.stderr.strip()}")
        measured: dict[str, Any] = json.loads(done.stdout)
    if len(measured["censors"]) != 1:
        raise InvalidRunError(f"memory: {len(measured['censors'])} processes in {_HOP}, not one")
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
        )
    ]
