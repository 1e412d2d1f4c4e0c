"""The memory of a process and all below it."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_TICK = 0.5  # seconds between two looks; our choice


def tree_pss(pid: int) -> float:
    """Megabytes, pages that several processes share divided among them (PSS); 0 if it has ended."""
    found = 0
    for process in (Path("/proc", str(pid)), *below(pid)):
        try:
            match = _PSS.search((process / "smaps_rollup").read_text())
        except OSError:
            continue
        found += int(match[1]) if match else 0
    return found / 1024


def most_pss(process: "subprocess.Popen[str]") -> float:
    """The largest `tree_pss` until it ends."""
    most = 0.0
    while process.poll() is None:
        most = max(most, tree_pss(process.pid))
        time.sleep(_TICK)
    return most


def below(pid: int) -> Iterator[Path]:
    """All descendants of a process, as folders of /proc; also those in a world."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for task in tasks:
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield Path("/proc", child)
            yield from below(int(child))
