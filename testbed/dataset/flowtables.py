"""Flows as the three files of a part: their table, that of their packets, and the packets as pcapng."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from testbed.capture.writer import PcapngWriter
from testbed.dataset.columns import FLOW_TYPES, PACKET_TYPES
from testbed.dataset.flowcut import LabelledFlow
from testbed.parquet.store import column_bytes, schema_of, table_bytes

ENDINGS: Final = {"pcap": "pcapng", "packets": "parquet", "flows": "parquet"}
"""Table -> ending of its file; that of flows is written last."""
_SECONDS: Final = 1_000_000_000
_RAW_IP: Final = 101  # LINKTYPE_RAW
_HOURS: Final = 5_000_000  # a time in nanoseconds has 64 bits: after so many flows the hours begin again


@dataclass(frozen=True, slots=True)
class FlowTables:
    """Bytes of the three files."""

    flows: bytes
    packets: bytes
    pcap: bytes

    def __getitem__(self, table: str) -> bytes:
        return {"flows": self.flows, "packets": self.packets, "pcap": self.pcap}[table]


def tables_of(numbered: Iterable[tuple[int, LabelledFlow]], comment: str, version: str) -> FlowTables:
    """The files of these flows, each with its number; `comment` is of the pcapng section."""
    flows, capture = [], BytesIO()
    packets: dict[str, list[Any]] = {column: [] for column in PACKET_TYPES}
    writer = PcapngWriter(capture, comment)
    for number, one in numbered:
        flows.append({"flow": number, **one.truth, **one.features})
        mine = one.packets
        packets["flow"] += [number] * len(mine)
        packets["packet"] += range(len(mine))
        packets["at"] += [packet.at for packet in mine]
        packets["up"] += [packet.up for packet in mine]
        packets["size"] += [len(packet.raw) for packet in mine]
        packets["payload"] += [len(packet.payload) for packet in mine]
        # Flows follow one another, an hour apart, so that a reader never joins two.
        begin, note = number % _HOURS * 3600 * _SECONDS, f"flow {number}: {one.truth['label']}"
        for packet in mine:
            stamp = begin + round(packet.at * _SECONDS)
            writer.packet("client", _RAW_IP, stamp, packet.raw, len(packet.raw), note, outgoing=packet.up)
            note = ""
    noted = {"testbed": version}
    return FlowTables(
        table_bytes(flows, schema_of(FLOW_TYPES, noted)),
        column_bytes(packets, schema_of(PACKET_TYPES, noted)),
        capture.getvalue(),
    )
