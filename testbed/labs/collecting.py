"""What a student hands over, made into evidence: a capture, or a command that the tool runs itself."""

import os
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex
from typing import Final

from testbed.capture.file import open_capture
from testbed.capture.link import offset_finder
from testbed.censor.packet import Packet, parse
from testbed.errors import InvalidRunError
from testbed.labs.evidencekinds import CaptureEvidence, CommandEvidence, hello_of_packet
from testbed.labs.labfile import Assignment, lab_variables
from testbed.model.addressing import twin_addresses
from testbed.run.events import ends_of, rules_by_flow
from testbed.run.open import open_world
from testbed.vantage.hiding import HiddenFiles
from testbed.vantage.seclusion import secluding

_READ: Final = 50_000  # packets of a file; our choice
_KEPT: Final = 40  # packets of a connection; our choice
_BYTES: Final = 2048  # of each; our choice
_OUTPUT: Final = 4000  # characters of a command's output that are kept, the last ones; our choice
_LIMIT: Final = 120.0  # seconds for a command; our choice

Ends = tuple[bytes, int, bytes, int]


def _variables(assignment: Assignment) -> dict[str, str]:
    """The environment of a student's command: what is the server's own stays outside."""
    variables = {**os.environ, **lab_variables(assignment.lab)}
    if secluded := secluding():
        variables["HOME"] = secluded.home
        for name in ("TESTBED_LAB", "XDG_STATE_HOME"):
            variables.pop(name, None)
    return variables


def captured(path: Path, name: str, known: Collection[str]) -> CaptureEvidence:
    """The first connection in a capture whose ClientHello names `name`, of those that the world recorded.

    Errors: InputError for a file that is no capture.
    """
    flows: dict[Ends, list[Packet]] = {}
    wanted: list[Ends] = []
    others = 0
    with open_capture(str(path)) as file:
        for number, (_, link, frame, _) in enumerate(file):
            if number >= _READ:
                break
            find = offset_finder(link)
            at = find(frame) if find else -1
            packet = parse(frame[at:]) if at >= 0 else None
            if packet is None or packet.protocol != 6:
                continue
            ends = packet.source, packet.sport, packet.destination, packet.dport
            flows.setdefault(min(ends, _turned(ends)), []).append(packet)
            if said := hello_of_packet(packet):
                wanted += [ends] if said == name else []
                others += said != name
    if not wanted:
        other = (
            f"only with {others} for other names" if others else "capture while you connect: tcpdump -w FILE"
        )
        return CaptureEvidence(
            path.name, (), recorded=False, why=f"it has no ClientHello for {name}: {other}"
        )
    best = next((one for one in wanted if _flow(one) in known), wanted[0])
    packets = flows[min(best, _turned(best))][:_KEPT]
    kept = tuple(one.raw[:_BYTES].hex() for one in packets)
    return CaptureEvidence(path.name, kept, recorded=_flow(best) in known)


def _turned(ends: Ends) -> Ends:
    return ends[2], ends[3], ends[0], ends[1]


def _flow(ends: Ends) -> str:
    """As events name it."""
    near, far = (_end(*ends[:2]), _end(*ends[2:]))
    return f"tcp {near} > {far}"


def _end(address: bytes, port: int) -> str:
    return f"[{ip_address(address)}]:{port}" if len(address) == 16 else f"{ip_address(address)}:{port}"


def commanded(assignment: Assignment, words: Sequence[str]) -> CommandEvidence:
    """Run a command as the subscriber, in a new world: what it printed, and which rules acted on it.

    Errors: InvalidRunError if the world failed; InputError for a program that cannot be started;
    UnsupportedError if this machine lacks a feature.
    """
    secret = token_hex(8)
    vantage = assignment.lab.part.vantage
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        scenario = assignment.scenario(Path(folder), secret)
        with open_world(scenario, vantages=(vantage,), out=Path(folder) / "run") as world:
            try:
                done = world.run(
                    words,
                    hidden=HiddenFiles(emptied=(folder,)),  # its record has the secret
                    env=_variables(assignment),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    timeout=_LIMIT,
                )
                status, printed = done.returncode, done.stdout
            except subprocess.TimeoutExpired as late:
                status, printed = 124, late.output or b""
            with suppress(InvalidRunError):  # a command may end the world, and has its output all the same
                world.close()
        twins = set(twin_addresses(scenario.world, vantage))  # the control's packets are not the command's
        acted = {
            rule.rpartition("/")[2]
            for flow, rules in rules_by_flow(world.folder / "events.jsonl").items()
            if twins.isdisjoint(ends_of(flow))
            for rule in rules
        }
    output = printed.decode("utf-8", "replace")
    kept = output[-_OUTPUT:]
    if secret in output and secret not in kept:
        kept = f"{secret}\n…\n{kept}"
    return CommandEvidence(tuple(words), status, kept, secret, tuple(sorted(acted)))
