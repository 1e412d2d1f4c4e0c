"""How much of an answer came, in packets and bytes, by a capture beside the measurement."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from testbed.measurement.ooni import Measurement
from testbed.probe.wiretap import TCP, SeenPacket, Wiretap

_TICK: Final = 0.1  # s


@dataclass(frozen=True, slots=True)
class ArrivedPackets:
    """What passed on the measurement's last connection until nothing new came."""

    octets: int  # of the answer, without TCP's and IP's headers
    packets: int  # of both directions, from the SYN to the last one that brought something
    ip_octets: int  # of these packets, whole


def arrival(measure: Callable[[], Measurement]) -> tuple[Measurement, ArrivedPackets]:
    """Measure, and count what came meanwhile."""
    done = threading.Event()
    with Wiretap() as tap:

        def watch() -> None:
            while not done.is_set():
                tap.watch(_TICK)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            made = measure()
        finally:
            done.set()
            watching.join()
        flows = [one for one in made.test_keys.flows or () if one.startswith("tcp ")]
        return made, _counted([one for one in tap.seen if flows and _flow_name(one) == flows[-1]])


def _counted(mine: list[SeenPacket]) -> ArrivedPackets:
    """Bytes that came once more, and packets after the last new byte, are left out."""
    octets, first, newest, last = 0, None, 0, 0
    for number, one in enumerate(mine):
        if one.outgoing or not one.payload:
            continue
        first = one.seq if first is None else first
        end = ((one.seq - first) & 0xFFFFFFFF) + len(one.payload)
        if newest < end < 1 << 31:
            octets, newest, last = octets + end - newest, end, number
    passed = mine[: last + 1]
    return ArrivedPackets(octets, len(passed), sum(one.size for one in passed))


def _flow_name(packet: SeenPacket) -> str:
    """As a measurement names its flows."""
    if packet.protocol != TCP:
        return ""
    ends = [(packet.source, packet.sport), (packet.destination, packet.dport)]
    near, far = ends if packet.outgoing else reversed(ends)
    text = [f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in (near, far)]
    return f"tcp {text[0]} > {text[1]}"
