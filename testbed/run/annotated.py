"""From a recording and the censors' acts to one pcapng file that tells the story by itself."""

import json
import shutil
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Any, Final

from testbed.capture.link import ETHERNET
from testbed.capture.writer import PcapngWriter
from testbed.censor.flow import FlowKey
from testbed.censor.packet import TCP, UDP, parse
from testbed.middlebox.actlog import FILE as ACTS
from testbed.middlebox.actlog import acts, digest, identity
from testbed.model import OUTSIDE, OUTSIDE_HOST, Scenario
from testbed.model.addressing import numbered
from testbed.run.folder import RunFolder, versions
from testbed.run.taps import FOLDER, KEYS, POINTS
from testbed.world.ring import RecordedFrame, counts, recorded

CAPTURE: Final = "capture.pcapng"
_IP: Final = {b"\x08\x00", b"\x86\xdd"}
_HEADER: Final = 14  # bytes of Ethernet


@dataclass(frozen=True, slots=True)
class CaptureRecord:
    """What became of a capture."""

    file: Path
    points: int
    packets: int
    comments: int
    lost: Mapping[str, int]  # point -> packets that the capture itself lost
    secrets: int  # lines of TLS secrets
    cut: int = 0  # packets that are there with their headers alone, as they came too fast
    left_out: int = 0  # that the kernel was not asked for, as they came faster still
    whole: bool = True  # False: the recorder did not end in order, so what it lost is not known

    def __str__(self) -> str:
        lost = ", ".join(f"{number:,} at {name}" for name, number in self.lost.items())
        said = f"the capture itself lost {lost}" if lost else "none lost" if self.whole else "cut short"
        cut = f", {self.cut:,} with their headers alone, as they came too fast" if self.cut else ""
        if self.left_out:
            cut += f", {self.left_out:,} left out, as they came faster still"
        return (
            f"{self.packets:,} packets at {self.points} points, {self.comments:,} with comments{cut}, {said}"
        )


def write_capture(folder: RunFolder, scenario: Scenario, phase: str) -> CaptureRecord | None:
    """Write capture.pcapng from what was recorded in the run folder; None if nothing was."""
    recording = folder.path / FOLDER
    try:
        points = json.loads((recording / POINTS).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    lines = acts(folder.path / ACTS)
    comments = _Comments(points, lines)
    comments.note_what_left(_frames(recording, len(points)))
    lost = counts(recording, len(points))
    keys = folder.path / KEYS
    secrets = keys.read_bytes() if keys.exists() else b""
    with (folder.path / CAPTURE).open("wb") as file:
        writer = PcapngWriter(file, _section(scenario, phase, points))
        numbers = [writer.interface(one["name"], ETHERNET, one["description"]) for one in points]
        writer.names(_names(scenario))
        if secrets:
            writer.tls_secrets(secrets)
        packets = last = cut = 0
        for packets, one in enumerate(_frames(recording, len(points)), 1):
            cut += one.cut
            last, name = one.time, points[one.point]["name"]
            comment = comments.of(one, packets)
            writer.packet(name, ETHERNET, one.time, one.frame, one.wire, comment, outgoing=one.outgoing)
        for number, count in zip(numbers, lost, strict=True):
            if count:
                writer.statistics(number, last, count["received"], count["dropped"])
    shutil.rmtree(recording)
    dropped = {
        one["name"]: count["dropped"] for one, count in zip(points, lost, strict=True) if count.get("dropped")
    }
    return CaptureRecord(
        folder.path / CAPTURE,
        len(points),
        packets,
        comments.written,
        dropped,
        secrets.count(b"\n"),
        cut,
        sum(count.get("left_out", 0) for count in lost),
        whole=all(lost),
    )


def _frames(recording: Path, points: int) -> Iterator[RecordedFrame]:
    """Those of all points in the order of their times."""
    return merge(*recorded(recording, points), key=lambda one: one.time)


def _packet_in(one: RecordedFrame) -> bytes:
    """The IP packet of a frame; b"" for none, and for one that was cut: it looks like others."""
    return one.frame[_HEADER:] if one.frame[12:14] in _IP and not one.cut else b""


def _name(raw: bytes, point: str) -> str:
    """What the censor's act calls the packet; of a resolver the DNS message, over TCP without its length."""
    if not point.startswith("resolver."):
        return identity(raw)
    packet = parse(raw)
    if packet is None or packet.fragment or packet.protocol not in (TCP, UDP):
        return ""
    return digest(packet.payload if packet.protocol == UDP else packet.payload[2:])


@dataclass(slots=True)
class _Comments:
    """Finds the packets of the censors' acts: those that were decided about, changed, forged or dropped."""

    points: Sequence[Mapping[str, Any]]
    lines: Sequence[Mapping[str, Any]]
    written: int = 0
    _decided: dict[tuple[str, str], deque[Mapping[str, Any]]] = field(init=False)
    _made: dict[tuple[str, str], deque[tuple[str, Mapping[str, Any]]]] = field(init=False)
    _triggers: dict[tuple[str, str, str], int] = field(default_factory=dict)  # frames by censor, flow, rule
    _frames: dict[int, int] = field(default_factory=dict)  # by act: the frame that was decided about
    _handed: dict[tuple[str, str], Mapping[str, Any]] = field(init=False)  # by censor and flow
    _left: Counter[tuple[str, str]] = field(default_factory=Counter)  # packets of such flows that left

    def __post_init__(self) -> None:
        self._decided, self._made = defaultdict(deque), defaultdict(deque)
        self._handed = {}
        for line in self.lines:
            censor = line["censor"]
            self._decided[censor, line["packet"]].append(line)
            if "as" in line:
                self._made[censor, line["as"]].append(("rewritten", line))
            for forged in line.get("forged", ()):
                self._made[censor, forged].append(("injected", line))
            if "handover" in line:
                self._handed.setdefault((censor, line["flow"]), line)

    def note_what_left(self, frames: Iterator[RecordedFrame]) -> None:
        """Count what left each censor of the flows that the kernel has been given."""
        if not self._handed:
            return
        for one in frames:
            for censor in self.points[one.point]["censors"] if one.outgoing else ():
                raw = _packet_in(one)
                if raw and self._given(censor, raw):
                    self._left[censor, identity(raw)] += 1

    def of(self, one: RecordedFrame, number: int) -> str:
        """The comment of a frame, the `number`th of the file; "" for none."""
        censors = self.points[one.point]["censors"]
        raw = _packet_in(one) if censors else b""
        if not raw:
            return ""
        name = _name(raw, self.points[one.point]["name"])
        about = self._outgoing if one.outgoing else self._arriving
        comment = "; ".join(filter(None, (about(censor, name, raw, number) for censor in censors)))
        self.written += bool(comment)
        return comment

    def _outgoing(self, censor: str, name: str, _raw: bytes, _number: int) -> str:
        made = self._made.get((censor, name))
        if not made:
            return ""
        how, line = made.popleft()
        source = self._frames.get(id(line))
        trigger = self._triggers.get((censor, line.get("flow", ""), line["rule"]))
        trigger = source if how == "injected" and source else trigger
        origin = f" from frame {source}" if how == "rewritten" and source else ""
        return f"censor {censor}: {how}{origin} rule={line['rule']}" + (
            f" trigger={trigger}" if trigger else ""
        )

    def _arriving(self, censor: str, name: str, raw: bytes, number: int) -> str:
        decided = self._decided.get((censor, name))
        if decided:
            line = decided.popleft()
            self._frames[id(line)] = number
            return self._decision(censor, line, number)
        given = self._given(censor, raw) if self._handed else None
        if given is None or (censor, given["flow"], given["rule"]) not in self._triggers:
            return ""
        if self._left[censor, name] > 0:
            self._left[censor, name] -= 1
            return ""
        trigger = self._triggers[censor, given["flow"], given["rule"]]
        limits = _limits(given["handover"])
        return f"censor {censor}: verdict=drop by=kernel rule={given['rule']} {limits} trigger={trigger}"

    def _decision(self, censor: str, line: Mapping[str, Any], number: int) -> str:
        detail = line.get("detail", {})
        if line.get("event") in ("unread", "miss"):
            why = f"{detail.get('name', '')}: {detail.get('why', 'the box missed it')}"
            return f"censor {censor}: verdict=pass {line['event']} rule={line['rule']} {why}"
        words = [f"censor {censor}: verdict={line['verdict']} rule={line['rule']}"]
        if line.get("event") == "match":
            self._triggers[censor, line.get("flow", ""), line["rule"]] = number
            fields = "another flow" if detail.get("spread") else " ".join(detail.get("fields", ()))
            words.append(f"trigger: {detail.get('action')} on {fields} {detail.get('name', '')}".rstrip())
            if detail.get("holds"):
                words.append(f"held for {detail['holds']:g} s")
        elif trigger := self._triggers.get((censor, line.get("flow", ""), line["rule"])):
            words.append(f"trigger={trigger}")
        words += [f"injects={len(line['forged'])}"] if line.get("forged") else []
        words += [f"late={line['late']:g} s"] if "late" in line else []
        words += [_limits(line["handover"])] if "handover" in line else []
        return ", ".join(words)

    def _given(self, censor: str, raw: bytes) -> Mapping[str, Any] | None:
        """The act that handed this packet's flow to the kernel."""
        packet = parse(raw)
        if packet is None or packet.fragment or packet.protocol not in (TCP, UDP):
            return None
        ends = (packet.source, packet.sport, packet.destination, packet.dport)
        for key in (FlowKey(*ends, packet.protocol), FlowKey(*ends[2:], *ends[:2], packet.protocol)):
            if found := self._handed.get((censor, str(key))):
                return found
        return None


def _limits(handover: Mapping[str, Mapping[str, Any]]) -> str:
    """As "handover=police rate=140000 burst=16384"."""
    return " ".join(
        f"handover={kind} " + " ".join(f"{key}={_number(value)}" for key, value in limits.items())
        for kind, limits in handover.items()
    )


def _number(value: object) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _section(scenario: Scenario, phase: str, points: Sequence[Mapping[str, Any]]) -> str:
    there = {censor for point in points for censor in point["censors"]}
    places = [one for one in scenario.phases[phase].placements if one.name in there]
    profiles = {one.name: one.policy.profile.name for one in places}
    case = {
        "case": scenario.name,
        "phase": phase,
        "seed": scenario.seed,
        "profiles": profiles,
        "truth": "comments of packets; truth.json and receipts/ of the run",
        "tool": "runet-testbed",
        "versions": versions(),
        "note": "a laboratory: real services' addresses, no real host",
    }
    return json.dumps(case, ensure_ascii=False)


def _names(scenario: Scenario) -> dict[str, list[str]]:
    """Address -> names of the world's hosts, routers and subscribers."""
    found: dict[str, list[str]] = {}

    def add(name: str, addresses: Sequence[str]) -> None:
        for address in addresses:
            found.setdefault(address, []).append(name)

    world = scenario.world
    for site in world.sites:
        add(site.name, site.addresses)
    for resolver in world.resolvers:
        add((*resolver.names, "resolver")[0], (*resolver.ipv4, *resolver.ipv6))
    for host in world.hosts:
        add((*host.names, host.key)[0], (*host.ipv4, *host.ipv6))
    for operator in world.operators:
        for node, addresses in numbered(operator).items():
            add(f"{node}.subscriber" if node == operator.key else node, addresses)
    add(OUTSIDE, OUTSIDE_HOST)
    return found
