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
from testbed.replay.tally import MOST_FLOWS, NOT_JUDGED, Tally

Say = Callable[[str], None]

_WAY: Final = {Direction.UP: "up", Direction.DOWN: "down", None: "-"}


class Rows:
    """One line per packet, as it happens."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._begun = False

    def packet(self, frame: Frame, decision: Decision, found: tuple[Effect, ...], now: float) -> None:
        """Print the packet's line, the table's head before the first."""
        if not self._begun:
            self._say(f"{'packet':>8} {'time, s':>12}  {'way':4}  {'flow':50}  what")
            self._begun = True
        what = "; ".join(map(str, found)) or ("passed" if frame.direction is not None else "not judged")
        self._say(f"{frame.number:8} {now:12.6f}  {_WAY[frame.direction]:4}  {frame.flow:50}  {what}")


class JsonLines:
    """One object per packet."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def packet(self, frame: Frame, decision: Decision, found: tuple[Effect, ...], now: float) -> None:
        """Print the packet's object."""
        told: dict[str, Any] = {
            "packet": frame.number,
            "t": round(now, 9),
            "timestamp_ns": frame.time,
            "flow": frame.flow,
            "direction": None if frame.direction is None else _WAY[frame.direction],
            "verdict": decision.verdict.name.lower(),
            "effects": [effect.to_json() for effect in found],
        }
        self._say(json.dumps(told, ensure_ascii=False, default=str))


def as_json(tally: Tally, policy: Policy, sides: Sides, evictions: int, fault: str, *, flows: bool) -> str:
    """The last line of the JSON output."""
    summary = {
        "censor": policy.name,
        "profile": policy.profile.name,
        "inside": [str(network) for network in sides.inside],
        "inside_known_by": sides.why,
        "evictions": evictions,
        "fault": fault,
        **tally.to_json([rule.name for rule in policy.rules], flows=flows),
    }
    return json.dumps({"summary": summary}, ensure_ascii=False)


def summary(tally: Tally, policy: Policy, evictions: int, *, flows: bool) -> Iterator[str]:
    """The lines under the table."""
    yield ""
    yield (
        f"{tally.packets:,} packets in {tally.seconds:.3f} s, {tally.judged:,} of them judged, "
        f"{tally.met:,} met something"
    )
    aside = [f"{tally.aside[key]:,} {words}" for key, words in NOT_JUDGED.items() if tally.aside[key]]
    if aside:
        yield f"note: packets that were not judged: {', '.join(aside)}"
    if tally.backwards:
        yield f"note: {tally.backwards:,} packets are dated before the one ahead; the later time counts"
    if tally.undated:
        yield f"note: {tally.undated:,} packets have no time in the file; that of the one ahead counts"
    if tally.released_early:
        yield f"note: {tally.released_early:,} packets went on too early: more were delayed than can be held"
    if evictions:
        yield f"note: {evictions:,} flows or packets in pieces were forgotten because a table was full"
    width = max((len(rule.name) for rule in policy.rules), default=0)
    yield ""
    yield f"{'rule':{width}}" + "".join(f"  {what:>9}" for what in WHATS)
    for rule in policy.rules:
        counts = tally.rules.get(rule.name, Counter())
        yield f"{rule.name:{width}}" + "".join(f"  {counts.get(what, 0):9,}" for what in WHATS)
    if flows:
        yield from _flows(tally)


def _flows(tally: Tally) -> Iterator[str]:
    yield ""
    yield f"{'flow':50}  {'packets':>8}  what"
    for flow, seen in tally.flows.items():
        told = ", ".join(f"{count:,} {what}" for what, count in seen.whats.items())
        yield f"{flow:50}  {seen.packets:8,}  {told} ({', '.join(seen.rules)})"
    if tally.flows_left_out:
        yield f"note: {tally.flows_left_out:,} packets of further flows; {MOST_FLOWS:,} flows are listed"
