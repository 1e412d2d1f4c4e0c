"""Application data: ClientHellos, requests, queries, handshakes of other protocols."""

import struct
from hashlib import shake_256
from typing import Final

from testbed.shapes.hellobytes import chrome as _chrome
from testbed.shapes.hellobytes import extension, record, server_name, vector

X, N = "x.com", "n.com"  # the blocked name and the neutral one

SERVER_HELLO: Final = b"\x16\x03\x03\x00\x5a\x02\x00\x00\x56\x03\x03" + bytes(range(83))
RECORD: Final = b"\x17\x03\x03\x00\x20" + bytes(range(32))
CHANGE_CIPHER_SPEC: Final = b"\x14\x03\x01\x00\x01\x01"
ALERT: Final = b"\x15\x03\x01\x00\x02\x01\x00"
SOCKS_GREETING: Final = b"\x05\x01\x00"
SSH_BANNER: Final = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
WIREGUARD_INITIATION: Final = b"\1\0\0\0" + bytes(range(144))
WIREGUARD_RESPONSE: Final = b"\2\0\0\0" + bytes(range(88))
STUN_REQUEST: Final = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(range(12))  # RFC 8489 §5: a Binding request
DISCORD_QUERY: Final = b"\0\1\0\x46\1\2\3\4" + bytes(66)


def junk(size: int) -> bytes:
    """Bytes with which no known protocol begins."""
    return b"\xc3" * size


ECH: Final = extension(0xFE0D, b"\0\0\1\0\1\x2a" + vector(bytes(32), 2) + vector(bytes(128), 2))


def handshake(name: str | None = X, *, before: bytes = b"", after: bytes = b"", pad_to: int = 0) -> bytes:
    """A ClientHello handshake message (no record around it), padded to that many bytes (RFC 7685)."""

    def message(padding: bytes) -> bytes:
        named = b"" if name is None else server_name(name)
        extensions = vector(before + named + after + padding, 2)
        body = b"\x03\x03" + bytes(range(32)) + vector(bytes(32), 1) + vector(b"\x13\x01\x13\x02", 2)
        return b"\x01" + vector(body + b"\x01\x00" + extensions, 3)

    short = message(b"")
    missing = pad_to - len(short) - 4
    return message(extension(21, bytes(missing))) if missing >= 0 else short


def hello(name: str | None = X, **more: object) -> bytes:
    """A ClientHello in one record."""
    return record(handshake(name, **more))  # type: ignore[arg-type]


def flipped(data: bytes, at: int) -> bytes:
    """The bytes with one byte inverted."""
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def moved(data: bytes, at: int, by: int) -> bytes:
    """The bytes with `by` added to one byte."""
    return data[:at] + bytes([(data[at] + by) & 0xFF]) + data[at + 1 :]


def inside_name(data: bytes, name: str = X) -> int:
    """An offset inside the name, to split it there."""
    return data.index(name.encode()) + 1


def get(host: str = X, *, header: str = "Host", target: str = "/") -> bytes:
    """An HTTP request."""
    return f"GET {target} HTTP/1.1\r\n{header}: {host}\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n".encode()


PAGE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def query(name: str = X, *, kind: int = 1, number: int = 4711) -> bytes:
    """A DNS query for one name."""
    labels = b"".join(vector(label.encode(), 1) for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def tunnel_query() -> bytes:
    """A DNS query with a tunnel's data as iodine's base128 writes it: letters and bytes above 0x7f."""
    alphabet = bytes((*range(0x61, 0x7B), *range(0xBC, 0xFE)))
    letters = bytes(alphabet[byte % len(alphabet)] for byte in shake_256(b"tunnel").digest(180))
    labels = b"".join(vector(letters[at : at + 60], 1) for at in range(0, 180, 60)) + vector(b"t", 1)
    return struct.pack("!HHHHHH", 0x9E61, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 10, 1)


def answer(name: str = X, *, address: bytes = b"\x68\xf4\x2a\x01", number: int = 4711) -> bytes:
    """The genuine answer to `query`: one A record."""
    head = struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0)
    return head + query(name)[12:] + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + address


def addresses(message: bytes) -> tuple[int, list[str]]:
    """Rcode and A records of a DNS answer to a single question."""
    count, at = struct.unpack_from("!H", message, 6)[0], 12
    while message[at]:
        at += message[at] + 1
    at += 5
    found = []
    for _ in range(count):
        at = at + 2 if message[at] & 0xC0 else message.index(b"\0", at) + 1
        kind, _, _, length = struct.unpack_from("!HHIH", message, at)
        if kind == 1:
            found.append(".".join(str(octet) for octet in message[at + 10 : at + 14]))
        at += 10 + length
    return message[3] & 15, found


def over_tcp(message: bytes) -> bytes:
    """A DNS message with its two-byte length prefix."""
    return vector(message, 2)


def quic_form(size: int, version: int = 1) -> bytes:
    """A datagram with the header of a QUIC Initial and nothing behind it."""
    return (b"\xc3" + version.to_bytes(4, "big")).ljust(size, b"\0")


def short_header(size: int = 40) -> bytes:
    """A QUIC datagram of an established connection."""
    return b"\x43" + bytes(range(8)) + b"\xa5" * (size - 9)


def openvpn_reset(opcode: int) -> bytes:
    """P_CONTROL_HARD_RESET_CLIENT_V2 (7) or …_SERVER_V2 (8), without tls-auth, over UDP."""
    return bytes([opcode << 3]) + bytes(range(1, 9)) + b"\0" + bytes(4)


def openvpn_control(number: int, message: bytes) -> bytes:
    """P_CONTROL_V1 with part of a TLS handshake."""
    return bytes([4 << 3]) + bytes(range(1, 9)) + b"\0" + number.to_bytes(4, "big") + message


def openvpn_data(number: int) -> bytes:
    """P_DATA_V2 with an encrypted packet."""
    return bytes([9 << 3, 0, 0, 0]) + number.to_bytes(4, "big") + b"\x9d" * 120


def wireguard_data(number: int) -> bytes:
    """A WireGuard transport message."""
    return b"\4\0\0\0" + bytes(4) + number.to_bytes(8, "little") + b"\x9d" * 112


def ike(exchange: int, *, flags: int, number: int, marker: bool = False, size: int = 200) -> bytes:
    """An IKEv2 message (RFC 7296 §3.1); `marker`: as on port 4500."""
    responder = bytes(8) if (exchange, flags) == (34, 0x08) else b"\xb2" * 8
    head = (
        b"\xa1" * 8 + responder + bytes([33, 0x20, exchange, flags]) + struct.pack("!II", number, 28 + size)
    )
    return bytes(4 * marker) + head + bytes(size)


def esp(number: int) -> bytes:
    """An encrypted packet of IPsec in UDP (RFC 3948)."""
    return b"\xc0\xff\xee\x01" + struct.pack("!I", number) + b"\x9d" * 96


def l2tp_control(kind: int, tunnel: int = 0) -> bytes:
    """A control message of L2TPv2 with its type and protocol version (RFC 2661 §4.4.1, §4.4.2)."""
    attributes = struct.pack("!HHHH", 0x8008, 0, 0, kind) + struct.pack("!HHHBB", 0x8008, 0, 2, 1, 0)
    return struct.pack("!HHHHHH", 0xC802, 12 + len(attributes), tunnel, 0, 0, 0) + attributes


def l2tp_data() -> bytes:
    """A PPP frame in L2TPv2."""
    return struct.pack("!HHH", 0x0002, 7, 9) + b"\xff\x03\0\x21" + bytes(100)


def dtls(kind: int, body: bytes, number: int) -> bytes:
    """A plain handshake message in a DTLS record (RFC 6347 §4.1, §4.2.2)."""
    size = len(body).to_bytes(3, "big")
    message = bytes([kind]) + size + number.to_bytes(2, "big") + bytes(3) + size + body
    return b"\x16\xfe\xfd\0\0" + number.to_bytes(6, "big") + vector(message, 2)


def dtls13_hello() -> bytes:
    """A ClientHello that offers DTLS 1.3 (RFC 9147 §5.3)."""
    extensions = vector(extension(43, b"\2\xfe\xfc") + extension(10, b"\0\2\0\x1d"), 2)
    return dtls(1, b"\xfe\xfd" + bytes(32) + b"\0\0" + vector(b"\x13\x01", 2) + b"\1\0" + extensions, 0)


def dtls13_record(epoch: int, number: int = 0) -> bytes:
    """An encrypted record of DTLS 1.3: its unified header, with a length and a number of 2 bytes."""
    return bytes([0x2C | epoch]) + struct.pack("!HH", number, 80) + b"\x9d" * 80


def random_bytes(size: int) -> bytes:
    """Bytes that look random, the same every time."""
    return b"\x9e" + shake_256(b"conformance").digest(size - 1)


JA4: Final = "t13d1516h2_8daaf6152771_d8a2da3f94cd"  # of `chrome`


def chrome(name: str = X, *, key_share: int = 1216, ech: bool = True) -> bytes:
    """A ClientHello of Chrome of 2025-26, fingerprint `JA4`; a key share of 32 bytes gives a short one."""
    return _chrome(name, key_share=key_share, ech=ech)
