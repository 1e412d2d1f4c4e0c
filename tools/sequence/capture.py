"""Catching the packets of one run on both sides of a censor, in the world that the testbed builds for it."""

import os
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from testbed.errors import InputError, InvalidRunError
from testbed.measurement.kinds import parse
from testbed.probe.many import preload
from testbed.probe.measure import measure
from testbed.run.choose import phase_of, vantages_of
from testbed.run.folder import RunFolder
from testbed.run.laboratory import Laboratory
from testbed.scenario.model import LinkQuality, Placement, Scenario
from testbed.vantage.environment import prepare
from testbed.vantage.subscriber import spawn_as
from testbed.world import interrupt
from testbed.world.children import Call, call
from testbed.world.enter import isolated_call
from testbed.world.netns import Namespace, inside

_ANY_PROTOCOL = 3  # ETH_P_ALL
_OUTGOING = 4  # PACKET_OUTGOING
_TIMESTAMP = 35  # SO_TIMESTAMPNS
_BUFFER = 8 << 20  # bytes
_QUIET = 0.15  # seconds: when nothing has come for so long, the rest has arrived
_LONGEST = 65_535


@dataclass(frozen=True, slots=True)
class Sight:
    """One packet as it passed one of the two places."""

    t: float  # seconds since the epoch, by the kernel
    near: bool  # at the subscriber's interface; else beyond the censor
    up: bool  # on its way from the subscriber
    raw: bytes  # from the IP header on


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run and where to look."""

    scenario: Scenario
    vantage: str = ""
    phase: str = ""
    censor: str = ""  # policy's name; "" is the first one on the vantage's path
    targets: tuple[str, ...] = ()  # for the built-in probe, one after another
    command: tuple[str, ...] = ()  # or a program, as the subscriber
    peer: tuple[str, ...] = ()  # a program on the far side meanwhile
    linger: float = 0.3  # seconds of listening after that
    timeout: float = 3.0  # seconds per step of the probe
    delay: float = 0.02  # seconds, one way, between the operator and the far side


@dataclass(frozen=True, slots=True)
class Capture:
    """What was seen, and of what."""

    sights: tuple[Sight, ...]
    vantage: str
    phase: str
    placement: Placement
    fired: tuple[str, ...]  # rules that acted, by their receipts
    delay: float  # seconds, one way, between the operator and the far side


def capture(wanted: Wanted) -> Capture:
    """Run it in a world of its own. InvalidRunError if the run proves nothing; InputError for wrong names."""
    phase = phase_of(wanted.scenario, wanted.phase or None)
    vantage = vantages_of(wanted.scenario, phase, [wanted.vantage] * bool(wanted.vantage), single=True)[0]
    backbone = LinkQuality(delay=wanted.delay)
    world = replace(wanted.scenario.world, backbone=backbone) if wanted.delay else wanted.scenario.world
    placement = _placement(wanted.scenario, phase, vantage, wanted.censor)
    # There must be a hop beyond the censor: the last hop's outer link is the one that delays.
    operators = tuple(replace(one, hops=max(one.hops, placement.hop + 1)) for one in world.operators)
    scenario = replace(wanted.scenario, world=replace(world, operators=operators))
    preload(map(parse, wanted.targets))
    with tempfile.TemporaryDirectory(prefix="diagram-") as folder:
        run = RunFolder.create(Path(folder, "run"), scenario.name)

        def main() -> list[Sight]:
            with Laboratory(scenario, phase, (vantage,), run) as laboratory:
                sights = _listen(laboratory, placement, wanted, vantage, Path(folder))
                if problems := laboratory.finish():
                    raise InvalidRunError("\n".join(problems))
            return sights

        sights = isolated_call(main)
        receipt = run.receipts().get(placement.name, {"rules": {}})
        if receipt.get("faults"):
            raise InvalidRunError(f"{scenario.name}: {placement.name} met {receipt['faults']} faults")
        fired = tuple(name for name, rule in receipt["rules"].items() if any(rule["kernel"].values()))
        return Capture(tuple(sights), vantage, phase, placement, fired, world.backbone.delay)


def _placement(scenario: Scenario, phase: str, vantage: str, name: str) -> Placement:
    here = [place for place in scenario.phases[phase] if place.operator == vantage]
    chosen = next((place for place in here if name in ("", place.policy.name)), None)
    if chosen is None:
        known = ", ".join(place.policy.name for place in here) or "none"
        raise InputError.at("censor", f"no {name or 'censor'} at {vantage} in {phase}", f"there is: {known}")
    return chosen


def _listen(
    laboratory: Laboratory, placement: Placement, wanted: Wanted, vantage: str, folder: Path
) -> list[Sight]:
    namespaces = laboratory.world.namespaces
    places = [(namespaces[vantage], "eth0", True)]
    if placement.at == "resolver":
        places.append((namespaces[f"{vantage}.resolver"], "eth0", False))
    else:
        places.append((namespaces[f"{vantage}.hop{placement.hop + 1}"], "in", False))
    environment = prepare(laboratory.folder.path, laboratory.authority, laboratory.resolvers(vantage))
    with _recorder(places) as recorded, _peer(namespaces["far"], wanted.peer):
        if wanted.command:
            streams = {
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.DEVNULL,
                "stderr": subprocess.DEVNULL,
            }
            spawn_as(namespaces[vantage], wanted.command, environment, **streams).wait()
        else:
            _probe(namespaces[vantage], laboratory, wanted, vantage, folder)
        time.sleep(wanted.linger)
    return recorded()


def _probe(namespace: Namespace, laboratory: Laboratory, wanted: Wanted, vantage: str, folder: Path) -> None:
    """The built-in probe, in a child of its own inside the vantage."""
    authority = folder / "authority.pem"
    authority.write_text(laboratory.authority.root_pem)

    def probe() -> None:
        for target in wanted.targets:
            measure(
                parse(target),
                resolver=laboratory.resolvers(vantage),
                timeout=wanted.timeout,
                ca_file=str(authority),
                vantage=vantage,
            )

    call(probe, namespace=namespace, name="the probe")


@contextmanager
def _peer(far: Namespace, argv: Sequence[str]) -> Iterator[None]:
    """A program on the far side; it says that it is ready by closing its standard output."""
    if not argv:
        yield
        return
    with inside(far):
        program = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert program.stdout is not None
        program.stdout.read()
        yield
    finally:
        program.terminate()
        program.wait()


@contextmanager
def _recorder(places: Sequence[tuple[Namespace, str, bool]]) -> Iterator[Callable[[], list[Sight]]]:
    """Record at these interfaces while the block runs; afterwards the function that it gave has them."""
    tapes = [(_tape(namespace, interface), near) for namespace, interface, near in places]
    stop, stopping = os.pipe()

    def record() -> list[Sight]:
        os.close(stopping)
        return sorted(_recorded(tapes, stop), key=lambda sight: sight.t)

    recorder, found = Call(record, name="the recorder"), list[Sight]()
    os.close(stop)
    try:
        yield lambda: found
    finally:
        os.close(stopping)
        for tape, _ in tapes:
            tape.close()
        found += recorder.result()


def _tape(namespace: Namespace, interface: str) -> socket.socket:
    with inside(namespace):
        tape = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ANY_PROTOCOL))
        tape.bind((interface, _ANY_PROTOCOL))
    tape.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    tape.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
    tape.setblocking(False)  # noqa: FBT003
    return tape


def _recorded(tapes: Sequence[tuple[socket.socket, bool]], stop: int) -> Iterator[Sight]:
    stopping = False
    while True:
        ready = interrupt.wait([*(tape.fileno() for tape, _ in tapes), *([] if stopping else [stop])], _QUIET)
        if stopping and not ready:
            return
        stopping = stopping or stop in ready
        for tape, near in tapes:
            if tape.fileno() in ready:
                raw, controls, _, address = tape.recvmsg(_LONGEST, 64)
                seconds, nanoseconds = struct.unpack("@ll", controls[0][2][:16])
                outgoing = address[2] == _OUTGOING
                yield Sight(seconds + nanoseconds / 1e9, near, outgoing is near, raw)
