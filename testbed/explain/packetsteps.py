"""The packets of a flow from the run's capture, as arrows between client, censors and server."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from testbed.capture.annotated_frames import AnnotatedFrame, annotated_frames
from testbed.censor.flow import FlowKey
from testbed.censor.packet import TCP, UDP, Packet, parse
from testbed.explain.clientside import CLIENT, SERVER
from testbed.explain.flowstory import StoryStep
from testbed.ladder.words import words
from testbed.middlebox.actlog import identity
from testbed.run.events import ends_of

CAPTURE: Final = "capture.pcapng"
_IP: Final = {b"\x08\x00", b"\x86\xdd"}
_ASKS: Final = (
    (re.compile(r"ClientHello ([\w.-]+\.[\w-]+)"), "tls"),
    (re.compile(r"QUIC Initial ([\w.-]+\.[\w-]+)"), "quic"),
    (re.compile(r"[A-Z]+ http://([\w.-]+)/"), "http"),
    (re.compile(r"(?:A|AAAA|DNS) ([\w.-]+)\?"), "dns"),
)
_SHOWN: Final = 40  # arrows after folding; our choice


@dataclass(slots=True)
class _Passage:
    """One packet on its way: where it was seen, in the order of its path."""

    up: bool
    packet: Packet
    sights: list[tuple[int, AnnotatedFrame]] = field(default_factory=list)  # place on the path, frame

    @property
    def last(self) -> int:
        return self.sights[-1][0]


@dataclass(frozen=True, slots=True)
class Trigger:
    """The arrow that triggered a rule of a censor."""

    censor: str
    index: int  # of the arrow


def packet_steps(
    folder: Path, flow: str, placements: Sequence[Mapping[str, Any]], epoch: float
) -> tuple[list[StoryStep], list[Trigger]]:
    """Arrows in the order of their beginnings, similar neighbours folded; ([], []) without a capture."""
    path = _path(placements)
    passages = _passages(folder / CAPTURE, flow, path)
    passages.sort(key=lambda one: one.sights[0][1].number)
    steps: list[StoryStep] = []
    triggers: list[Trigger] = []
    for one in passages:
        step = _arrow(one, path, epoch, ends_of(flow)[1])
        begun = [
            censor
            for place, frame in one.sights
            for censor in path[place][1]
            if f"censor {censor}: " in frame.comment and "trigger: " in frame.comment
        ]
        if (
            steps
            and not begun
            and _same(steps[-1], step)
            and not (triggers and triggers[-1].index == len(steps) - 1)
        ):
            steps[-1] = _counted(steps[-1])
            continue
        steps.append(step)
        triggers += [Trigger(censor, len(steps) - 1) for censor in begun]
    if len(steps) > _SHOWN:
        rest = len(steps) - _SHOWN
        more = StoryStep("received", CLIENT, f"goes on: {rest} more arrows", steps[_SHOWN].t)
        return [*steps[:_SHOWN], more], [one for one in triggers if one.index < _SHOWN]
    return steps, triggers


_Path = list[tuple[str, tuple[str, ...], str]]  # lane, censors, interface prefix; from the client on


def _path(placements: Sequence[Mapping[str, Any]]) -> _Path:
    """The capture's points from the client to the server, with the lane that each belongs to."""
    found: _Path = [(CLIENT, (), "client.")]
    hops: dict[int, list[str]] = defaultdict(list)
    for place in placements:
        if place["at"] == "hop":
            hops[place["hop"]].append(place["name"])
    for hop, names in sorted(hops.items()):
        operator = names[0].partition("/")[0]
        for side in ("pre", "post"):
            found.append((names[0], tuple(names), f"{side}-censor.{operator}.hop{hop}"))
    return [*found, (SERVER, (), "server.|resolver.")]


def _place(interface: str, path: _Path) -> int | None:
    for number, (lane, _, point) in enumerate(path):
        if lane in (CLIENT, SERVER):
            if interface.startswith(tuple(point.split("|"))):
                return number
        elif interface == point:
            return number
    return None


def _passages(capture: Path, flow: str, path: _Path) -> list[_Passage]:
    """Sightings joined to packets: the same bytes further along the path are the same packet."""
    open_: dict[tuple[bool, str], list[_Passage]] = defaultdict(list)
    found: list[_Passage] = []
    for frame, packet, up in _of_flow(capture, flow):
        place = _place(frame.interface, path)
        if place is None:
            continue
        waiting = open_[up, identity(packet.raw)]
        passage = next((one for one in waiting if (one.last < place if up else one.last > place)), None)
        if passage is None:
            passage = _Passage(up, packet)
            waiting.append(passage)
            found.append(passage)
        passage.sights.append((place, frame))
    return found


def asked_in(steps: Sequence[StoryStep]) -> tuple[str, str]:
    """The name that the client's packets ask for, and the protocol that shows it; "" for none."""
    for step in steps:
        for pattern, protocol in _ASKS:
            if step.kind == "sent" and (found := pattern.match(str(step.detail.get("name", "")))):
                return found[1], protocol
    return "", ""


def flows_in(capture: Path) -> list[str]:
    """The flows that clients opened, in their order, by their packets at the clients' interfaces."""
    found: dict[str, None] = {}
    for frame in annotated_frames(capture):
        if not (frame.outgoing and frame.interface.startswith("client.") and frame.frame[12:14] in _IP):
            continue
        packet = parse(frame.frame[14:])
        if packet is not None and not packet.fragment and packet.protocol in (TCP, UDP):
            key = FlowKey(packet.source, packet.sport, packet.destination, packet.dport, packet.protocol)
            found[str(key)] = None
    return list(found)


def _of_flow(capture: Path, flow: str) -> Iterator[tuple[AnnotatedFrame, Packet, bool]]:
    near = flow.partition(" > ")[0]
    for frame in annotated_frames(capture):
        if frame.frame[12:14] not in _IP:
            continue
        packet = parse(frame.frame[14:])
        if packet is None or packet.fragment or packet.protocol not in (TCP, UDP):
            continue
        ends = (packet.source, packet.sport, packet.destination, packet.dport)
        for up, mine in ((True, ends), (False, (*ends[2:], *ends[:2]))):
            name = str(FlowKey(*mine, packet.protocol))
            # A diverted connection has another far end behind the censor. UDP ports serve several servers.
            if name == flow or (packet.protocol == TCP and name.partition(" > ")[0] == near):
                yield frame, packet, up
                break


def _arrow(one: _Passage, path: _Path, epoch: float, far: str) -> StoryStep:
    first, frame = one.sights[0]
    goal = len(path) - 1 if one.up else 0
    stops = path[one.last][0] if one.last != goal else ""
    label = words(one.packet)
    name = label.name + (f" (TTL {one.packet.hop_limit})" if label.name.startswith("RST") else "")
    other = str(ip_address(one.packet.destination if one.up else one.packet.source))
    if other != far:
        name += f" {'to' if one.up else 'from'} {other}"
    name += ", held" if any("late=" in sight.comment for _, sight in one.sights) else ""
    name += ", not seen again" if one.last == first else ""
    return StoryStep(
        "sent" if one.up else "received",
        path[first][0],
        name,
        frame.time / 1e9 - epoch,
        to=path[goal][0],
        stops=stops if stops != path[first][0] else "",
        detail={"count": 1, "frame": frame.number, "name": name},
    )


def _same(one: StoryStep, other: StoryStep) -> bool:
    return (one.lane, one.to, one.stops, one.detail["name"]) == (
        *(other.lane, other.to, other.stops),
        other.detail["name"],
    )


def _counted(step: StoryStep) -> StoryStep:
    count = step.detail["count"] + 1
    return replace(step, words=f"{count} × {step.detail['name']}", detail={**step.detail, "count": count})
