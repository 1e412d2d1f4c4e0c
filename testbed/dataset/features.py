"""What is known of a flow from its packets alone, as classifiers of traffic take it.

Sizes are of IP packets, in bytes; times in seconds; entropy is Shannon's, of the bytes, in bits per byte.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from statistics import fmean, pstdev
from typing import Final

from testbed.censor.packet import ACK, FIN, RST, SYN, TCP, parse

SHOWN: Final = 8  # payload sizes of the first packets that have some; our choice
ENTROPY_OF: Final = 4096  # bytes of each direction's payload whose entropy is taken; our choice
_WAYS: Final = ("up", "down")


@dataclass(frozen=True, slots=True)
class FlowPacket:
    """One packet of a flow."""

    at: float  # seconds since the flow's first packet
    up: bool  # the client sent it
    raw: bytes

    @property
    def payload(self) -> bytes:
        """What is behind the transport header."""
        packet = parse(self.raw)
        return bytes(packet.payload) if packet else b""


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
        "gap_std": pstdev(gaps) if gaps else 0.0,
        "gap_max": max(gaps, default=0.0),
    }
    loads = [(one, one.payload) for one in packets]
    for way in _WAYS:
        found |= _one_way(way, [each for each in loads if each[0].up is (way == "up")])
    shown = [len(load) if one.up else -len(load) for one, load in loads if load][:SHOWN]
    return found | {
        f"payload_size_{n}": size for n, size in enumerate([*shown, *[0] * (SHOWN - len(shown))], 1)
    }


def entropy(data: bytes) -> float:
    """Bits per byte; 0 of nothing."""
    return sum(n / len(data) * log2(len(data) / n) for n in Counter(data).values())


def _one_way(way: str, loads: Sequence[tuple[FlowPacket, bytes]]) -> dict[str, float | int]:
    sizes = [len(one.raw) for one, _ in loads]
    full = [(one, load) for one, load in loads if load]
    heads = [packet for one, _ in loads if (packet := parse(one.raw)) is not None]
    flags = [packet.flags for packet in heads if packet.protocol == TCP]
    limits = [packet.hop_limit for packet in heads]
    found: dict[str, float | int] = {
        f"packets_{way}": len(loads),
        f"bytes_{way}": sum(sizes),
        f"payload_{way}": sum(len(load) for _, load in full),
        f"size_min_{way}": min(sizes, default=0),
        f"size_mean_{way}": fmean(sizes) if sizes else 0.0,
        f"size_max_{way}": max(sizes, default=0),
        f"size_std_{way}": pstdev(sizes) if sizes else 0.0,
        f"entropy_{way}": entropy(b"".join(load for _, load in full)[:ENTROPY_OF]),
        f"first_entropy_{way}": entropy(full[0][1]) if full else 0.0,
        f"hop_limit_min_{way}": min(limits, default=0),
        f"hop_limit_max_{way}": max(limits, default=0),
        f"first_payload_at_{way}": full[0][0].at if full else -1.0,
        f"last_at_{way}": loads[-1][0].at if loads else -1.0,
    }
    bits = (("syn", SYN), ("fin", FIN), ("rst", RST), ("ack", ACK))
    return found | {f"{name}_{way}": sum(1 for one in flags if one & bit) for name, bit in bits}
