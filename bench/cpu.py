"""How busy the machine's CPUs are, all programs together."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def busy(shares: list[float]) -> Iterator[None]:
    """Append the busy share (0..1) of all CPUs during the block."""
    idle, total = _ticks()
    yield
    idle_after, total_after = _ticks()
    shares.append(1 - (idle_after - idle) / max(total_after - total, 1))


def _ticks() -> tuple[int, int]:
    """Idle and all ticks since the start of the machine (proc_stat(5): idle and iowait are 4th and 5th)."""
    ticks = [int(number) for number in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
