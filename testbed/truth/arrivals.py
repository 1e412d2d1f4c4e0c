"""When bytes arrived, and how fast, from the network events of a measurement (df-008)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from testbed.measurement.ooni import NetworkEvent

_SETTLE = 1.0  # s left out of the rate of a long transfer: by then a token bucket is empty (CP21)
_LONG = 3.0  # s; shorter transfers are averaged as a whole
_READS = {"read", "read_from"}
_CUMULATIVE = "bytes_received_cumulative"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Some bytes, and when they came: seconds since the measurement began."""

    at: float
    size: float  # bytes


@dataclass(frozen=True, slots=True)
class SeenTransfer:
    """What came after a request, or went up with it."""

    bytes: float
    seconds: float
    rate: float  # bit/s, without the first burst

    @classmethod
    def of(cls, arrivals: Sequence[Arrival], begun: float, ended: float) -> "SeenTransfer | None":
        """The transfer of a request sent at `begun` and done with at `ended`; None if nothing came."""
        if not arrivals:
            return None
        size, seconds = sum(one.size for one in arrivals), max(ended - begun, 1e-6)
        settled = arrivals[0].at + _SETTLE
        if seconds < _LONG or settled >= ended:
            return cls(size, seconds, 8 * size / seconds)
        late = sum(one.size for one in arrivals if one.at > settled)
        return cls(size, seconds, 8 * late / (ended - settled))


def arrivals(events: Iterable[NetworkEvent], address: str | None = None) -> list[Arrival]:
    """What arrived from `address`, None for anywhere, in order.

    Programs record a limited number of reads, and how much had come in all every quarter of a second: where
    the reads end, the samples go on.
    """
    mine = [one for one in events if address is None or one.address == address]
    found = [
        Arrival(one.t or 0.0, one.num_bytes)
        for one in mine
        if one.operation in _READS and one.failure is None and one.num_bytes
    ]
    had, last = sum(one.size for one in found), max((one.at for one in found), default=0.0)
    totals: dict[str | None, float] = {}
    for one in mine:
        if one.operation == _CUMULATIVE and (one.t or 0.0) >= last:
            totals[one.address] = one.num_bytes or 0
            if (now := sum(totals.values())) > had:
                found.append(Arrival(one.t or 0.0, now - had))
                had = now
    return found
