"""Measure one target from where this process runs, step by step: DNS, TCP, TLS or QUIC, HTTP.

The process must already be inside the vantage's network namespace. The measurement ends at the first step
that fails; redirects are recorded, not followed.
"""

import sys
import traceback
from pathlib import Path

from testbed.measurement.ooni import Measurement
from testbed.measurement.passage import DIRECT, Passage
from testbed.measurement.target import Target
from testbed.probe import failure, lookup
from testbed.probe.failure import MeasurementError
from testbed.probe.log import MeasurementLog, ProbePlace
from testbed.probe.logged_steps import LoggedSteps


def measure(
    target: Target,
    *,
    resolver: tuple[str, ...] | None = None,
    timeout: float = 4.0,
    ipv: int = 4,
    ca_file: str | None = None,
    place: ProbePlace = ProbePlace(),  # noqa: B008  a frozen value
    passage: Passage = DIRECT,
) -> Measurement:
    """One measurement of one target. It never raises: what goes wrong is in the measurement.

    resolver: addresses ("8.8.8.8", "[::1]:5353"), asked in order; None reads /etc/resolv.conf.
    timeout: seconds of silence that count as no answer.
    ipv: 4 asks for A and connects over IPv4, 6 for AAAA.
    ca_file: PEM bundle to trust; None is the system's.
    passage: another way than the direct one.
    place: what the probe cannot find out: the vantage, its network, who announces which address.
    """
    log = MeasurementLog(place)
    resolvers = resolver if resolver is not None else lookup.system_resolvers()
    steps = LoggedSteps(log, resolvers, timeout, ipv, ca_file, passage)
    try:
        target.kind.measure(target, steps)
    except (MeasurementError, OSError, EOFError) as error:
        log.failed(steps.step, failure.of(error))
    except (Exception, SystemExit) as error:  # a bug must be visible as one, and not stop other targets
        log.failed(steps.step, failure.of(error))
        log.probe_error = f"{failure.of(error)} at {_where(error, target)}"
    first = lookup.endpoint(resolvers[0])[0] if resolvers else ""
    return log.measurement(target.url, ipv, first)


def _where(error: BaseException, target: Target) -> str:
    """The last line of the kind's own file that led to it, or of any file: "mykind.py:12"."""
    frames = traceback.extract_tb(error.__traceback__)
    own = getattr(sys.modules.get(type(target.kind).__module__), "__file__", None)
    last = ([one for one in frames if one.filename == own] or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
