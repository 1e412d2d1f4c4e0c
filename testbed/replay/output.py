"""The output of a replay: a table for people, JSON lines for machines."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from testbed.censor.decision import Decision, Direction
from testbed.censor.policy import Policy
from testbed.replay.effects import WHATS, Effect
from testbed.replay.play import Frame
from testbed.replay.sides import Sides
from testbed.replay.totals import MOST_FLOWS, NOT_JUDGED, Totals

Print = Callable[[str], None]

_MOST_KINDS: Final = 8  # link types named; our choice
_NO_OFFLOADS: Final = "To capture what is on the wire: ethtool -K DEVICE tso off gso off gro off lro off"
_READ: Final = (
    "Ethernet, PPP, PPPoE, MPLS, raw IP, Linux cooked and loopback captures are; capture on another interface"
)
_LIKELY: Final = {
    "not_ip": "no frame carries an IP packet: another protocol, a tunnel, or an encrypted radio capture; "
    "capture where IP is in the clear",
    "cut": "every packet is cut by the snap length; capture whole packets: tcpdump -s 0",
    "unreadable": "no packet is as long as its header says; is the link type in the file right?",
    "unknown_size": f"every packet was merged by an offload. {_NO_OFFLOADS}",
}

_WAY: Final = {Direction.UP: "up", Direction.DOWN: "down", None: "-"}


class TableOutput:
    """One line per packet, in the capture's order."""

    def __init__(self, write: Print) -> None:
        self._print = write
        self._has_header = False

    def packet(self, frame: Frame, decision: Decision, found: tuple[Effect, ...], now: float) -> None:
        """Print the packet's line, and before the first one the table's header."""
        if not self._has_header:
            self._print(f"{'packet':>8} {'time, s':>12}  {'way':4}  {'flow':50}  what")
            self._has_header = True
        what = "; ".join(map(str, found)) or ("passed" if frame.direction is not None else "not judged")
        self._print(f"{frame.number:8} {now:12.6f}  {_WAY[frame.direction]:4}  {frame.flow:50}  {what}")


class JsonOutput:
    """One JSON object per packet."""

    def __init__(self, write: Print) -> None:
        self._print = write

    def packet(self, frame: Frame, decision: Decision, found: tuple[Effect, ...], now: float) -> None:
        """Print the packet's object."""
        line: dict[str, Any] = {
            "packet": frame.number,
            "t": round(now, 9),
            "timestamp_ns": frame.time,
            "flow": frame.flow,
            "direction": None if frame.direction is None else _WAY[frame.direction],
            "verdict": decision.verdict.name.lower(),
            "effects": [effect.to_json() for effect in found],
        }
        self._print(json.dumps(line, ensure_ascii=False, default=str))


def as_json(totals: Totals, policy: Policy, sides: Sides, evictions: int, fault: str, *, flows: bool) -> str:
    """The last line of the JSON output."""
    summary = {
        "censor": policy.name,
        "profile": policy.profile.name,
        "inside": [str(network) for network in sides.inside],
        "inside_known_by": sides.why,
        "inside_guessed": sides.guessed,
        "evictions": evictions,
        "fault": fault,
        "nothing_judged": nothing_judged(totals, sides),
        **totals.to_json([rule.name for rule in policy.rules], flows=flows),
    }
    return json.dumps({"summary": summary}, ensure_ascii=False)


def summary(totals: Totals, policy: Policy, evictions: int, *, flows: bool) -> Iterator[str]:
    """The lines under the table."""
    yield ""
    yield (
        f"{totals.packets:,} packets in {totals.seconds:.3f} s, {totals.judged:,} of them judged, "
        f"{totals.affected:,} affected"
    )
    yield from _set_aside(totals)
    yield from _offloads(totals)
    if totals.backwards:
        yield f"note: {totals.backwards:,} packets are dated before their predecessor; its time is used"
    if totals.undated:
        yield f"note: {totals.undated:,} packets have no time in the file; their predecessor's is used"
    if totals.released_early:
        yield f"note: {totals.released_early:,} delayed packets were sent too early: the queue was full"
    if evictions:
        yield f"note: {evictions:,} flows or fragmented packets were evicted because a table was full"
    width = max((len(rule.name) for rule in policy.rules), default=0)
    yield ""
    yield f"{'rule':{width}}" + "".join(f"  {what:>9}" for what in WHATS)
    for rule in policy.rules:
        counts = totals.rules.get(rule.name, Counter())
        yield f"{rule.name:{width}}" + "".join(f"  {counts.get(what, 0):9,}" for what in WHATS)
    if flows:
        yield from _flows(totals)


def _set_aside(totals: Totals) -> Iterator[str]:
    aside = [f"{totals.aside[key]:,} {words}" for key, words in NOT_JUDGED.items() if totals.aside[key]]
    if aside:
        yield f"note: packets that were not judged: {', '.join(aside)}"
    if totals.foreign:
        kinds = ", ".join(f"{kind} ({number:,})" for kind, number in totals.foreign.most_common(_MOST_KINDS))
        yield f"note: link types that are not read: {kinds}"


def _offloads(totals: Totals) -> Iterator[str]:
    """What a card changed before the packets were captured, and what that changes here."""
    if totals.super_packets:
        yield (
            f"note: {totals.super_packets:,} of them, larger than the wire's packets (offloads), were cut "
            f"into {totals.pieces:,} of the size that MSS and --mtu allow. If the real ones were smaller, a "
            f"name may have been split elsewhere, and counts and rates differ. {_NO_OFFLOADS}"
        )
    if totals.aside["unknown_size"]:
        yield (
            "note: the datagrams merged by an offload were several on the wire; a name in them is not seen "
            f"here. {_NO_OFFLOADS}"
        )


def nothing_judged(totals: Totals, sides: Sides) -> str:
    """The likely reason why no packet was judged; "" if one was."""
    if totals.judged or not totals.packets:
        return ""
    (most, _), *_ = totals.aside.most_common(1)
    if most == "foreign":
        kinds = ", ".join(str(kind) for kind, _ in totals.foreign.most_common(_MOST_KINDS))
        return f"frames of link type {kinds} are not read; {_READ}"
    if most == "beside":
        return (
            f"no packet has one end inside, which is {sides}; name the subscribers' side with --inside PREFIX"
        )
    return _LIKELY[most]


def _flows(totals: Totals) -> Iterator[str]:
    yield ""
    yield f"{'flow':50}  {'packets':>8}  what"
    for flow, flow_totals in totals.flows.items():
        effects = ", ".join(f"{count:,} {what}" for what, count in flow_totals.whats.items())
        yield f"{flow:50}  {flow_totals.packets:8,}  {effects} ({', '.join(flow_totals.rules)})"
    if totals.flows_left_out:
        yield f"note: {totals.flows_left_out:,} packets of further flows; {MOST_FLOWS:,} flows are listed"
