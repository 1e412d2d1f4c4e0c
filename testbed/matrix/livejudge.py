"""What a live try came to: its own account, and what the box noted of its flows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from testbed.evade.segment import Flight
from testbed.matrix.cell import Ending, MatrixTry
from testbed.matrix.contender import LineKind
from testbed.matrix.livetry import LiveTry
from testbed.run.events import packet_of

DEGRADED: Final = 0.5  # of the speed without the box: our choice
_HEARD: Final = 0.9  # of a call's packets, below which it is degraded: our choice
_UDP: Final = ("quic", "voice")
_Noted = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LiveJudge:
    """Judges tries by the events of one column."""

    _noted: Mapping[tuple[str, int], Sequence[_Noted]]

    @classmethod
    def of(cls, log: Iterable[_Noted]) -> "LiveJudge":
        """By the events of the phase."""
        found: dict[tuple[str, int], list[_Noted]] = {}
        for event in log:
            near = str(event.get("flow", "")).partition(" > ")[0]
            protocol, _, client = near.partition(" ")
            port = client.rpartition(":")[2]
            if port.isdecimal():
                found.setdefault((protocol, int(port)), []).append(event)
        return cls(found)

    def judged(self, one: LiveTry, kind: LineKind, alone: Sequence[LiveTry]) -> MatrixTry:
        """One try; `alone`: the same where there is no box."""
        protocol = "udp" if kind in _UDP else "tcp"
        mine = [event for port in one.ports for event in self._noted.get((protocol, port), ())]
        match = next((event for event in mine if event["kind"] == "match"), None)
        rule, packet = (match["rule"], _packet(match, one.flights)) if match else ("", "")
        unread = next(
            (str(event["detail"].get("why", "")) for event in mine if event["kind"] == "unread"), ""
        )
        if one.problem:
            if match:
                return MatrixTry(Ending.BLOCKED, rule, packet, one.problem)
            return MatrixTry(Ending.UNEXPLAINED, reason=f"{one.problem}, and no rule was triggered")
        usual = median([each.speed for each in alone if each.speed] or [0.0])
        slow = one.speed < usual * (_HEARD if kind == "voice" else DEGRADED)
        ending = Ending.DEGRADED if match and slow else Ending.THROUGH
        return MatrixTry(ending, rule, packet, unread, one.speed, usual)


def _packet(match: _Noted, flights: Sequence[Flight]) -> str:
    """Which packet triggered the rule: with its number, if it is one of those that a strategy made."""
    said = (match["detail"].get("place"), match["detail"].get("bytes"))
    for flight in flights:
        for number, one in enumerate(flight, 1):
            if one.real and (one.at, len(one.data)) == said:
                return f"{number}: {one}"
    return packet_of(match)
