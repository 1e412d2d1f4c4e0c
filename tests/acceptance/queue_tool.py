"""A tool with an NFQUEUE of its own, for tests: it sends a ClientHello in two segments of its own making."""

import socket
import struct

from netfilterqueue import NetfilterQueue, Packet

QUEUE, MARK = 200, 0x40000000
_CUT = 3  # bytes


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _segment(packet: bytes, begin: int, end: int | None) -> bytes:
    """The packet with a part of its data."""
    head = (packet[0] & 15) * 4
    tcp = bytearray(packet[head : head + (packet[head + 12] >> 4) * 4])
    data = packet[head + len(tcp) :][begin:end]
    (sequence,) = struct.unpack_from("!I", tcp, 4)
    struct.pack_into("!I", tcp, 4, (sequence + begin) % (1 << 32))
    struct.pack_into("!H", tcp, 16, 0)
    pseudo = packet[12:20] + struct.pack("!HH", 6, len(tcp) + len(data))
    struct.pack_into("!H", tcp, 16, _sum(pseudo + tcp + data))
    return packet[:2] + struct.pack("!H", head + len(tcp) + len(data)) + packet[4:head] + bytes(tcp) + data


def main() -> None:
    """Serve the queue."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)

        def answer(queued: Packet) -> None:
            packet = queued.get_payload()
            head = (packet[0] & 15) * 4
            data = packet[head + (packet[head + 12] >> 4) * 4 :]
            if data[:1] != b"\x16":
                queued.accept()
                return
            queued.drop()
            to = (socket.inet_ntoa(packet[16:20]), 0)
            raw.sendto(_segment(packet, 0, _CUT), to)
            raw.sendto(_segment(packet, _CUT, None), to)

        queue = NetfilterQueue()
        queue.bind(QUEUE, answer)
        print("serving", flush=True)
        queue.run()


if __name__ == "__main__":
    main()
