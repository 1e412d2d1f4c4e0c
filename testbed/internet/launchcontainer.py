"""Running one container of a host: start, readiness, end. The engine itself is out of reach in a world."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from testbed.errors import TestbedError
from testbed.internet.bundles import SYSTEM_BUNDLES
from testbed.internet.listening import listening
from testbed.internet.services.base import Place, ReportReady
from testbed.internet.services.container import Container, ContainerOrder
from testbed.world import linux

INSIDE = "/.testbed"  # where a container sees the files of its run
BUNDLE, ROOT, RESOLVERS, HOSTS = "bundle.pem", "root.pem", "resolv.conf", "hosts"
MOUNTED = {"/etc/resolv.conf": RESOLVERS, "/etc/hosts": HOSTS, **dict.fromkeys(SYSTEM_BUNDLES, BUNDLE)}
"""A file's path in a container -> its name among those of the run."""
TRUSTING = {
    "SSL_CERT_FILE": f"{INSIDE}/{BUNDLE}",
    "REQUESTS_CA_BUNDLE": f"{INSIDE}/{BUNDLE}",
    "CURL_CA_BUNDLE": f"{INSIDE}/{BUNDLE}",
    "NODE_EXTRA_CA_CERTS": f"{INSIDE}/{ROOT}",
}
"""The variables that lead programs in a container to the run's authorities."""
_OF_THE_HOST = {"TESTBED_CHAIN": "chain.pem", "TESTBED_KEY": "key.pem", "TESTBED_CA": ROOT}
_NOT_INSIDE = {"PATH", "PYTHONPATH", "JAVA_TOOL_OPTIONS", "TESTBED_PYTHON"}  # of this machine's own programs
_POLL = 0.05  # seconds between two looks: our choice
_AWAITED = {signal.SIGTERM}


def run_container(container: Container, place: Place, ready: ReportReady) -> NoReturn:
    """Run `container` until SIGTERM, then remove it and leave with status 0.

    Calls `ready` once it shows that it serves. Leaves with status 1 and the reason on stderr if it cannot be
    started, ends by itself or is not ready in time.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    if place.start_container is None:
        _fail("no container can be started here: this world was built without an engine")
    is_ready = _sign(container, place.log)
    try:
        running = place.start_container(order_of(container, place))
    except TestbedError as error:
        _fail(str(error))
    deadline = time.monotonic() + container.ready.within
    served = False
    while not signal.sigtimedwait(_AWAITED, 0):
        if linux.Poller([running.fileno()]).wait(_POLL):
            when = "" if served else f" before it was ready ({container.ready})"
            _fail(f"the container ended with exit status {running.status()}{when}: {container.image}")
        if not served and is_ready():
            served = True
            ready()
        if not served and time.monotonic() > deadline:
            ports = ", ".join(f"{name} {port}" for name, port in sorted(listening()))
            running.stop()
            _fail(
                f"not ready after {container.ready.within:g} s: waited until {container.ready}; "
                f"in its network something listens on {ports or 'nothing'}: {container.image}"
            )
    running.stop()
    os._exit(0)


def order_of(container: Container, place: Place) -> ContainerOrder:
    """What the engine is asked for, in a process over whose files those of its host are laid."""
    given = {
        one.partition("=")[0]: one.partition("=")[2] if "=" in one else os.environ.get(one, "")
        for one in container.environment
    }
    made = order_for(container.image, container.run, place.environment, Path("/"))
    return replace(
        made,
        command=container.arguments,
        volumes=(*made.volumes, *container.volumes),
        environment={**made.environment, **given},
        log=str(place.log or os.devnull),
    )


def order_for(image: str, run: str, variables: Mapping[str, str], root: Path) -> ContainerOrder:
    """The order for a container with the files below `root` and what the testbed has set of `variables`."""
    ours = {name: value for name, value in variables.items() if os.environ.get(name) != value}
    files = {name: Path(ours[one]).read_text("utf-8") for one, name in _OF_THE_HOST.items() if one in ours}
    files[BUNDLE] = Path(variables["SSL_CERT_FILE"]).read_text("utf-8")
    files.setdefault(ROOT, Path(variables["NODE_EXTRA_CA_CERTS"]).read_text("utf-8"))
    for path, name in (("etc/resolv.conf", RESOLVERS), ("etc/hosts", HOSTS)):
        files[name] = (root / path).read_text("utf-8")
    inside = {one: f"{INSIDE}/{name}" for one, name in _OF_THE_HOST.items() if one in ours}
    shared = (f"{ours['TESTBED_SHARED']}:{ours['TESTBED_SHARED']}",) if "TESTBED_SHARED" in ours else ()
    kept = {name: value for name, value in ours.items() if name not in _NOT_INSIDE}
    entry = ("/bin/sh", "-c", run) if run else ()
    return ContainerOrder(
        image, (), entry, shared, {**kept, **TRUSTING, **inside}, files, MOUNTED, os.devnull
    )


def _sign(container: Container, log: Path | None) -> Callable[[], bool]:
    """The check that is repeated until it holds."""
    readiness = container.ready
    for transport, port in container.shown_by():
        return lambda: (transport, port) in listening()
    if readiness.output is not None and log is not None:
        pattern = re.compile(readiness.output, re.MULTILINE)
        return lambda: pattern.search(log.read_text("utf-8", "replace")) is not None
    before = listening()
    return lambda: bool(listening() - before)


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    os._exit(1)
