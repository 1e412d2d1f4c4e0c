"""Whether this machine was calm enough, in the last minutes, to measure how fast something is."""

import os
from typing import Final

_MOST: Final = 8.0  # processes for each processor, our choice: at 5 the rates of lab 3 were within 3 %


def restless() -> str:
    """Why a rate that was measured here lately may be the machine's own, in words; "" if it was calm."""
    last, before, _ = os.getloadavg()  # over 1 and 5 minutes: a transfer takes as long
    return restless_at(max(last, before), len(os.sched_getaffinity(0)))


def restless_at(load: float, processors: int) -> str:
    """The same at a load average: processes that ran or waited to."""
    each = load / processors
    return f"{each:.0f} processes waited for each processor" if each > _MOST else ""
