"""Reads payloads: names and protocols that rules may match, or at least a known protocol."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from testbed.censor.parsers import PROTOCOLS, Transport, Unread, dns, http, socks, tls


class Kind(Enum):
    """What a content was read from."""

    TLS = "tls"
    CERTIFICATE = "certificate"  # of a TLS server up to 1.2
    HTTP = "http"
    DNS = "dns"
    QUIC = "quic"  # a datagram, undecrypted
    INITIAL = "initial"  # the ClientHello in a QUIC Initial
    UNREADABLE = "unreadable"  # a QUIC Initial that shows no server name
    PROTOCOL = "protocol"
    PAYLOAD = "payload"  # the bytes of any packet

    __hash__ = object.__hash__  # one object each; the one of Enum is slow, and rules are found by kinds


class Content(NamedTuple):  # a tuple, as Reading: made for every payload, at a third of a dataclass's cost
    """Something that rules can match."""

    kind: Kind
    name: str = ""  # server name, host, question, or the protocol's name
    version: int = 0  # QUIC
    size: int = 0  # QUIC: UDP payload, bytes
    hello: tls.ClientHello | None = None  # for fingerprints and extensions
    payload: bytes = (
        b""  # HTTP, QUIC, PAYLOAD: a segment, a datagram, or the reassembled beginning of a stream
    )
    url: str = ""  # HTTP: host and target, "example.com/page"
    qtype: int = 0  # DNS: the type asked for


class Reading(NamedTuple):
    """What inspection found in one payload."""

    contents: tuple[Content, ...] = ()
    recognised: bool = False  # a protocol that keeps inspection going (IMC21 §6.2)
    decided: bool = False  # a whole ClientHello: nothing later counts
    more: bool = False  # incomplete: what is here fits so far
    joined: tuple[Content, ...] = ()  # what the stream shows, for exemptions of a box that reads segments


NOTHING: Final = Reading()
RECOGNISED: Final = Reading(recognised=True)


class OnPort(NamedTuple):
    """Which kinds of content some rule looks for on one far port; `tcp` and `udp`: any at all."""

    tls: bool
    certificate: bool
    http: bool
    dns: bool
    quic: bool
    initial: bool
    unreadable: bool
    protocol: bool
    payload: bool
    tcp: bool
    udp: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the rules of a policy look for: each kind with the far ports on which to look (empty: all)."""

    ports: dict[Kind, frozenset[int]]
    protocols: frozenset[str] = frozenset()
    _known: dict[int, OnPort] = field(default_factory=dict, compare=False, repr=False)

    def on(self, port: int) -> OnPort:
        """What any rule could match on this far port; asked for every packet, so it is kept."""
        found = self._known.get(port)
        if found is None:
            found = self._known[port] = self._on(port)
        return found

    def _on(self, port: int) -> OnPort:
        looked = {kind for kind, ports in self.ports.items() if not ports or port in ports}
        both = {Kind.DNS, Kind.PROTOCOL, Kind.PAYLOAD}
        return OnPort(
            tls=Kind.TLS in looked,
            certificate=Kind.CERTIFICATE in looked,
            http=Kind.HTTP in looked,
            dns=Kind.DNS in looked,
            quic=Kind.QUIC in looked,
            initial=Kind.INITIAL in looked,
            unreadable=Kind.UNREADABLE in looked,
            protocol=Kind.PROTOCOL in looked,
            payload=Kind.PAYLOAD in looked,
            tcp=bool(looked & {Kind.TLS, Kind.CERTIFICATE, Kind.HTTP, *both}),
            udp=bool(looked & {Kind.QUIC, Kind.INITIAL, Kind.UNREADABLE, *both}),
        )


def read_tcp(payload: bytes, port: int, wanted: Wanted, *, first: bool) -> Reading:
    """What the beginning of a TCP direction, or one segment of it, shows; `first`: nothing came before."""
    here = wanted.on(port)
    reading = _read_tcp(payload, here, wanted, first=first)
    if not here.payload:
        return reading
    return reading._replace(contents=(*reading.contents, Content(Kind.PAYLOAD, payload=payload)))


def _read_tcp(payload: bytes, here: OnPort, wanted: Wanted, *, first: bool) -> Reading:
    found = _protocols(payload, wanted, "tcp", first=first) if here.protocol else ()
    if here.tls:
        hello = tls.client_hello(payload)
        if isinstance(hello, tls.ClientHello):
            content = Content(Kind.TLS, hello.server_name or "", hello=hello)
            return Reading((content, *found), recognised=True, decided=True)
        if hello is Unread.MORE:
            return Reading(found, recognised=tls.looks_like_tls(payload), more=True)
    if here.http and http.is_request(payload):
        return Reading((_request(payload), *found), recognised=True)
    if here.dns:
        question = dns.question_over_tcp(payload)
        if isinstance(question, dns.Question):
            return Reading((_query(question), *found), recognised=True)
    if found:
        return Reading(found, recognised=True)
    if tls.looks_like_tls(payload) or http.looks_like_http(payload) or socks.looks_like_socks(payload):
        return RECOGNISED
    return NOTHING


def read_udp(payload: bytes, port: int, wanted: Wanted) -> Reading:
    """What one datagram shows without decryption; QUIC Initials have a reader of their own."""
    here = wanted.on(port)
    found = list(_protocols(payload, wanted, "udp", first=True)) if here.protocol else []
    if here.dns:
        question = dns.question(payload)
        if isinstance(question, dns.Question):
            found.append(_query(question))
    if here.quic and len(payload) >= 5:
        # The 2022 rule did not look at the first byte, only at bytes 1-4 (NTC1823 #10).
        version = int.from_bytes(payload[1:5], "big")
        found.append(Content(Kind.QUIC, version=version, size=len(payload), payload=payload))
    recognised = bool(found)
    if here.payload:
        found.append(Content(Kind.PAYLOAD, payload=payload))
    return Reading(tuple(found), recognised) if found else NOTHING


def _request(payload: bytes) -> Content:
    """A plain HTTP request; what a spelling hides is empty."""
    host, url = http.host(payload), http.url(payload)
    name = host if isinstance(host, str) else ""
    return Content(Kind.HTTP, name, payload=payload, url=url if isinstance(url, str) else "")


def _query(question: dns.Question) -> Content:
    return Content(Kind.DNS, question.name, qtype=question.kind)


def _protocols(payload: bytes, wanted: Wanted, transport: Transport, *, first: bool) -> tuple[Content, ...]:
    from testbed.censor.parsers.registry import opening  # only policies that name a protocol need it

    found = []
    for protocol in PROTOCOLS:
        if protocol in wanted.protocols and (first or protocol != "encrypted"):
            message = opening(protocol, payload, transport)
            if not isinstance(message, Unread):
                found.append(Content(Kind.PROTOCOL, protocol, hello=message.hello))
    return tuple(found)
