"""A censor under 50 new connections a second for a long time: its memory, and how that grows.

TESTBED_SOAK=3600 testbed bench --only soak     # an hour
"""

import os
import time
from functools import partial
from statistics import linear_regression
from typing import Any, Final

from bench.flows import EVERY, NAME, answer, not_acted, open_one, resetting_policy, resident
from bench.material import client_hello
from bench.result import Budget, Quantity, Result
from bench.rig import FILTERED, Rig, in_rig, serving
from testbed.errors import InvalidRunError

SECONDS: Final = float(os.environ.get("TESTBED_SOAK", "120"))
RATE: Final = 50  # connections per second
_QUICK: Final = 30.0
_SAMPLES: Final = 60
_HOUR: Final = 3600
_LATE: Final = 60.0  # seconds behind its pace at the end: the machine cannot do it; our choice


def measure(*, quick: bool) -> list[Result]:
    """The censor's resident memory at the end beside that at half time, and megabytes an hour since then."""
    seconds = _QUICK if quick else SECONDS
    found = in_rig(resetting_policy(), partial(_work, seconds=seconds))
    times, sizes = found["times"], found["sizes"]
    warm = len(times) // 2  # until flows are forgotten as fast as new ones come, a censor grows
    slope = linear_regression(times[warm:], sizes[warm:]).slope * _HOUR
    note = (
        f"{seconds:.0f} s, {found['flows']:,} connections, every {EVERY}th reset; the censor's memory grew "
        f"by {slope:.2f} MB an hour in the second half"
    )
    return [
        Result(
            f"memory after {seconds / 60:.0f} minutes of {RATE} connections a second",
            Quantity(sizes[-1], "MB"),
            Quantity(sizes[warm], "MB"),
            "at half time",
            Quantity(sizes[-1] / sizes[warm]),
            Budget(most=1.05),
            note,
            found,
        )
    ]


def _work(rig: Rig, seconds: float) -> dict[str, Any]:
    times, sizes = list[float](), list[float]()
    with serving(rig, answer):
        client = rig.start(FILTERED, partial(_connect_steadily, seconds))
        began = time.monotonic()
        for sample in range(_SAMPLES + 1):
            time.sleep(max(0.0, began + sample * seconds / _SAMPLES - time.monotonic()))
            times.append(time.monotonic() - began)
            sizes.append(resident())
        flows = client.result(_LATE)
    receipt = rig.receipt()
    if problem := not_acted(receipt, flows // EVERY):
        raise InvalidRunError(f"soak: {problem}")
    return {"times": times, "sizes": sizes, "flows": flows}


def _connect_steadily(seconds: float) -> int:
    """How many connections were made, each at its time."""
    plain, listed = client_hello(), client_hello(NAME)
    began, flows = time.monotonic(), round(seconds * RATE)
    for number in range(flows):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        asks = number % EVERY == EVERY - 1
        if open_one(listed if asks else plain) == asks:
            raise InvalidRunError(f"connection {number}: {'answered' if asks else 'reset'}")
    return flows
