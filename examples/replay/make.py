"""Make session.pcapng: a subscriber asks for two sites over TLS and resolves one name. Needs scapy.

    python examples/replay/make.py

The addresses, names and times are made up once and for all, so that the file is always the same.
"""

import sys
from pathlib import Path

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import RawPcapNgWriter

PLACE = Path(__file__).parent / "session.pcapng"

CLIENT, RESOLVER = "192.168.1.10", "192.168.1.1"
SITES = {"twitter.com": "104.244.42.1", "www.wikipedia.org": "185.15.59.224"}
ROUND_TRIP = 0.04  # s
NOON = 1_646_395_200  # 4 March 2022, 12:00 UTC


def hello(name: str) -> bytes:
    """A small TLS 1.3 ClientHello for `name`."""
    host = name.encode()
    entry = b"\0" + len(host).to_bytes(2, "big") + host
    listed = len(entry).to_bytes(2, "big") + entry
    extensions = b"\0\0" + len(listed).to_bytes(2, "big") + listed
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake


def frame(ip: IP) -> bytes:
    """On the subscriber's Ethernet."""
    up = ip.src == CLIENT
    ends = ("02:00:00:00:00:10", "02:00:00:00:00:01")
    source, destination = ends if up else ends[::-1]
    return bytes(Ether(src=source, dst=destination) / ip)


def session(name: str, server: str, sport: int, begin: float) -> list[tuple[float, bytes]]:
    """Handshake, ClientHello, two segments of the server's answer, acknowledged."""
    seq = {"up": 1000, "down": 7000}
    packets = []

    def send(at: float, way: str, flags: str, payload: bytes = b"") -> None:
        back = "down" if way == "up" else "up"
        ends = (CLIENT, server, sport, 443) if way == "up" else (server, CLIENT, 443, sport)
        ack = seq[back] if "A" in flags else 0
        segment = TCP(sport=ends[2], dport=ends[3], flags=flags, seq=seq[way], ack=ack)
        ip = IP(src=ends[0], dst=ends[1], id=sport % 997 + len(packets), flags="DF")
        packets.append((begin + at, frame(ip / segment / Raw(payload))))
        seq[way] += len(payload) + ("S" in flags)

    send(0.0, "up", "S")
    send(ROUND_TRIP, "down", "SA")
    send(ROUND_TRIP + 0.001, "up", "A")
    send(ROUND_TRIP + 0.002, "up", "PA", hello(name))
    for number in range(2):
        send(2 * ROUND_TRIP + 0.002 + number / 10_000, "down", "PA", b"\x16\x03\x03\x04\xfb" + bytes(1275))
    send(2 * ROUND_TRIP + 0.004, "up", "A")
    return packets


def packets() -> list[tuple[float, bytes]]:
    """Everything, in the order of time."""
    query = bytes.fromhex("1267010000010000000000000774776974746572") + b"\x03com\0\0\1\0\1"
    made = [(0.0, frame(IP(src=CLIENT, dst=RESOLVER) / UDP(sport=50000, dport=53) / Raw(query)))]
    for number, (name, server) in enumerate(SITES.items()):
        made += session(name, server, 50001 + number, 0.03 + number * 0.05)
    return sorted(made, key=lambda packet: packet[0])


def main() -> None:
    """Write the file."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    writer = RawPcapNgWriter(str(path))
    writer.linktype = 1
    writer.write_header(None)
    for at, raw in packets():
        writer.write_packet(raw, sec=NOON + at)
    writer.close()


if __name__ == "__main__":
    main()
