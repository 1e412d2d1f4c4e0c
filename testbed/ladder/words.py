"""A packet's label on an arrow."""

from dataclasses import dataclass
from typing import Final

from testbed.censor.packet import ACK, FIN, ICMP, ICMP6, PSH, RST, SYN, TCP, UDP, URG, Packet
from testbed.censor.parsers import Protocol, Unread, dns, http, tls
from testbed.censor.parsers.quic import ALL, InitialReader
from testbed.censor.parsers.quic_packet import LongHeader, long_header
from testbed.censor.parsers.registry import recognise

_FLAGS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))
_HANDSHAKE = {1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 11: "Certificate"}
_RECORD = {20: "ChangeCipherSpec", 21: "TLS alert", 22: "TLS handshake", 23: "application data"}
_LONG = ("Initial", "0-RTT", "Handshake", "Retry")
_RCODES = {0: "", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
_UNREACHABLE = {0: "net", 1: "host", 3: "port", 13: "admin-prohibited"}
_TUNNELS: Final[tuple[Protocol, ...]] = ("wireguard", "openvpn", "dtls")


@dataclass(frozen=True, slots=True)
class PacketLabel:
    """A name, and the important header fields."""

    name: str
    detail: str


def words(packet: Packet) -> PacketLabel:
    """Name and details of one packet."""
    return PacketLabel(_name(packet), _detail(packet))


def _name(packet: Packet) -> str:
    if packet.fragment:
        offset = (int.from_bytes(packet.raw[6:8], "big") & 0x1FFF) * 8 if packet.version == 4 else 0
        return f"IP fragment, offset {offset}"
    payload = packet.payload
    if packet.protocol == TCP:
        return _tcp(packet, payload)
    if packet.protocol == UDP:
        return _udp(packet, payload)
    if packet.protocol in (ICMP, ICMP6):
        return _icmp(packet)
    return f"IP protocol {packet.protocol}"


def flags(packet: Packet) -> str:
    """As "RST/ACK"; PSH is omitted, since it carries no meaning."""
    named = [name for bit, name in _FLAGS if packet.flags & bit and bit != PSH]
    return "/".join(named) or "no flags"


def _detail(packet: Packet) -> str:
    length = packet.end - packet.payload_at
    parts = [f"TTL {packet.hop_limit}"]
    if packet.version == 4:
        parts.append(f"IP-ID {packet.ip_id}")
    if packet.protocol == TCP and packet.flags & RST:
        parts.append(f"window {packet.window}")
    if length or packet.fragment:
        parts.append(f"{length if not packet.fragment else packet.end} B")
    return ", ".join(parts)


def _tcp(packet: Packet, payload: bytes) -> str:
    if packet.flags & (SYN | RST):
        return flags(packet)
    if not payload:
        return flags(packet)
    what = _tls(payload) or _http(payload) or _dns_over_tcp(packet, payload) or "data"
    return what + (", FIN" if packet.flags & FIN else "")


def _tls(payload: bytes) -> str:
    hello = tls.client_hello(payload)
    if isinstance(hello, tls.ClientHello):
        return f"ClientHello {hello.server_name or 'without a name'}" + (" with ECH" if hello.ech else "")
    if not tls.looks_like_tls(payload):
        return ""
    if payload[0] != tls.HANDSHAKE or len(payload) < 6:
        return _RECORD.get(payload[0], "TLS")
    part = ", its beginning" if hello is Unread.MORE and payload[5] == 1 else ""
    return _HANDSHAKE.get(payload[5], "TLS handshake") + part


def _http(payload: bytes) -> str:
    line = payload.split(b"\r\n", 1)[0].decode("latin-1")
    if payload.startswith(b"HTTP/1."):
        location = [
            head[10:] for head in payload.decode("latin-1").split("\r\n") if head.startswith("Location: ")
        ]
        status = line.partition(" ")[2]
        return f"HTTP {status.split(' ')[0]} to {location[0]}" if location else f"HTTP {status}"
    host = http.host(payload)
    if isinstance(host, str):
        method, _, rest = line.partition(" ")
        return f"{method} http://{host}{rest.split(' ')[0]}"
    return ""


def _dns_over_tcp(packet: Packet, payload: bytes) -> str:
    return _dns(payload[2:]) if 53 in (packet.sport, packet.dport) and len(payload) > 14 else ""


def _udp(packet: Packet, payload: bytes) -> str:
    if 53 in (packet.sport, packet.dport):
        return _dns(payload)
    if 443 in (packet.sport, packet.dport):
        return _quic(payload)
    for tunnel in _TUNNELS:
        found = recognise(tunnel, payload, "udp")
        if not isinstance(found, Unread):
            return f"{tunnel.capitalize().replace('guard', 'Guard').replace('vpn', 'VPN')} {found.kind}"
    return "UDP"


def _quic(payload: bytes) -> str:
    header = long_header(payload)
    if not isinstance(header, LongHeader):
        return "QUIC, short header"
    if not header.known:
        return f"QUIC, version {header.version:08x}"
    hello = InitialReader(ALL).feed(payload)
    name = hello.server_name if isinstance(hello, tls.ClientHello) else None
    return f"QUIC {_LONG[header.kind]}" + (f" {name}" if name else "")


def _dns(payload: bytes) -> str:
    question = dns.question(payload)
    if isinstance(question, dns.Question):
        return f"{_kind(payload)} {question.name}?"
    import dns.exception as exceptions
    import dns.message as messages

    try:
        message = messages.from_wire(payload)
    except (exceptions.DNSException, ValueError):
        return "DNS"
    found = [str(record) for answer in message.answer for record in answer if answer.rdtype in (1, 28)]
    code = _RCODES.get(int(message.rcode()), str(message.rcode()))
    return f"DNS answer: {', '.join(found) or code or 'nothing'}"


def _kind(payload: bytes) -> str:
    at = 12
    while at < len(payload) and payload[at]:
        at += payload[at] + 1
    return {1: "A", 28: "AAAA"}.get(int.from_bytes(payload[at + 1 : at + 3], "big"), "DNS")


def _icmp(packet: Packet) -> str:
    kind, code = packet.raw[packet.transport_at : packet.transport_at + 2]
    if packet.protocol == ICMP6:
        return {128: "ping", 129: "ping reply", 1: "ICMPv6 unreachable"}.get(kind, f"ICMPv6 type {kind}")
    if kind == 3:
        return f"ICMP {_UNREACHABLE.get(code, code)} unreachable" if code != 13 else "ICMP admin-prohibited"
    return {8: "ping", 0: "ping reply", 11: "ICMP time exceeded"}.get(kind, f"ICMP type {kind}")
