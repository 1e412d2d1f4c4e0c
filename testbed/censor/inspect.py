"""What one packet's payload shows: a name the rules may match, or at least a known protocol."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from testbed.censor.packet import TCP, UDP, Packet
from testbed.censor.parsers import dns, http, socks, tls
from testbed.censor.profile import Profile

_QUIC_LONG_HEADER: Final = 0x80


class Kind(Enum):
    """What a name was read from."""

    TLS = "tls.sni"
    HTTP = "http.host"
    DNS = "dns.qname"
    QUIC = "quic"


@dataclass(frozen=True, slots=True)
class Content:
    """Something that rules can match."""

    kind: Kind
    name: str = ""
    version: int = 0  # QUIC
    size: int = 0  # QUIC: UDP payload, bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """What inspection found in one payload."""

    content: Content | None = None
    recognised: bool = False  # a protocol that keeps inspection going (IMC21 §6.2)


NOTHING: Final = Reading()
RECOGNISED: Final = Reading(recognised=True)


class Inspector:
    """Reads payloads by the profile's ports; rules with ports of their own widen them."""

    def __init__(self, profile: Profile, ports: dict[Kind, frozenset[int]]) -> None:
        """`ports`: for each kind that some rule wants, the far ports on which to look; empty means all."""
        self._ports = ports
        self._profile = profile

    def wants(self, kind: Kind, port: int) -> bool:
        """Whether any rule could match this kind on this far port."""
        ports = self._ports.get(kind)
        return ports is not None and (not ports or port in ports)

    def may_match(self, protocol: int, port: int) -> bool:
        """Whether any content rule could ever match a flow to this far port."""
        kinds = (Kind.TLS, Kind.HTTP, Kind.DNS) if protocol == TCP else (Kind.DNS, Kind.QUIC)
        return protocol in (TCP, UDP) and any(self.wants(kind, port) for kind in kinds)

    def read(self, packet: Packet, port: int) -> Reading:
        """What the payload shows; `port` is the far host's."""
        payload = packet.payload
        return self._tcp(payload, port) if packet.protocol == TCP else self._udp(payload, port)

    def _tcp(self, payload: bytes, port: int) -> Reading:
        if self.wants(Kind.TLS, port):
            hello = tls.client_hello(payload)
            if isinstance(hello, tls.ClientHello):
                content = Content(Kind.TLS, hello.server_name) if hello.server_name else None
                return Reading(content, recognised=True)
        if self.wants(Kind.HTTP, port):
            host = http.host(payload)
            if isinstance(host, str):
                return Reading(Content(Kind.HTTP, host), recognised=True)
        if self.wants(Kind.DNS, port):
            question = dns.question_over_tcp(payload)
            if isinstance(question, dns.Question):
                return Reading(Content(Kind.DNS, question.name), recognised=True)
        if tls.looks_like_tls(payload) or http.looks_like_http(payload) or socks.looks_like_socks(payload):
            return RECOGNISED
        return NOTHING

    def _udp(self, payload: bytes, port: int) -> Reading:
        if self.wants(Kind.DNS, port):
            question = dns.question(payload)
            if isinstance(question, dns.Question):
                return Reading(Content(Kind.DNS, question.name), recognised=True)
        if self.wants(Kind.QUIC, port) and len(payload) >= 5:
            # The 2022 rule did not look at the first byte, only at bytes 1-4 (NTC1823 #10).
            version = int.from_bytes(payload[1:5], "big")
            return Reading(Content(Kind.QUIC, version=version, size=len(payload)), recognised=True)
        return NOTHING
