"""Capturing the packets of one run on both sides of a censor."""

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
from typing import Any

from testbed.errors import InputError, InvalidRunError
from testbed.measurement.kinds import KINDS, parse
from testbed.measurement.target import Target
from testbed.model import LinkQuality, Placement, Scenario
from testbed.probe.log import ProbePlace
from testbed.probe.many import preload
from testbed.probe.measure import measure
from testbed.run.choose import phase_of, vantages_of
from testbed.run.folder import RunFolder
from testbed.run.laboratory import Laboratory
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
_QUIET = 0.15  # seconds without a packet after which everything has arrived
_LONGEST = 65_535


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """One packet at one of the two places."""

    t: float  # seconds since the epoch, by the kernel
    near: bool  # at the subscriber's interface; otherwise beyond the censor
    up: bool  # from the subscriber
    raw: bytes  # from the IP header on


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run and where to capture."""

    scenario: Scenario
    vantage: str = ""
    phase: str = ""
    censor: str = ""  # policy's name; "" is the first one on the vantage's path
    targets: tuple[str, ...] = ()  # for the built-in probe, one after another
    command: tuple[str, ...] = ()  # or a program, as the subscriber
    peer: tuple[str, ...] = ()  # a program on the far side at the same time
    linger: float = 0.3  # seconds of capturing after that
    timeout: float = 3.0  # seconds per step of the probe
    delay: float = 0.02  # seconds, one way, between the operator and the far side
    silent: bool = True  # whether the program has no input and output; otherwise it prints to our stderr


@dataclass(frozen=True, slots=True)
class CapturedRun:
    """The captured packets, and the run they are from."""

    packets: tuple[CapturedPacket, ...]
    vantage: str
    phase: str
    placement: Placement
    fired: tuple[str, ...]  # rules that acted, by their receipts
    delay: float  # seconds, one way, between the operator and the far side
    delayed: bool  # whether a rule delayed packets, by its receipt


def capture_run(options: RunOptions) -> CapturedRun:
    """Run it in its own world. Errors: InvalidRunError; InputError for unknown names."""
    phase = phase_of(options.scenario, options.phase or None)
    vantage = vantages_of(options.scenario, phase, [options.vantage] * bool(options.vantage), single=True)[0]
    backbone = LinkQuality(delay=options.delay)
    world = replace(options.scenario.world, backbone=backbone) if options.delay else options.scenario.world
    placement = _placement(options.scenario, phase, vantage, options.censor)
    # There must be a hop beyond the censor, because the last hop's outer link has the delay.
    operators = tuple(replace(one, hops=max(one.hops, placement.hop + 1)) for one in world.operators)
    scenario = replace(options.scenario, world=replace(world, operators=operators))
    preload(targets_of(options))
    with tempfile.TemporaryDirectory(prefix="diagram-") as folder:
        run = RunFolder.create(Path(folder, "run"), scenario.name)

        def main() -> list[CapturedPacket]:
            with Laboratory(scenario, phase, (vantage,), run) as laboratory:
                packets = _listen(laboratory, placement, options, vantage, Path(folder))
                if problems := laboratory.finish():
                    raise InvalidRunError("\n".join(problems))
            return packets

        packets = isolated_call(main)
        receipt = run.receipts().get(placement.name, {"rules": {}})
        if receipt.get("faults"):
            raise InvalidRunError(f"{scenario.name}: {placement.name} had {receipt['faults']} faults")
        fired = tuple(name for name, rule in receipt["rules"].items() if any(rule["kernel"].values()))
        delayed = any(rule["kernel"].get("delay") for rule in receipt["rules"].values())
        return CapturedRun(
            tuple(packets), vantage, phase, placement, fired, world.backbone.delay, delayed=delayed
        )


def targets_of(options: RunOptions) -> list[Target]:
    """What the probe measures, by the kinds of the scenario, too. InputError for what is no target."""
    own = {each.target.kind.scheme: each.target.kind for each in options.scenario.expect}
    return [parse(target, {**KINDS, **own}) for target in options.targets]


def _placement(scenario: Scenario, phase: str, vantage: str, name: str) -> Placement:
    here = [place for place in scenario.phases[phase].placements if place.operator == vantage]
    chosen = next((place for place in here if name in ("", place.policy.name)), None)
    if chosen is None:
        known = ", ".join(place.policy.name for place in here) or "none"
        raise InputError.at("censor", f"no {name or 'censor'} at {vantage} in {phase}", f"there is: {known}")
    return chosen


def _listen(
    laboratory: Laboratory, placement: Placement, options: RunOptions, vantage: str, folder: Path
) -> list[CapturedPacket]:
    namespaces = laboratory.world.namespaces
    places = [(namespaces[vantage], "eth0", True)]
    if placement.at == "resolver":
        places.append((namespaces[f"{vantage}.resolver"], "eth0", False))
    else:
        places.append((namespaces[f"{vantage}.hop{placement.hop + 1}"], "in", False))
    environment = prepare(laboratory.folder.path, laboratory.authority, laboratory.resolvers(vantage))
    with _recorder(places) as recorded, _peer(namespaces["far"], options.peer):
        if options.command:
            nothing = subprocess.DEVNULL
            streams: dict[str, Any] = {"stdout": 2}
            if options.silent:
                streams = {"stdin": nothing, "stdout": nothing, "stderr": nothing}
            spawn_as(namespaces[vantage], options.command, environment, **streams).wait()
        else:
            _probe(namespaces[vantage], laboratory, options, vantage, folder)
        time.sleep(options.linger)
    return recorded()


def _probe(
    namespace: Namespace, laboratory: Laboratory, options: RunOptions, vantage: str, folder: Path
) -> None:
    """Run the built-in probe in a child process at the vantage."""
    authority = folder / "authority.pem"
    authority.write_text(laboratory.authority.root_pem)

    def probe() -> None:
        for target in targets_of(options):
            measure(
                target,
                resolver=laboratory.resolvers(vantage),
                timeout=options.timeout,
                ca_file=str(authority),
                place=ProbePlace(vantage=vantage),
            )

    call(probe, namespace=namespace, name="the probe")


@contextmanager
def _peer(far: Namespace, argv: Sequence[str]) -> Iterator[None]:
    """Run a program on the far side; it closes standard output when it is ready."""
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
def _recorder(places: Sequence[tuple[Namespace, str, bool]]) -> Iterator[Callable[[], list[CapturedPacket]]]:
    """Record at these interfaces during the block; afterwards the yielded function returns the packets."""
    sockets = [(_packet_socket(namespace, interface), near) for namespace, interface, near in places]
    stop, stopping = os.pipe()

    def record() -> list[CapturedPacket]:
        os.close(stopping)
        return sorted(_recorded(sockets, stop), key=lambda packet: packet.t)

    recorder, found = Call(record, name="the recorder"), list[CapturedPacket]()
    os.close(stop)
    try:
        yield lambda: found
    finally:
        os.close(stopping)
        for one, _ in sockets:
            one.close()
        found += recorder.result()


def _packet_socket(namespace: Namespace, interface: str) -> socket.socket:
    with inside(namespace):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ANY_PROTOCOL))
        one.bind((interface, _ANY_PROTOCOL))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    one.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
    one.setblocking(False)  # noqa: FBT003
    return one


def _recorded(sockets: Sequence[tuple[socket.socket, bool]], stop: int) -> Iterator[CapturedPacket]:
    stopping = False
    while True:
        ready = interrupt.wait([*(one.fileno() for one, _ in sockets), *([] if stopping else [stop])], _QUIET)
        if stopping and not ready:
            return
        stopping = stopping or stop in ready
        for one, near in sockets:
            if one.fileno() in ready:
                raw, controls, _, address = one.recvmsg(_LONGEST, 64)
                seconds, nanoseconds = struct.unpack("@ll", controls[0][2][:16])
                outgoing = address[2] == _OUTGOING
                yield CapturedPacket(seconds + nanoseconds / 1e9, near, outgoing is near, raw)
