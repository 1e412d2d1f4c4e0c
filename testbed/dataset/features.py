"""What is known of a flow from its packets alone, as classifiers of traffic take it.

Sizes are of IP packets, in bytes; times in seconds; entropy is Shannon's, of the bytes, in bits per byte.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import fsum, log2, sqrt
from statistics import fmean
from typing import Final, NamedTuple

from testbed.censor.packet import ACK, FIN, RST, SYN, TCP, Packet

SHOWN: Final = 8  # payload sizes of the first packets that have some; our choice
ENTROPY_OF: Final = 4096  # bytes of each direction's payload whose entropy is taken; our choice
_WAYS: Final = ("up", "down")


class FlowPacket(NamedTuple):
    """One packet of a flow."""

    at: float  # seconds since the flow's first packet
    up: bool  # the client sent it
    raw: bytes
    payload: bytes = b""  # what is behind the transport header
    flags: int | None = None  # TCP's
    hop_limit: int | None = None  # None for what cannot be parsed

    @classmethod
    def of(cls, at: float, raw: bytes, head: Packet | None, *, up: bool) -> "FlowPacket":
        """With what is known from its headers; addresses and ports of `head` may be others than in `raw`."""
        if head is None:
            return cls(at, up, raw)
        flags = head.flags if head.protocol == TCP else None
        return cls(at, up, raw, raw[head.payload_at : head.end], flags, head.hop_limit)

    def disguised(self, raw: bytes) -> "FlowPacket":
        """The same under other addresses and ports."""
        return FlowPacket(self.at, self.up, raw, self.payload, self.flags, self.hop_limit)


def _feature_types() -> dict[str, str]:
    types = {"duration": "float64", "gap_mean": "float64", "gap_std": "float64", "gap_max": "float64"}
    for way in _WAYS:
        types |= {f"packets_{way}": "int32", f"bytes_{way}": "int64", f"payload_{way}": "int64"}
        types |= {f"size_{name}_{way}": "float64" for name in ("min", "mean", "max", "std")}
        types |= {f"entropy_{way}": "float64", f"first_entropy_{way}": "float64"}
        types |= {f"{flag}_{way}": "int32" for flag in ("syn", "fin", "rst", "ack")}
        types |= {f"hop_limit_min_{way}": "int32", f"hop_limit_max_{way}": "int32"}
        types |= {f"first_payload_at_{way}": "float64", f"last_at_{way}": "float64"}
    return types | {f"payload_size_{number}": "int32" for number in range(1, SHOWN + 1)}


FEATURES: Final = _feature_types()
"""Column -> type. `payload_size_N` is negative for a packet from the server, 0 where there is none."""


def features_of(packets: Sequence[FlowPacket]) -> dict[str, float | int]:
    """The features of a flow of at least one packet."""
    times = [one.at for one in packets]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    found: dict[str, float | int] = {
        "duration": times[-1] - times[0],
        "gap_mean": fmean(gaps) if gaps else 0.0,
        "gap_std": _deviation(gaps) if gaps else 0.0,
        "gap_max": max(gaps, default=0.0),
    }
    for way in _WAYS:
        found |= _one_way(way, [one for one in packets if one.up is (way == "up")])
    shown = [len(one.payload) if one.up else -len(one.payload) for one in packets if one.payload][:SHOWN]
    return found | {
        f"payload_size_{n}": size for n, size in enumerate([*shown, *[0] * (SHOWN - len(shown))], 1)
    }


@lru_cache(1024)  # pages and first flights come again and again
def entropy(data: bytes) -> float:
    """Bits per byte; 0 of nothing."""
    size = len(data)
    return sum([n / size * log2(size / n) for n in Counter(data).values()])


def _deviation(values: Sequence[float]) -> float:
    """Standard deviation of all of these; the library's is exact to the last bit, and ten times slower."""
    mean = fmean(values)
    return sqrt(fsum((one - mean) ** 2 for one in values) / len(values))


def _one_way(way: str, packets: Sequence[FlowPacket]) -> dict[str, float | int]:
    sizes = [len(one.raw) for one in packets]
    full = [one for one in packets if one.payload]
    flags = [one.flags for one in packets if one.flags is not None]
    limits = [one.hop_limit for one in packets if one.hop_limit is not None]
    found: dict[str, float | int] = {
        f"packets_{way}": len(packets),
        f"bytes_{way}": sum(sizes),
        f"payload_{way}": sum(len(one.payload) for one in full),
        f"size_min_{way}": min(sizes, default=0),
        f"size_mean_{way}": fmean(sizes) if sizes else 0.0,
        f"size_max_{way}": max(sizes, default=0),
        f"size_std_{way}": _deviation(sizes) if sizes else 0.0,
        f"entropy_{way}": entropy(b"".join(one.payload for one in full)[:ENTROPY_OF]),
        f"first_entropy_{way}": entropy(full[0].payload) if full else 0.0,
        f"hop_limit_min_{way}": min(limits, default=0),
        f"hop_limit_max_{way}": max(limits, default=0),
        f"first_payload_at_{way}": full[0].at if full else -1.0,
        f"last_at_{way}": packets[-1].at if packets else -1.0,
    }
    bits = (("syn", SYN), ("fin", FIN), ("rst", RST), ("ack", ACK))
    return found | {f"{name}_{way}": sum(1 for one in flags if one & bit) for name, bit in bits}
